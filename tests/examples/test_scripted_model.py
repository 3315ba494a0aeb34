"""What the scripted model of the examples answers."""

from __future__ import annotations

import json

import httpx
import pytest
from example_runs import EXAMPLES, read
from scripted_model import ScriptedModel, completion_text

ASKED = "Where? Respond with the fields `[[ ## reasoning ## ]]`, `[[ ## answer ## ]]` and `[[ ## completed ## ]]`."
IN_JSON = "Where? Respond with a JSON object in the following order of fields: `answer`, then `reasoning`."
SCRIPT = {"Where?": {"reasoning": "On the map.", "answer": ["In", "Egypt"]}}


def asking(text: str, *, system: str = "Answer.") -> list[dict[str, object]]:
    return [{"role": "system", "content": system}, {"role": "user", "content": text}]


def test_it_answers_in_the_layout_that_it_is_asked_for() -> None:
    assert completion_text(asking(ASKED), SCRIPT) == (
        '[[ ## reasoning ## ]]\nOn the map.\n\n[[ ## answer ## ]]\n["In", "Egypt"]\n\n[[ ## completed ## ]]'
    )
    assert completion_text(asking(IN_JSON), SCRIPT, as_json=True) == (
        '{"answer": ["In", "Egypt"], "reasoning": "On the map."}'
    )


def test_it_answers_better_where_it_was_told_more() -> None:
    script = {"Where?": [{"when": "Egypt", "answer": "There."}, {"reasoning": "Who knows.", "answer": "Nowhere."}]}
    asked = asking(ASKED, system="It is in Egypt.")
    assert "[[ ## answer ## ]]\nThere." in completion_text(asked, script)
    assert "[[ ## reasoning ## ]]\nWho knows." in completion_text(asked, script)
    assert "[[ ## answer ## ]]\nNowhere." in completion_text(asking(ASKED), script)


def test_what_it_does_not_know_it_refuses_and_says_what_to_do() -> None:
    request = {"model": "m", "messages": asking("Who? `[[ ## answer ## ]]`")}
    with ScriptedModel(SCRIPT, pace=0) as model:
        refused = httpx.post(f"{model.url}/chat/completions", json=request)
        elsewhere = httpx.post(f"{model.url}/responses", json=request)
    assert (refused.status_code, elsewhere.status_code) == (400, 404)
    assert refused.json()["error"]["message"] == (
        "the script has no answer to this question; set DEMO_MODEL to ask a real model"
    )


def test_a_stream_says_the_same_word_by_word_and_is_billed_the_same() -> None:
    request = {"model": "m", "messages": asking(ASKED)}
    with ScriptedModel(SCRIPT, pace=0) as model:
        whole = httpx.post(f"{model.url}/chat/completions", json=request).json()
        stream = httpx.post(f"{model.url}/chat/completions", json={**request, "stream": True}).text
    *events, done = [line.removeprefix("data: ") for line in stream.split("\n\n") if line]
    chunks = [json.loads(event) for event in events]
    pieces = [choice["delta"].get("content", "") for chunk in chunks for choice in chunk["choices"]]
    assert done == "[DONE]"
    assert "".join(pieces) == whole["choices"][0]["message"]["content"]
    assert len(pieces) > 10
    assert chunks[-1]["usage"] == whole["usage"]


@pytest.mark.parametrize("name", sorted(path.parent.name for path in EXAMPLES.glob("*/script.json")))
def test_no_words_of_a_script_stand_in_others_of_it(name: str) -> None:
    words = list(read(name, "script.json"))
    assert [(one, other) for one in words for other in words if one != other and one in other] == []
