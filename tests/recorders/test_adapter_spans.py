"""Adapter calls as spans, which the user has to ask for."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

import dspy
import pytest
from adapter_events import JSON_ANSWER, NONSENSE, PARSE_ERROR, PREDICT, events, fallback, parse_error, replying
from dspy.utils import DummyLM
from dspy.utils.exceptions import AdapterParseError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from conftest import StartTelemetry
    from model_server import ModelServer

ADAPTER_SPANS = "OTEL_INSTRUMENTATION_DSPY_ADAPTER_SPANS"


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
async def test_adapter_calls_are_spans_if_the_user_asks_for_them(
    start_telemetry: StartTelemetry,
    lm: dspy.LM,
    model_server: ModelServer,
    monkeypatch: pytest.MonkeyPatch,
    is_async: bool,
) -> None:
    monkeypatch.setenv(ADAPTER_SPANS, "true")
    telemetry = start_telemetry()
    model_server.reply = replying(NONSENSE, JSON_ANSWER)
    predict = dspy.Predict("question -> answer")
    if is_async:
        await predict.acall(question="Where?")
    else:
        predict(question="Where?")
    assert telemetry.tree() == (
        "Predict question -> answer\n"
        "  ChatAdapter question -> answer\n"
        "    chat gpt-4o-mini\n"
        "    JSONAdapter question -> answer\n"
        "      chat gpt-4o-mini"
    )
    assert telemetry.attributes("ChatAdapter question -> answer") == {
        "gen_ai.prompt.name": "question -> answer",
        "dspy.adapter.name": "ChatAdapter",
        "dspy.signature.fields": "question -> answer",
    }
    assert events(telemetry) == [parse_error("ChatAdapter"), fallback("ChatAdapter", "JSONAdapter")]


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
async def test_with_content_an_adapter_tells_what_it_was_given_and_what_it_read(
    start_telemetry: StartTelemetry,
    lm: dspy.LM,
    model_server: ModelServer,
    monkeypatch: pytest.MonkeyPatch,
    is_async: bool,
) -> None:
    monkeypatch.setenv(ADAPTER_SPANS, "true")
    telemetry = start_telemetry(capture="SPAN_ONLY", redact=lambda text, kind: text.replace("Rome", f"[{kind}]"))
    model_server.reply = replying(NONSENSE, '{"answer": "Rome"}')
    predict = dspy.Predict("question, password -> answer")
    values = {"question": "Rome or Paris?", "password": "hunter2"}
    if is_async:
        await predict.acall(**values)
    else:
        predict(**values)
    told = {"question": "[input] or Paris?", "password": "[secret]"}
    for name in ("ChatAdapter", "JSONAdapter"):
        attributes = telemetry.attributes(f"{name} question, password -> answer")
        assert json.loads(attributes["dspy.adapter.inputs"]) == told
        assert json.loads(attributes["dspy.adapter.outputs"]) == [{"answer": "[output]"}]


@pytest.mark.parametrize("capture", ["", "EVENT_ONLY"])
def test_without_content_on_spans_an_adapter_tells_neither(
    start_telemetry: StartTelemetry, lm: dspy.LM, monkeypatch: pytest.MonkeyPatch, capture: str
) -> None:
    monkeypatch.setenv(ADAPTER_SPANS, "true")
    telemetry = start_telemetry(capture=capture)
    dspy.Predict("question -> answer")(question="Where is my parcel?")
    assert telemetry.attributes("ChatAdapter question -> answer") == {
        "dspy.adapter.name": "ChatAdapter",
        "dspy.signature.fields": "question -> answer",
        "gen_ai.prompt.name": "question -> answer",
    }


def test_in_a_program_they_are_called_by_the_place_of_their_predictor(
    start_telemetry: StartTelemetry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ADAPTER_SPANS, "true")
    telemetry = start_telemetry()
    with dspy.context(lm=DummyLM([{"reasoning": "so", "answer": "here"}]), adapter=dspy.ChatAdapter()):
        Desk()(question="Where?")
    assert telemetry.tree() == (
        "invoke_workflow Desk\n  ChainOfThought think\n    Predict think\n      ChatAdapter think\n        chat dummy"
    )


class Desk(dspy.Module):
    """A program that thinks."""

    def __init__(self) -> None:
        super().__init__()
        self.think = dspy.ChainOfThought("question -> answer")

    def forward(self, question: str) -> dspy.Prediction:
        return self.think(question=question)


def test_the_span_of_an_adapter_that_gives_up_is_failed(
    start_telemetry: StartTelemetry, lm: dspy.LM, model_server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ADAPTER_SPANS, "TRUE")
    telemetry = start_telemetry()
    model_server.reply = replying(NONSENSE)
    with dspy.context(adapter=dspy.JSONAdapter()), pytest.raises(AdapterParseError):
        dspy.Predict("question -> answer")(question="Where?")
    assert telemetry.attributes("JSONAdapter question -> answer")["error.type"] == PARSE_ERROR


@pytest.mark.complaints
def test_a_wrong_value_of_the_option_is_explained(
    start_telemetry: StartTelemetry, lm: dspy.LM, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(ADAPTER_SPANS, "maybe")
    telemetry = start_telemetry()
    assert warnings(caplog.records) == [
        "OTEL_INSTRUMENTATION_DSPY_ADAPTER_SPANS='maybe' is not valid: it takes true or false. "
        "The default, false, is used."
    ]
    dspy.Predict("question -> answer")(question="Where?")
    assert telemetry.tree() == f"{PREDICT}\n  chat gpt-4o-mini"


def warnings(records: Iterable[logging.LogRecord]) -> list[str]:
    return [record.getMessage() for record in records if record.levelno >= logging.WARNING]
