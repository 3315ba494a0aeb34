"""The mirror takes nothing away: what was recorded and what the application set stays, whatever the SDK's limits."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

import dspy
import pytest
from dspy.utils import DummyLM
from opentelemetry.sdk.trace import Span, SpanLimits, TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import INVALID_SPAN, NonRecordingSpan, get_current_span
from opentelemetry.trace import Span as AnySpan
from recorded import SpanCollector, attributes_of

from opentelemetry.instrumentation.dspy import DSPyInstrumentor, openinference, span_context_of, telemetry_context
from opentelemetry.instrumentation.dspy.openinference import OpenInferenceMirror
from opentelemetry.instrumentation.dspy.tracers import CallTracerProvider

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from conftest import StartTelemetry

CAPTURE = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"


@pytest.fixture
def with_limits(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., SpanCollector]]:
    """Instruments DSPy, content on, with a provider that has limits of its own."""

    def start(**limits: Any) -> SpanCollector:
        monkeypatch.setenv(CAPTURE, "SPAN_ONLY")
        provider = TracerProvider(span_limits=SpanLimits(**limits), shutdown_on_exit=False)
        collector = SpanCollector()
        provider.add_span_processor(collector)
        DSPyInstrumentor().instrument(tracer_provider=provider, openinference=True)
        return collector

    yield start
    DSPyInstrumentor().uninstrument()


class Library(dspy.Retrieve):
    """A search that finds as much as it is asked for."""

    def forward(self, query: str, k: int | None = None, **settings: Any) -> Any:
        count = k or self.k
        return dspy.Prediction(
            passages=[f"text {number}" for number in range(count)],
            scores=[1.0 / (number + 1) for number in range(count)],
        )


def search(k: int) -> None:
    Library(k=k)("Where?")


def documents(attributes: dict[str, Any]) -> list[str]:
    return [name for name in attributes if name.startswith("retrieval.documents.")]


def recorded(attributes: dict[str, Any]) -> dict[str, Any]:
    """What is on a span without a mirror."""
    own = ("gen_ai.", "dspy.", "server.", "error.")
    return {name: value for name, value in attributes.items() if name.startswith(own)}


@pytest.mark.parametrize("limit", [16, 40, 128])
def test_documents_are_told_as_far_as_there_is_room(
    with_limits: Callable[..., SpanCollector], limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The limit is the provider's; the environment says another.
    monkeypatch.setenv("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "7")
    collector = with_limits(max_span_attributes=limit)
    search(300)
    [span] = collector.ended
    attributes = attributes_of(span)
    assert span.dropped_attributes == 0
    assert limit - 2 < len(attributes) <= limit
    # Whole documents, the first ones.
    shown = len(documents(attributes)) // 2
    assert documents(attributes) == [
        f"retrieval.documents.{number}.document.{part}" for number in range(shown) for part in ("content", "score")
    ]
    assert len(json.loads(attributes["gen_ai.retrieval.documents"])) == 300


def test_without_a_limit_all_documents_of_a_search_are_told(with_limits: Callable[..., SpanCollector]) -> None:
    collector = with_limits(max_span_attributes=SpanLimits.UNSET)
    search(300)
    [span] = collector.ended
    assert len(documents(attributes_of(span))) == 600


class Echo(dspy.Module):
    """A program that asks no model."""

    def forward(self, question: str) -> Any:
        return dspy.Prediction(answer=question)


ON_AN_ECHO = {
    *(
        "gen_ai.operation.name",
        "gen_ai.agent.name",
        "gen_ai.workflow.name",
        "gen_ai.input.messages",
        "gen_ai.output.messages",
    ),
    "dspy.module.name",
}


@pytest.mark.parametrize(
    ("room", "added"),
    [
        (0, set()),
        (1, {"openinference.span.kind"}),
        (2, {"openinference.span.kind"}),
        (3, {"openinference.span.kind", "input.value", "input.mime_type"}),
    ],
)
def test_where_there_is_no_room_nothing_is_added(
    with_limits: Callable[..., SpanCollector], room: int, added: set[str]
) -> None:
    own = {f"own.{number}": number for number in range(10)}
    collector = with_limits(max_span_attributes=len(own) + len(ON_AN_ECHO) + room)
    with telemetry_context(attributes=own):
        Echo()(question="Where?")
    [span] = collector.ended
    assert span.dropped_attributes == 0
    assert set(attributes_of(span)) == {*own, *ON_AN_ECHO, *added}


@pytest.mark.complaints  # the SDK's own, of each text that it cuts
def test_what_the_sdk_cuts_is_shown_as_the_text_that_it_is(with_limits: Callable[..., SpanCollector]) -> None:
    collector = with_limits(max_span_attribute_length=50)
    with dspy.context(lm=DummyLM([{"answer": "here " * 30}])):
        dspy.Predict("question -> answer")(question="Where " * 30)
    predict, chat = (attributes_of(span) for span in collector.ended)
    for attributes in (predict, chat):
        assert attributes["input.mime_type"] == attributes["output.mime_type"] == "text/plain"
    assert predict["input.value"] == predict["dspy.module.inputs"] == '{"question":"' + ("Where " * 30)[:37]
    assert chat["input.value"] == chat["gen_ai.input.messages"]


def test_what_the_application_has_set_is_its_own(start_telemetry: StartTelemetry) -> None:
    telemetry = start_telemetry(capture="SPAN_ONLY", openinference=True)
    own = {"openinference.span.kind": "GUARDRAIL", "session.id": "s-1", "user.id": "u-1", "metadata": '{"a":1}'}
    with (
        dspy.context(lm=DummyLM([{"answer": "here"}])),
        telemetry_context(conversation_id="c-42", attributes={**own, "enduser.id": "u-2", "input.value": "mine"}),
    ):
        dspy.Predict("question -> answer")(question="Where?")
    for span in telemetry.spans:
        attributes = attributes_of(span)
        assert {name: attributes[name] for name in own} == own
        assert attributes["input.value"] == "mine"
        # Ours would be the type of another value.
        assert "input.mime_type" not in attributes


class Looking(dspy.Module):
    """Writes down the span that its code runs in, and says something about itself there."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[AnySpan] = []

    def forward(self, question: str) -> Any:
        span = get_current_span()
        span.set_attribute("output.value", "set inside")
        self.seen.append(span)
        return dspy.Prediction(answer=question)


def test_the_current_span_is_a_span_of_the_sdk_in_all_that_can_be_asked(start_telemetry: StartTelemetry) -> None:
    telemetry = start_telemetry(openinference=True)
    program = Looking()
    prediction = program(question="Where?")
    [seen], [span] = program.seen, telemetry.spans
    assert isinstance(seen, Span)
    assert isinstance(seen, AnySpan)
    assert seen.get_span_context() == span.context == span_context_of(prediction)
    assert seen.name == span.name
    assert attributes_of(span)["output.value"] == "set inside"


def test_a_span_that_does_not_record_is_handed_out_as_it_is(start_telemetry: StartTelemetry) -> None:
    start_telemetry(sampler=ALWAYS_OFF, openinference=True)
    program = Looking()
    program(question="Where?")
    [seen] = program.seen
    assert type(seen) is NonRecordingSpan
    assert get_current_span() is INVALID_SPAN


def test_the_span_of_an_attempt_that_is_held_is_mirrored_at_its_end(start_telemetry: StartTelemetry) -> None:
    telemetry = start_telemetry(openinference=True)
    best = dspy.BestOfN(dspy.Predict("question -> answer"), 2, lambda arguments, made: 0.5, 1.0)
    with dspy.context(lm=DummyLM([{"answer": "here"}] * 4)):
        best(question="Where?")
    attempts = telemetry.named("Predict question -> answer")
    assert [attributes_of(span)["dspy.attempt.reward"] for span in attempts] == [0.5, 0.5]
    assert [attributes_of(span)["output.value"] for span in attempts] == ["answer · 1 LM call"] * 2
    assert all(span.end_time is not None for span in telemetry.spans)


def test_a_span_is_mirrored_whatever_ends_it() -> None:
    provider = TracerProvider(shutdown_on_exit=False)
    collector = SpanCollector()
    provider.add_span_processor(collector)
    tracer = CallTracerProvider(provider, OpenInferenceMirror(100)).get_tracer("tests")
    with tracer.start_as_current_span("optimize One") as current:
        assert get_current_span() is current
    with pytest.raises(ValueError, match="two"), tracer.start_span("optimize Two"):
        raise ValueError("two")
    tracer.start_span("optimize Three").end(end_time=3)
    assert [attributes_of(span)["openinference.span.kind"] for span in collector.ended] == ["CHAIN"] * 3
    assert [span.status.status_code.name for span in collector.ended] == ["UNSET", "ERROR", "UNSET"]
    assert collector.ended[2].end_time == 3


@pytest.mark.complaints
def test_a_mirror_that_fails_takes_nothing_with_it(
    start_telemetry: StartTelemetry, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(what: str, attributes: Any) -> Any:
        raise RuntimeError(str(attributes))

    monkeypatch.setattr(openinference, "sides_of", fail)
    telemetry = start_telemetry(capture="SPAN_ONLY", openinference=True)
    with dspy.context(lm=DummyLM([{"answer": "here"}])):
        dspy.Predict("question -> answer")(question="Where is the Nile?")
    assert [span.name for span in telemetry.spans] == ["Predict question -> answer", "chat dummy"]
    assert attributes_of(telemetry.spans[0])["dspy.usage.lm_calls"] == 1
    [record] = [record for record in caplog.records if record.name.startswith("opentelemetry")]
    assert record.levelno == logging.WARNING
    assert record.getMessage().startswith("OpenInferenceMirror failed;")
    assert "Nile" not in caplog.text


def test_what_was_recorded_is_the_same_with_the_mirror_and_without(start_telemetry: StartTelemetry) -> None:
    def run(*, mirrored: bool) -> list[dict[str, Any]]:
        telemetry = start_telemetry(capture="SPAN_ONLY", openinference=mirrored)
        with dspy.context(lm=DummyLM([{"answer": "here"}])):
            dspy.Predict("question -> answer")(question="Where?")
        DSPyInstrumentor().uninstrument()
        return [recorded(attributes_of(span)) for span in telemetry.spans]

    assert run(mirrored=True) == run(mirrored=False)


def test_the_environment_switches_it_on(start_telemetry: StartTelemetry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_INSTRUMENTATION_DSPY_OPENINFERENCE", "true")
    telemetry = start_telemetry()
    with dspy.context(lm=DummyLM([{"answer": "here"}])):
        dspy.Predict("question -> answer")(question="Where?")
    assert [attributes_of(span)["openinference.span.kind"] for span in telemetry.spans] == ["CHAIN", "LLM"]


@pytest.mark.parametrize("value", ["true", 1, "yes"])
def test_the_argument_is_true_or_false(value: object) -> None:
    with pytest.raises(TypeError, match=r"openinference= takes True or False, not (str|int)\."):
        DSPyInstrumentor().instrument(openinference=value)
    assert not DSPyInstrumentor().is_instrumented_by_opentelemetry
