"""The log event that tells what stands behind the name and version of a prompt."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import dspy
import pytest
from opentelemetry._logs import SeverityNumber

if TYPE_CHECKING:
    from conftest import StartTelemetry
    from recorded import Recorded


class Judge(dspy.Signature):
    """Judge the answer."""

    question: str = dspy.InputField()
    answer: str = dspy.InputField(desc="what the candidate said")
    score: float = dspy.OutputField()


def events(telemetry: Recorded) -> list[dict[str, Any]]:
    records = [record.log_record for record in telemetry.logs]
    return [dict(record.attributes or {}) for record in records if record.event_name == "dspy.prompt"]


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
async def test_a_prompt_is_told_at_its_first_use(start_telemetry: StartTelemetry, lm: dspy.LM, is_async: bool) -> None:
    telemetry = start_telemetry(capture="EVENT_ONLY")
    judge = dspy.Predict(Judge)
    judge.demos = [dspy.Example(question="1 + 1?", answer="2", score=1.0)]
    values = {"question": "2 + 2?", "answer": "5"}
    for _ in range(2):
        if is_async:
            await judge.acall(**values)
        else:
            judge(**values)
    [event] = events(telemetry)
    chat = telemetry.named("chat gpt-4o-mini")[0]
    assert chat.attributes is not None
    assert event["gen_ai.prompt.name"] == chat.attributes["gen_ai.prompt.name"] == "Judge"
    assert event["gen_ai.prompt.version"] == chat.attributes["gen_ai.prompt.version"]
    assert event["dspy.prompt.instructions"] == "Judge the answer."
    assert json.loads(event["dspy.prompt.fields"]) == {
        "inputs": {
            "question": {"type": "str"},
            "answer": {"type": "str", "description": "what the candidate said"},
        },
        "outputs": {"score": {"type": "float"}},
    }
    assert json.loads(event["dspy.prompt.demos"]) == [{"question": "1 + 1?", "answer": "2", "score": 1.0}]
    [record] = [record.log_record for record in telemetry.logs if record.log_record.event_name == "dspy.prompt"]
    assert record.severity_number is SeverityNumber.DEBUG
    assert record.span_id == chat.context.span_id


def test_another_version_is_told_again_and_one_that_comes_back_is_not(
    start_telemetry: StartTelemetry, lm: dspy.LM
) -> None:
    telemetry = start_telemetry(capture="SPAN_AND_EVENT")
    first, second = dspy.Predict("question -> answer"), dspy.Predict("question -> answer")
    second.signature = second.signature.with_instructions("Answer briefly.")
    for predictor in (first, second, first, second):
        predictor(question="Where?")
    told = events(telemetry)
    assert [event["dspy.prompt.instructions"] for event in told] == [first.signature.instructions, "Answer briefly."]
    assert len({event["gen_ai.prompt.version"] for event in told}) == 2
    assert [event for event in told if "dspy.prompt.demos" in event] == []


@pytest.mark.parametrize("capture", ["", "SPAN_ONLY"])
def test_without_content_on_events_there_is_no_such_event(
    start_telemetry: StartTelemetry, lm: dspy.LM, capture: str
) -> None:
    telemetry = start_telemetry(capture=capture)
    dspy.Predict("question -> answer")(question="Where?")
    assert events(telemetry) == []


def test_a_prompt_is_redacted_and_its_demonstrations_are_bounded(start_telemetry: StartTelemetry, lm: dspy.LM) -> None:
    telemetry = start_telemetry(capture="EVENT_ONLY", redact=lambda text, kind: text.replace("Ann", f"[{kind}]"))
    greet = dspy.Predict(dspy.Signature("name, password -> greeting", "Greet Ann."))
    greet.demos = [{"name": "Ann", "password": "hunter2", "greeting": "Hello"}] * 25
    greet(name="Bob", password="x")
    [event] = events(telemetry)
    assert event["dspy.prompt.instructions"] == "Greet [system]."
    assert set(json.loads(event["dspy.prompt.fields"])["inputs"]) == {"name", "password"}
    *demos, rest = json.loads(event["dspy.prompt.demos"])
    assert demos == [{"name": "[input]", "password": "[secret]", "greeting": "Hello"}] * 20
    assert rest == "… [5 more items]"
