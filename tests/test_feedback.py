"""``record_feedback``: what a person says of an answer hangs on the span that produced it, wherever it is said."""

from __future__ import annotations

import logging
import math
import os
import pickle
import subprocess
import sys
import weakref
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import dspy
import numpy
import pytest
from dspy.utils import DummyLM
from opentelemetry._logs import SeverityNumber
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import INVALID_SPAN_CONTEXT, SpanContext, TraceFlags

from opentelemetry.instrumentation.dspy import DSPyInstrumentor, record_feedback, span_context_of, trace_id_of

if TYPE_CHECKING:
    from conftest import StartTelemetry
    from model_server import ModelServer
    from recorded import Recorded

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TRACEPARENT = f"00-{TRACE}-{SPAN}-01"
UNKNOWN = "record_feedback() was given a prediction that no instrumented call returned"


class Desk(dspy.Module):
    def __init__(self) -> None:
        super().__init__()
        self.answer = dspy.Predict("question -> answer")

    def forward(self, question: str) -> Any:
        return self.answer(question=question)

    async def aforward(self, question: str) -> Any:
        return await self.answer.acall(question=question)


class Looking(dspy.Module):
    """A program without a language model."""

    def forward(self, question: str) -> Any:
        return dspy.Prediction(answer=question.upper())


@pytest.fixture(autouse=True)
def model() -> Any:
    """A language model that takes the steps of an agent, too."""
    reply = {"reasoning": "so", "answer": "here", "next_thought": "", "next_tool_name": "finish", "next_tool_args": {}}
    with dspy.context(lm=DummyLM([reply] * 20)):
        yield


def events(telemetry: Recorded) -> list[Any]:
    return [log.log_record for log in telemetry.logs if log.log_record.event_name == "gen_ai.evaluation.result"]


def event(telemetry: Recorded) -> dict[str, Any]:
    [record] = events(telemetry)
    return dict(record.attributes)


def where(telemetry: Recorded) -> tuple[str, str]:
    """Trace and span of the only event, as backends write them."""
    [record] = events(telemetry)
    return f"{record.trace_id:032x}", f"{record.span_id:016x}"


def place_of(span: Any) -> tuple[str, str]:
    return f"{span.context.trace_id:032x}", f"{span.context.span_id:016x}"


def test_a_thumb_is_an_event_on_the_span_of_the_program(telemetry: Recorded) -> None:
    prediction = Desk()(question="Where?")
    assert record_feedback(prediction, "helpful", 1.0, label="up") is True
    assert event(telemetry) == {
        "gen_ai.evaluation.name": "helpful",
        "gen_ai.evaluation.score.value": 1.0,
        "gen_ai.evaluation.score.label": "up",
    }
    [record] = events(telemetry)
    assert (record.severity_number, record.severity_text) == (SeverityNumber.INFO, "INFO")
    assert where(telemetry) == place_of(telemetry.span("invoke_workflow Desk"))


def make_agent() -> dspy.Module:
    return dspy.ReAct("question -> answer", tools=[])


PROGRAMS: dict[str, tuple[Any, str]] = {
    "workflow": (Desk, "invoke_workflow Desk"),
    "agent": (make_agent, "invoke_agent ReAct"),
    "built-in": (lambda: dspy.ChainOfThought("question -> answer"), "ChainOfThought question -> answer"),
    "without a language model": (Looking, "invoke_workflow Looking"),
}


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("program", PROGRAMS)
async def test_every_kind_of_program_has_its_feedback(telemetry: Recorded, program: str, asynchronous: bool) -> None:
    make, name = PROGRAMS[program]
    if asynchronous and program != "without a language model":
        prediction = await make().acall(question="Where?")
    else:
        prediction = make()(question="Where?")
    assert record_feedback(prediction, "helpful", True)
    assert where(telemetry) == place_of(telemetry.span(name))
    assert trace_id_of(prediction) == where(telemetry)[0]


async def test_the_last_value_of_a_stream_has_its_feedback(
    telemetry: Recorded, lm: dspy.LM, model_server: ModelServer
) -> None:
    with dspy.context(lm=lm):
        values = [value async for value in dspy.streamify(Desk())(question="Where?")]
    assert isinstance(values[-1], dspy.Prediction)
    assert record_feedback(values[-1], "helpful", False)
    assert where(telemetry) == place_of(telemetry.span("invoke_workflow Desk"))


def test_each_prediction_of_a_parallel_run_has_its_own(telemetry: Recorded) -> None:
    desk = Desk()
    pairs = [(desk, {"question": question}) for question in ("a", "b", "c")]
    predictions = dspy.Parallel(num_threads=3, disable_progress_bar=True)(pairs)
    assert all(record_feedback(prediction, "helpful", True) for prediction in predictions)
    spans = {span.context.span_id for span in telemetry.named("invoke_workflow Desk")}
    assert {record.span_id for record in events(telemetry)} == spans
    assert len(spans) == 3


def test_each_result_of_an_evaluation_has_its_own(telemetry: Recorded) -> None:
    devset = [dspy.Example(question=question).with_inputs("question") for question in "ab"]
    result = dspy.Evaluate(devset=devset, metric=lambda example, prediction: True, num_threads=2)(Desk())
    assert all(record_feedback(prediction, "helpful", True) for _, prediction, _ in result.results)
    assert len(events(telemetry)) == 4


def test_the_one_response_is_named_where_the_span_is_of_no_genai_operation(
    telemetry: Recorded, lm: dspy.LM, model_server: ModelServer
) -> None:
    with dspy.context(lm=lm):
        record_feedback(dspy.ChainOfThought("question -> answer")(question="Where?"), "helpful", True)
        record_feedback(Desk()(question="Where?"), "helpful", True)
    bare, workflow = (dict(record.attributes) for record in events(telemetry))
    first, _ = telemetry.named("chat gpt-4o-mini")
    assert bare["gen_ai.response.id"] == (first.attributes or {})["gen_ai.response.id"]
    assert "gen_ai.response.id" not in workflow


@pytest.mark.parametrize(
    ("value", "label", "score", "word"),
    [
        (True, None, 1.0, "true"),
        (False, None, 0.0, "false"),
        (True, "up", 1.0, "up"),
        (numpy.bool_(True), None, 1.0, "true"),
        (4, None, 4.0, None),
        (-0.5, None, -0.5, None),
        (numpy.float32(0.5), "so so", 0.5, "so so"),
        (numpy.int64(3), None, 3.0, None),
        (None, "wrong", None, "wrong"),
        (2, "x" * 500, 2.0, "x" * 100),
        (2, "\ud800", 2.0, "?"),
    ],
    ids=repr,
)
def test_values_and_labels(telemetry: Recorded, value: Any, label: Any, score: Any, word: Any) -> None:
    assert record_feedback(Desk()(question="Where?"), "helpful", value, label=label)
    attributes = event(telemetry)
    assert attributes.get("gen_ai.evaluation.score.value") == score
    assert type(attributes.get("gen_ai.evaluation.score.value")) is type(score)
    assert attributes.get("gen_ai.evaluation.score.label") == word


@pytest.mark.parametrize("capture", ["", "SPAN_ONLY", "EVENT_ONLY", "SPAN_AND_EVENT"])
def test_the_explanation_is_content(start_telemetry: StartTelemetry, capture: str) -> None:
    telemetry = start_telemetry(capture=capture)
    record_feedback(Desk()(question="Where?"), "helpful", True, explanation="it knew my street")
    explained = event(telemetry).get("gen_ai.evaluation.explanation")
    assert explained == ("it knew my street" if "EVENT" in capture else None)


def test_label_and_explanation_pass_the_redaction(start_telemetry: StartTelemetry) -> None:
    def hide(text: str, kind: str) -> str:
        return text.replace("Ada", f"[{kind}]")

    telemetry = start_telemetry(capture="EVENT_ONLY", redact=hide)
    record_feedback(Desk()(question="Where?"), "helpful", label="Ada likes it", explanation="says Ada")
    assert event(telemetry)["gen_ai.evaluation.score.label"] == "[output] likes it"
    assert event(telemetry)["gen_ai.evaluation.explanation"] == "says [output]"


KNOWN = SpanContext(int(TRACE, 16), int(SPAN, 16), is_remote=True, trace_flags=TraceFlags(1))


@pytest.mark.parametrize(
    "said",
    [
        lambda: record_feedback(KNOWN, "helpful", True),
        lambda: record_feedback(pickle.loads(pickle.dumps(KNOWN)), "helpful", True),
        lambda: record_feedback(TRACEPARENT, "helpful", True),
        lambda: record_feedback(f"cc-{TRACE}-{SPAN}-00-more-to-come", "helpful", True),
        lambda: record_feedback(trace_id=TRACE, span_id=SPAN, name="helpful", value=True),
        lambda: record_feedback(trace_id=TRACE.upper(), span_id=SPAN.upper(), name="helpful", value=True),
        lambda: record_feedback(trace_id=int(TRACE, 16), span_id=int(SPAN, 16), name="helpful", value=True),
    ],
    ids=["SpanContext", "pickled", "traceparent", "later traceparent", "digits", "capitals", "numbers"],
)
def test_a_span_of_another_process_is_told_by_its_ids(telemetry: Recorded, said: Any) -> None:
    assert said() is True
    assert where(telemetry) == (TRACE, SPAN)
    assert event(telemetry)["gen_ai.evaluation.score.value"] == 1.0


ELSEWHERE = """
import sys
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.instrumentation.dspy import DSPyInstrumentor, record_feedback

exporter, provider = InMemoryLogRecordExporter(), LoggerProvider()
provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
DSPyInstrumentor().instrument(logger_provider=provider)
assert record_feedback(trace_id=sys.argv[1], span_id=sys.argv[2], name="helpful", value=True)
[log] = exporter.get_finished_logs()
assert "dspy" not in sys.modules
print(f"{log.log_record.trace_id:032x} {log.log_record.span_id:016x}")
"""


def test_another_process_needs_no_program_to_say_it() -> None:
    said = subprocess.run(
        [sys.executable, "-c", ELSEWHERE, TRACE, SPAN], env=os.environ, capture_output=True, text=True, check=False
    )
    assert (said.stdout.split(), said.stderr) == ([TRACE, SPAN], "")


def context(prediction: Any) -> SpanContext:
    found = span_context_of(prediction)
    assert found is not None
    return found


def test_an_answer_that_is_not_sampled_has_its_feedback_all_the_same(start_telemetry: StartTelemetry) -> None:
    telemetry = start_telemetry(sampler=ALWAYS_OFF)
    prediction = Desk()(question="Where?")
    assert record_feedback(prediction, "helpful", True)
    assert where(telemetry) == (trace_id_of(prediction), f"{context(prediction).span_id:016x}")


WRONG: dict[str, tuple[Any, type[Exception], str]] = {
    "not a number": (lambda: record_feedback(KNOWN, "helpful", math.nan), ValueError, "finite"),
    "infinite": (lambda: record_feedback(KNOWN, "helpful", -math.inf), ValueError, "finite"),
    "too large": (lambda: record_feedback(KNOWN, "helpful", 10**400), ValueError, "finite"),
    "a word": (lambda: record_feedback(KNOWN, "helpful", "good"), TypeError, "label"),  # type: ignore[call-overload]
    "a decimal": (lambda: record_feedback(KNOWN, "helpful", Decimal(1)), TypeError, "Decimal"),  # type: ignore[call-overload]
    "a prediction": (lambda: record_feedback(KNOWN, "h", dspy.Prediction(score=1)), TypeError, "Prediction"),  # type: ignore[call-overload]
    "nothing": (lambda: record_feedback(KNOWN, "helpful"), ValueError, "value, a label"),
    "an empty label": (lambda: record_feedback(KNOWN, "helpful", label=""), ValueError, "value, a label"),
    "a label of bytes": (lambda: record_feedback(KNOWN, "helpful", 1, label=b"up"), TypeError, "bytes"),  # type: ignore[call-overload]
    "no text": (lambda: record_feedback(KNOWN, "helpful", 1, explanation=3), TypeError, "explanation="),  # type: ignore[call-overload]
    "a blank label": (lambda: record_feedback(KNOWN, "helpful", label=" \n"), ValueError, "value, a label"),
    "a score in a mapping": (lambda: record_feedback(KNOWN, "h", {"score": True}), TypeError, "dict"),  # type: ignore[call-overload]
    "a true prediction": (lambda: record_feedback(KNOWN, "h", dspy.Prediction(score=True)), TypeError, "Prediction"),  # type: ignore[call-overload]
    "a name that is a text": (lambda: record_feedback(KNOWN, "n" * 201, 1), ValueError, "200 characters, not 201"),
    "no name": (lambda: record_feedback(KNOWN), TypeError, "needs a name"),  # type: ignore[call-overload]
    "an empty name": (lambda: record_feedback(KNOWN, " ", 1), ValueError, "name="),
    "a name of bytes": (lambda: record_feedback(KNOWN, b"helpful", 1), TypeError, "name="),  # type: ignore[call-overload]
    "no span": (lambda: record_feedback(name="helpful", value=1), TypeError, "in its place"),  # type: ignore[call-overload]
    "half a span": (lambda: record_feedback(trace_id=TRACE, name="h", value=1), TypeError, "both"),  # type: ignore[call-overload]
    "two spans": (
        lambda: record_feedback(KNOWN, "helpful", 1, trace_id=TRACE, span_id=SPAN),  # type: ignore[call-overload]
        TypeError,
        "not both",
    ),
    "too few digits": (
        lambda: record_feedback(trace_id=SPAN, span_id=SPAN, name="h", value=1),
        ValueError,
        "32 hexadecimal digits",
    ),
    "no digits": (
        lambda: record_feedback(trace_id=TRACE, span_id="g" * 16, name="h", value=1),
        ValueError,
        "16 hexadecimal digits",
    ),
    "zeros": (
        lambda: record_feedback(trace_id="0" * 32, span_id=SPAN, name="h", value=1),
        ValueError,
        "above zero",
    ),
    "too large an id": (
        lambda: record_feedback(trace_id=TRACE, span_id=2**64, name="h", value=1),
        ValueError,
        "above zero",
    ),
    "true for an id": (
        lambda: record_feedback(trace_id=TRACE, span_id=True, name="h", value=1),
        TypeError,
        "not bool",
    ),
    "a text": (lambda: record_feedback("Berlin", "helpful", 1), ValueError, "traceparent"),
    "capitals": (lambda: record_feedback(TRACEPARENT.upper(), "helpful", 1), ValueError, "traceparent"),
    "more": (lambda: record_feedback(f"{TRACEPARENT}-00", "helpful", 1), ValueError, "traceparent"),
    "version ff": (lambda: record_feedback(f"ff{TRACEPARENT[2:]}", "helpful", 1), ValueError, "traceparent"),
    "no trace": (lambda: record_feedback(f"00-{'0' * 32}-{SPAN}-01", "helpful", 1), ValueError, "all zeros"),
    "no valid context": (lambda: record_feedback(INVALID_SPAN_CONTEXT, "helpful", 1), ValueError, "no span"),
}


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("instrumented", [True, False], ids=["on", "off"])
def test_wrong_arguments_are_told_at_once(start_telemetry: StartTelemetry, wrong: str, instrumented: bool) -> None:
    telemetry = start_telemetry() if instrumented else None
    say, kind, why = WRONG[wrong]
    with pytest.raises(kind, match=why):
        say()
    assert telemetry is None or events(telemetry) == []


def hostile(kind: type[Any], *methods: str, **contents: Any) -> type[Any]:
    """A class whose objects raise what nobody expects when they are asked for something."""

    def refuse(*_: Any, **__: Any) -> Any:
        raise ZeroDivisionError

    return type("Hostile", (kind,), {**contents, **dict.fromkeys(methods, refuse)})


class Gone:
    """What a dead proxy stood for."""


DEAD: Any = weakref.proxy(Gone())
HostileText = hostile(
    str, "__getitem__", "__str__", "__repr__", "__len__", "__bool__", "__eq__", "strip", "encode", __hash__=None
)
HostileNumber = hostile(float, "__float__", "__repr__", "__bool__")
HostileCount = hostile(int, "__float__", "__repr__", "__bool__", "__eq__", "__lt__", "__gt__", __hash__=None)
HostileBoolean = hostile(object, "__bool__", "__float__", __module__="numpy")
HostileBoolean.__name__ = "bool"
HostileObject = hostile(object, "__getattribute__", "__repr__", "__bool__", "__float__", "__class__")
HostileContext = hostile(SpanContext, is_valid=property(lambda self: 1 / 0))

HOSTILE: dict[str, tuple[Any, type[Exception]]] = {
    "a dead value": (lambda: record_feedback(KNOWN, "h", DEAD), TypeError),
    "a dead label": (lambda: record_feedback(KNOWN, "h", label=DEAD), TypeError),
    "a dead name": (lambda: record_feedback(KNOWN, DEAD, 1), TypeError),
    "a dead explanation": (lambda: record_feedback(KNOWN, "h", 1, explanation=DEAD), TypeError),
    "a dead trace": (lambda: record_feedback(trace_id=DEAD, span_id=SPAN, name="h", value=1), TypeError),
    "a dead span": (lambda: record_feedback(trace_id=TRACE, span_id=DEAD, name="h", value=1), TypeError),
    "a number": (lambda: record_feedback(KNOWN, "h", HostileNumber(1)), ValueError),
    "a count": (lambda: record_feedback(KNOWN, "h", HostileCount(1)), ValueError),
    "a boolean": (lambda: record_feedback(KNOWN, "h", HostileBoolean()), ValueError),
    "an object": (lambda: record_feedback(KNOWN, "h", HostileObject()), TypeError),
    "an infinite one": (lambda: record_feedback(KNOWN, "h", hostile(float, "__repr__")("inf")), ValueError),
    "ten thousand digits": (lambda: record_feedback(KNOWN, "h", 10**10_000), ValueError),
    "an id of ten thousand digits": (
        lambda: record_feedback(trace_id=10**10_000, span_id=SPAN, name="h", value=1),
        ValueError,
    ),
    "an id": (lambda: record_feedback(trace_id=HostileText("x"), span_id=SPAN, name="h", value=1), ValueError),
    "a zero id": (lambda: record_feedback(trace_id=HostileCount(0), span_id=SPAN, name="h", value=1), ValueError),
    "a traceparent": (lambda: record_feedback(HostileText("x"), "h", 1), ValueError),
    "a context": (lambda: record_feedback(HostileContext(1, 2, is_remote=False), "h", 1), ValueError),
}


@pytest.mark.parametrize("wrong", HOSTILE)
def test_what_raises_when_it_is_looked_at_raises_what_was_promised(telemetry: Recorded, wrong: str) -> None:
    say, kind = HOSTILE[wrong]
    with pytest.raises(kind):
        say()
    assert events(telemetry) == []


def test_texts_and_numbers_of_hostile_classes_are_taken_for_what_they_are(start_telemetry: StartTelemetry) -> None:
    telemetry = start_telemetry(capture="EVENT_ONLY")
    helpful, up, reason = HostileText("helpful"), HostileText("up"), HostileText("so")
    assert record_feedback(HostileText(TRACEPARENT), helpful, 1, label=up, explanation=reason)
    assert event(telemetry) == {
        "gen_ai.evaluation.name": "helpful",
        "gen_ai.evaluation.score.value": 1.0,
        "gen_ai.evaluation.score.label": "up",
        "gen_ai.evaluation.explanation": "so",
    }
    assert where(telemetry) == (TRACE, SPAN)
    trace_id, span_id = HostileText(TRACE), HostileCount(int(SPAN, 16))
    assert record_feedback(trace_id=trace_id, span_id=span_id, name="helpful", value=hostile(float, "__repr__")(0.5))
    assert [f"{record.span_id:016x}" for record in events(telemetry)] == [SPAN, SPAN]


@pytest.mark.complaints
def test_nothing_is_known_of_a_prediction_that_is_gone(telemetry: Recorded) -> None:
    assert [record_feedback(gone, "helpful", True) for gone in (DEAD, HostileObject())] == [False, False]
    assert (span_context_of(DEAD), trace_id_of(DEAD)) == (None, None)


@pytest.mark.complaints
def test_a_prediction_that_nothing_is_known_of_is_told_once(
    telemetry: Recorded, caplog: pytest.LogCaptureFixture
) -> None:
    made_up = dspy.Prediction(answer="here")
    for unknown in (made_up, None, {"answer": "here"}, pickle.loads(pickle.dumps(Looking()(question="Where?")))):
        assert record_feedback(unknown, "helpful", True) is False
    assert trace_id_of(made_up) is None
    assert events(telemetry) == []
    [warning] = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert warning.getMessage().startswith(UNKNOWN)


@pytest.mark.complaints
def test_an_answer_that_was_given_without_telemetry_has_no_ids_and_its_feedback_is_dropped(
    telemetry: Recorded, caplog: pytest.LogCaptureFixture
) -> None:
    with suppress_instrumentation():
        answer = Desk()(question="Where?")
    assert span_context_of(answer) is None
    assert record_feedback(trace_id=trace_id_of(answer), span_id=None, name="helpful", value=True) is False
    with pytest.raises(TypeError, match="both"):
        record_feedback(trace_id=TRACE, span_id=None, name="helpful", value=True)
    assert events(telemetry) == []
    [warning] = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert warning.getMessage().startswith(UNKNOWN)
    DSPyInstrumentor().uninstrument()
    assert record_feedback(trace_id=None, span_id=None, name="helpful", value=True) is False


def test_nothing_happens_where_dspy_is_not_instrumented(start_telemetry: StartTelemetry) -> None:
    assert record_feedback(KNOWN, "helpful", True) is False
    assert record_feedback(dspy.Prediction(answer="here"), "helpful", True) is False
    telemetry = start_telemetry()
    prediction = Desk()(question="Where?")
    DSPyInstrumentor().uninstrument()
    assert record_feedback(prediction, "helpful", True) is False
    assert events(telemetry) == []
    telemetry = start_telemetry()
    assert record_feedback(prediction, "helpful", True) is True
    with suppress_instrumentation():
        assert record_feedback(prediction, "helpful", True) is False
    assert len(events(telemetry)) == 1


@pytest.mark.complaints
def test_a_logger_that_raises_is_not_the_applications_concern(
    start_telemetry: StartTelemetry, caplog: pytest.LogCaptureFixture
) -> None:
    secret = " ".join(["a", "secret", "answer"])

    class Logger:
        def emit(self, *_: Any, **__: Any) -> None:
            raise ZeroDivisionError(secret)

    class Provider:
        def get_logger(self, *_: Any, **__: Any) -> Any:
            return Logger()

    DSPyInstrumentor().instrument(logger_provider=Provider())
    try:
        assert [record_feedback(KNOWN, "helpful", True) for _ in range(2)] == [False, False]
    finally:
        DSPyInstrumentor().uninstrument()
    [warning] = [record for record in caplog.records if record.name.endswith("dspy.feedback")]
    assert warning.getMessage().startswith("Feedback could not be recorded")
    assert secret not in caplog.text
