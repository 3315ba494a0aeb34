"""Inputs and outputs of modules, where the application consents to record them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import dspy
import pytest
from parameter_names import name_of_value

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import StartTelemetry
    from model_server import ModelServer
    from recorded import Recorded


class SupportDesk(dspy.Module):
    def __init__(self) -> None:
        super().__init__()
        self.answer = dspy.ChainOfThought("question -> answer")

    def forward(self, question: str, tone: str = "calm") -> Any:
        return self.answer(question=question)

    async def aforward(self, question: str, tone: str = "calm") -> Any:
        return await self.answer.acall(question=question)


class Desk(dspy.Module):
    def __init__(self) -> None:
        super().__init__()
        self.answer = dspy.Predict("question -> answer")

    def forward(self, question: str) -> dspy.Prediction:
        return self.answer(question=question)

    async def aforward(self, question: str) -> dspy.Prediction:
        return await self.answer.acall(question=question)


class Echo(dspy.Module):
    def forward(self, question: str) -> str:
        return question


class Vault(dspy.Module):
    def forward(self, password: str) -> None:
        """Keep a secret."""


class Plain(dspy.Module):
    """A module without a language model."""

    def forward(self, answer: Callable[[], Any]) -> Any:
        return answer()


def test_without_consent_no_content_is_recorded(telemetry: Recorded, lm: dspy.LM, model_server: ModelServer) -> None:
    SupportDesk()(question="Where is my parcel?")
    reply = model_server.requests[0].texts[0]
    everything = telemetry.everything()
    assert "gpt-4o-mini" in everything
    assert "my parcel" not in everything
    assert reply not in everything


def test_with_consent_inputs_and_outputs_are_recorded(start_telemetry: StartTelemetry, lm: dspy.LM) -> None:
    telemetry = start_telemetry(capture="SPAN_ONLY")
    prediction = SupportDesk()("Where?", tone="warm")
    answer = {"reasoning": prediction.reasoning, "answer": prediction.answer}
    workflow = telemetry.attributes("invoke_workflow SupportDesk")
    [question] = json.loads(workflow["gen_ai.input.messages"])
    assert question["role"] == "user"
    assert json.loads(question["parts"][0]["content"]) == {"question": "Where?", "tone": "warm"}
    [reply] = json.loads(workflow["gen_ai.output.messages"])
    assert reply["role"] == "assistant"
    assert reply["parts"][0]["content"] == prediction.answer
    thought = telemetry.attributes("ChainOfThought answer")
    assert json.loads(thought["dspy.module.inputs"]) == {"question": "Where?"}
    assert json.loads(thought["dspy.module.outputs"]) == answer


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
async def test_one_text_is_told_as_itself(start_telemetry: StartTelemetry, lm: dspy.LM, is_async: bool) -> None:
    telemetry = start_telemetry(capture="SPAN_ONLY")
    desk = Desk()
    prediction = await desk.acall(question="Where?") if is_async else desk("Where?")
    [question], [reply] = messages(telemetry, "invoke_workflow Desk")
    assert (question["role"], question["parts"]) == ("user", [{"type": "text", "content": "Where?"}])
    assert (reply["role"], reply["parts"]) == ("assistant", [{"type": "text", "content": prediction.answer}])
    assert reply["finish_reason"] == "stop"


@pytest.mark.parametrize(
    ("answered", "told"),
    [
        (lambda: dspy.Prediction(answer="Rome"), "Rome"),
        (lambda: "Rome", "Rome"),
        (lambda: dspy.Prediction(answer=4.5), '{"answer":4.5}'),
        (lambda: dspy.Prediction(answer="Rome", country="Italy"), '{"answer":"Rome","country":"Italy"}'),
        (lambda: dspy.Prediction(), "{}"),
        (lambda: dspy.Prediction(password="hunter2"), '{"password":"[secret]"}'),
        (lambda: {"answer": "Rome"}, '{"answer":"Rome"}'),
        (lambda: ["Rome"], '["Rome"]'),
        (lambda: (dspy.Prediction(answer="Rome"), [(dspy.Predict("q -> a"), {"q": ""}, "a")]), "Rome"),
        (lambda: (dspy.Prediction(answer="Rome"), []), "Rome"),
        (lambda: ("Rome", []), '["Rome",[]]'),
        (lambda: None, "null"),
    ],
)
def test_an_output_is_one_text_or_json(answered: Callable[[], Any], told: str, start_telemetry: StartTelemetry) -> None:
    telemetry = start_telemetry(capture="SPAN_ONLY")
    Plain()(answered)
    _, [reply] = messages(telemetry, "invoke_workflow Plain")
    assert (reply["parts"], reply["finish_reason"]) == ([{"type": "text", "content": told}], "stop")


def test_an_input_that_is_called_a_secret_is_told_by_its_name_alone(start_telemetry: StartTelemetry) -> None:
    telemetry = start_telemetry(capture="SPAN_ONLY")
    Vault()(password="hunter2")
    [question], _ = messages(telemetry, "invoke_workflow Vault")
    assert question["parts"] == [{"type": "text", "content": '{"password":"[secret]"}'}]


def test_texts_are_redacted_and_cut(start_telemetry: StartTelemetry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_INSTRUMENTATION_DSPY_CONTENT_MAX_LENGTH", "20")
    telemetry = start_telemetry(capture="SPAN_ONLY", redact=lambda text, kind: text.replace("Ann", f"[{kind}]"))
    Echo()(question="Ann asks " + "very often " * 1_000)
    [question], [reply] = messages(telemetry, "invoke_workflow Echo")
    assert question["parts"][0]["content"] == "[input] asks very of… [10993 more characters]"
    assert reply["parts"][0]["content"] == "[output] asks very o… [10994 more characters]"


def test_a_workflow_that_an_exception_ended_answered_nothing(start_telemetry: StartTelemetry) -> None:
    telemetry = start_telemetry(capture="SPAN_ONLY")

    def fail() -> None:
        raise LookupError("no such parcel")

    with pytest.raises(LookupError):
        Plain()(fail)
    assert "gen_ai.output.messages" not in telemetry.attributes("invoke_workflow Plain")


def messages(telemetry: Recorded, name: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    attributes = telemetry.attributes(name)
    return json.loads(attributes["gen_ai.input.messages"]), json.loads(attributes["gen_ai.output.messages"])


def test_content_for_events_alone_stands_on_no_span(
    start_telemetry: StartTelemetry, lm: dspy.LM, model_server: ModelServer
) -> None:
    telemetry = start_telemetry(capture="EVENT_ONLY")
    SupportDesk()(question="Where is my parcel?")
    reply = model_server.requests[0].texts[0]
    on_spans = [str(value) for span in telemetry.spans for value in (span.attributes or {}).values()]
    assert len(telemetry.spans) == 4
    assert [value for value in on_spans if "my parcel" in value or reply in value] == []
    assert [log for log in telemetry.logs if "my parcel" in str(log.log_record.attributes)] != []


def test_settings_of_a_predictors_call_are_no_inputs(start_telemetry: StartTelemetry, lm: dspy.LM) -> None:
    telemetry = start_telemetry(capture="SPAN_ONLY")
    demos = [dspy.Example(question="1 + 1?", answer="2")]
    dspy.Predict("question -> answer")(question="Where?", demos=demos, config={"temperature": 0.5}, lm=lm)
    inputs = telemetry.attributes("Predict question -> answer")["dspy.module.inputs"]
    assert json.loads(inputs) == {"question": "Where?"}


@pytest.mark.parametrize(
    "value", [None, "text", 7, [1, 2], {"a": 1}, ("prediction", ["trace"]), object(), print], ids=name_of_value
)
def test_a_module_may_return_anything(value: Any, start_telemetry: StartTelemetry) -> None:
    telemetry = start_telemetry(capture="SPAN_ONLY")
    assert Plain()(lambda: value) is value
    assert telemetry.tree() == "invoke_workflow Plain"
