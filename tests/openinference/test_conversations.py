"""Messages of the GenAI conventions as chat completions, and as the text of one who said something."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import TYPE_CHECKING, Any

import dspy
import pytest
from dspy.utils import DummyLM

from opentelemetry.instrumentation.dspy.openinference.bounds import cut, fitted, parsed
from opentelemetry.instrumentation.dspy.openinference.conversations import chat_messages, flattened, texts
from opentelemetry.instrumentation.dspy.openinference.shown import content, text_or_json
from opentelemetry.instrumentation.dspy.openinference.sides import sides_of

if TYPE_CHECKING:
    from conftest import StartTelemetry

PICTURE = b"\x89PNG and some pixels"
DIGEST = hashlib.sha256(PICTURE).hexdigest()
TOLD = f"[image: image/png, {len(PICTURE)} bytes, sha256:{DIGEST}]"


def messages(*parts: dict[str, Any], role: str = "user") -> str:
    return json.dumps([{"role": role, "parts": parts}])


@pytest.mark.parametrize(
    ("part", "text"),
    [
        ({"type": "text", "content": "Where?"}, "Where?"),
        ({"type": "uri", "modality": "image", "uri": f"sha256:{DIGEST}?bytes={len(PICTURE)}&type=image/png"}, TOLD),
        (
            {"type": "uri", "modality": "audio", "mime_type": "audio/wav", "uri": f"sha256:{DIGEST}?bytes=3"},
            f"[audio: audio/wav, 3 bytes, sha256:{DIGEST}]",
        ),
        ({"type": "uri", "modality": "image", "uri": "https://here/a.png"}, "[image: https://here/a.png]"),
        ({"type": "file", "modality": "document", "file_id": "file-1"}, "[document: file-1]"),
        ({"type": "tool_call_response", "id": "1", "response": "found"}, "found"),
        ({"type": "tool_call_response", "id": "1", "response": {"n": 1}}, '{"n":1}'),
        ({"type": "server_tool_call", "name": "web_search"}, '{"type":"server_tool_call","name":"web_search"}'),
    ],
)
def test_each_part_is_a_text(part: dict[str, Any], text: str) -> None:
    [message] = chat_messages(messages(part))
    assert message["content"] == text


def test_what_a_model_thought_stands_beside_what_it_said() -> None:
    parts = ({"type": "reasoning", "content": "Hm."}, {"type": "text", "content": "Here."})
    attributes = {"gen_ai.output.messages": messages(*parts, role="assistant")}
    assert chat_messages(attributes["gen_ai.output.messages"]) == [
        {"role": "assistant", "content": "Here.", "reasoning_content": "Hm."}
    ]
    _, returned = sides_of("chat", attributes)
    assert returned is not None
    assert returned.value == "Here."


def test_the_result_of_a_tool_belongs_to_its_call() -> None:
    assert chat_messages(messages({"type": "tool_call_response", "id": "c1", "response": "ok"}, role="tool")) == [
        {"role": "tool", "content": "ok", "tool_call_id": "c1"}
    ]


@pytest.mark.parametrize(
    "value",
    [
        *(
            None,
            3,
            "",
            "no json",
            '[{"role": "user", "par',
            "{}",
            '"text"',
            "[1, null]",
            '[{"parts": 3}]',
            "[" * 100_000,
        ),
        '[{"role": null, "parts": [{"type": "tool_call"}, {"type": "uri"}, 4, {}]}]',
    ],
)
@pytest.mark.parametrize("what", ["chat", "invoke_agent", "invoke_workflow", "execute_tool", "retrieval", "evaluate"])
def test_nothing_that_can_stand_there_makes_it_fail(what: str, value: Any) -> None:
    names = ("gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.retrieval.documents", "dspy.module.inputs")
    attributes = {} if value is None else dict.fromkeys(names, value)
    for shown in sides_of(what, attributes):
        assert shown is None or shown.value
    assert isinstance(texts(value), (str, type(None)))
    json.dumps(flattened("llm.input_messages", chat_messages(value)))


def test_messages_that_were_cut_in_two_are_shown_as_they_are() -> None:
    half = '[{"role": "user", "parts": [{"type": "text", "content": "Where is th'
    given, returned = sides_of("chat", {"gen_ai.input.messages": half, "gen_ai.output.messages": half})
    assert given is not None
    assert returned is not None
    assert (given.value, given.mime_type) == (returned.value, returned.mime_type) == (half, "text/plain")


def test_a_picture_is_readable_where_a_viewer_would_show_a_broken_one(start_telemetry: StartTelemetry) -> None:
    telemetry = start_telemetry(capture="SPAN_ONLY", openinference=True)
    image = dspy.Image(url=f"data:image/png;base64,{base64.b64encode(PICTURE).decode()}")
    with dspy.context(lm=DummyLM([{"caption": "a square"}])):
        dspy.Predict("image: dspy.Image -> caption")(image=image)
    chat = telemetry.attributes("chat dummy")
    assert TOLD in json.loads(chat["input.value"])["messages"][1]["content"]
    assert TOLD in chat["llm.input_messages.1.message.content"]
    assert {name for name in chat if name.startswith("llm.")} == {
        f"llm.input_messages.{number}.message.{part}" for number in (0, 1) for part in ("role", "content")
    }
    assert base64.b64encode(PICTURE).decode() not in json.dumps(chat)


def test_calls_of_tools_are_spread_over_numbered_names() -> None:
    call = {"type": "tool_call", "id": "c1", "name": "search", "arguments": {"topic": "rivers"}}
    assert flattened("llm.output_messages", chat_messages(messages(call, role="assistant"))) == {
        "llm.output_messages.0.message.role": "assistant",
        "llm.output_messages.0.message.tool_calls.0.tool_call.id": "c1",
        "llm.output_messages.0.message.tool_calls.0.tool_call.function.name": "search",
        "llm.output_messages.0.message.tool_calls.0.tool_call.function.arguments": '{"topic":"rivers"}',
    }


def test_json_that_is_too_long_is_shorter_json() -> None:
    value = {"question": "Where?", "documents": ["long " * 200, "longer " * 400], "count": 3}
    text = fitted(value, 600)
    assert text is not None
    assert len(text) <= 600
    shorter = json.loads(text)
    assert shorter["question"] == "Where?"
    assert shorter["count"] == 3
    for whole, part in zip(value["documents"], shorter["documents"], strict=True):  # type: ignore[arg-type]
        assert part.startswith("long")
        assert part.endswith(" more characters]")
        assert f"[{len(whole) - len(part.partition('…')[0])} more" in part
    assert fitted(value, 10_000) == json.dumps(value, separators=(",", ":"))
    # Numbers cannot be cut.
    assert fitted([*range(1000)], 600) is None
    assert text_or_json(json.dumps([*range(1000)])).bounded(600).mime_type == "text/plain"
    assert len(text_or_json(json.dumps([*range(1000)])).bounded(600).value) <= 600


@pytest.mark.parametrize("length", [1, 39, 40, 41, 100])
def test_a_text_that_is_cut_is_no_longer_than_it_may_be(length: int) -> None:
    assert len(cut("x" * 100_000, length)) <= length
    assert cut("x" * length, length) == "x" * length


@pytest.mark.parametrize(
    ("recorded", "value", "mime_type"),
    [
        ('{"question":"Where?"}', "Where?", "text/plain"),
        ('["Where?"]', "Where?", "text/plain"),
        ('{"question":"{\\"a\\":1}"}', '{"a":1}', "text/plain"),
        ('{"number":3}', '{"number":3}', "application/json"),
        ('{"a":"x","b":"y"}', '{"a":"x","b":"y"}', "application/json"),
        ('{"question":""}', '{"question":""}', "application/json"),
        ("plain", "plain", "text/plain"),
    ],
)
def test_a_single_text_is_shown_without_its_braces(recorded: str, value: str, mime_type: str) -> None:
    shown = content({"name": recorded}, "name")
    assert shown is not None
    assert (shown.value, shown.mime_type) == (value, mime_type)


def test_what_is_not_text_is_not_read() -> None:
    assert parsed(3) is None
    assert parsed("3") is None
    assert content({"name": ("a", "b")}, "name") is None


def test_an_example_shows_prediction_label_score_and_feedback() -> None:
    attributes = {
        "dspy.example.index": 3,
        "dspy.example.inputs": '{"question":"Where?"}',
        "dspy.example.labels": '{"answer":"here"}',
        "dspy.example.prediction": '{"answer":"there"}',
        "dspy.example.feedback": "It is here.",
        "dspy.evaluate.example.score": 0.25,
    }
    given, returned = sides_of("evaluate_example", attributes)
    assert given is not None
    assert returned is not None
    assert given.value == "Where?"
    assert json.loads(returned.value) == {
        "score": 0.25,
        "prediction": {"answer": "there"},
        "expected": {"answer": "here"},
        "feedback": "It is here.",
    }


def test_an_example_that_failed_shows_the_error_and_what_was_expected() -> None:
    failed = {"dspy.example.labels": '{"answer":"here"}', "error.type": "ValueError"}
    _, returned = sides_of("evaluate_example", failed)
    assert returned is not None
    assert json.loads(returned.value) == {"error": "ValueError", "expected": {"answer": "here"}}
    _, returned = sides_of("evaluate_example", {**failed, "dspy.example.prediction": '{"answer":"there"}'})
    assert returned is not None
    assert json.loads(returned.value) == {
        "error": "ValueError",
        "prediction": {"answer": "there"},
        "expected": {"answer": "here"},
    }


@pytest.mark.parametrize("name", ["dspy.module.inputs", "dspy.adapter.inputs"])
def test_a_picture_among_values_is_told_after_what_is_said_of_it(name: str) -> None:
    reference = f"sha256:{DIGEST}?bytes={len(PICTURE)}&type=image/png"
    values = {"image": {"url": reference}, "album": [reference], "question": "What is in it?"}
    shown = content({name: json.dumps(values)}, name)
    assert shown is not None
    told = f"[image/png, {len(PICTURE)} bytes, sha256:{DIGEST}]"
    assert [*json.loads(shown.value).items()] == [
        ("album", [told]),
        ("question", "What is in it?"),
        ("image", told),
    ]
    alone = content({name: json.dumps({"image": {"url": reference}})}, name)
    assert alone is not None
    assert (alone.value, alone.mime_type) == (told, "text/plain")


def test_an_optimizer_shows_the_instructions_that_it_chose_and_tried() -> None:
    chosen = {
        "dspy.optimizer.best_instructions": '{"predict":"Be brief."}',
        "dspy.optimizer.best_demos": '{"predict":[]}',
        "dspy.optimizer.best_score": 87.5,
        "dspy.optimizer.trainset_size": 8,
    }
    given, returned = sides_of("optimize", chosen)
    assert given is not None
    assert returned is not None
    assert given.value == "8 training examples"
    assert json.loads(returned.value) == {
        "best_score": 87.5,
        "instructions": {"predict": "Be brief."},
        "demos": {"predict": []},
    }
    tried = {
        "dspy.optimizer.trial.instructions": '{"a":"x","b":"y"}',
        "dspy.optimizer.trial": 2,
        "dspy.optimizer.trial.score": 50.0,
        "dspy.optimizer.trial.accepted": False,
    }
    given, returned = sides_of("optimize_trial", tried)
    assert given is not None
    assert returned is not None
    assert json.loads(given.value) == {"instructions": {"a": "x", "b": "y"}}
    assert returned.value == "score 50 · not accepted"


def test_what_python_alone_reads_is_no_json_and_a_query_is_what_was_asked() -> None:
    assert text_or_json('{"a": NaN}').mime_type == "text/plain"
    given, _ = sides_of("retrieval", {"gen_ai.retrieval.query.text": '{"ticket": "T-1"}'})
    assert given is not None
    assert (given.value, given.mime_type) == ('{"ticket": "T-1"}', "application/json")
