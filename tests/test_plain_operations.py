"""Operations without content have the same telemetry whether util-genai makes it or the plain spans of this library."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dspy
import pytest
from dspy.utils import DummyLM
from model_server import Failure, ModelServer
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.util.genai.handler import TelemetryHandler
from recorded import Recorded

from opentelemetry.instrumentation.dspy import DSPyInstrumentor, telemetry_context
from opentelemetry.instrumentation.dspy.plain_operations import PlainOperations

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

METRICS = (
    "gen_ai.client.operation.duration",
    "gen_ai.client.token.usage",
    "gen_ai.client.operation.cost",
    "gen_ai.invoke_workflow.duration",
    "dspy.module.duration",
    "dspy.cache.requests",
    "dspy.cache.saved_cost",
)


class Desk(dspy.Module):
    def __init__(self) -> None:
        super().__init__()
        self.answer = dspy.ChainOfThought("question -> answer")

    def forward(self, question: str) -> Any:
        return self.answer(question=question)


class Router(dspy.BaseLM):
    """A language model of the application that asks another one."""

    def __init__(self, inner: Any) -> None:
        super().__init__(model="router")
        self.inner = inner

    def __call__(self, prompt: Any = None, messages: Any = None, **options: Any) -> Any:
        return self.inner(prompt, messages=messages, temperature=0.3)


class Published(dspy.BaseLM):
    """A language model whose client another library instruments through util-genai."""

    def __init__(self, handler: TelemetryHandler) -> None:
        super().__init__(model="own")
        self.handler = handler

    def __call__(self, prompt: Any = None, messages: Any = None, **options: Any) -> Any:
        invocation = self.handler.inference("openai", request_model="gpt-4o-mini", server_address="example.org")
        invocation.temperature, invocation.seed = 0.5, 7
        invocation.response_model_name, invocation.response_id = "gpt-4o-mini-2024-07-18", "reply-1"
        invocation.input_tokens, invocation.output_tokens, invocation.thinking_tokens = 12, 3, 2
        invocation.attributes["of.its.own"] = "kept"
        invocation.stop()
        return ['{"reasoning": "none", "answer": "here"}']


def ask(lm: Any, *, adapter: Any = None, conversation: str | None = None) -> None:
    given = telemetry_context(conversation_id=conversation, metric_attributes={"tenant": "north", "trial": True})
    with dspy.context(lm=lm, adapter=adapter), given:
        Desk()(question="Where?")


def ask_with_parameters(server: ModelServer) -> None:
    ask(model(server, temperature=0.2, max_tokens=50, seed=3, top_p=0.9, stop=["END"], n=1), conversation="c-42")


def ask_twice(server: ModelServer) -> None:
    for _ in range(2):
        ask(model(server, cache=True))


def ask_in_vain(server: ModelServer) -> None:
    server.fail_next(Failure(status=400))
    with pytest.raises(Exception):  # noqa: B017, PT011 - whatever DSPy makes of it
        ask(model(server, num_retries=0))


def ask_a_router(server: ModelServer) -> None:
    ask(Router(model(server)))


def ask_through_another_library(_: ModelServer) -> None:
    ask(Published(TelemetryHandler()), adapter=dspy.JSONAdapter())


def ask_a_double(_: ModelServer) -> None:
    ask(DummyLM([{"reasoning": "none", "answer": "here"}]))


def model(server: ModelServer, **options: Any) -> dspy.LM:
    return dspy.LM("openai/gpt-4o-mini", api_base=server.url, api_key="test-key", **{"cache": False, **options})


PROGRAMS = (
    ask_with_parameters,
    ask_twice,
    ask_in_vain,
    ask_a_router,
    ask_through_another_library,
    ask_a_double,
)


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer() as running:
        yield running


def recorded_of(program: Callable[[ModelServer], None], server: ModelServer, recorded: Recorded) -> Recorded:
    DSPyInstrumentor().instrument(**recorded.providers)
    try:
        program(server)
    finally:
        DSPyInstrumentor().uninstrument()
    return recorded


def outline(recorded: Recorded) -> dict[str, Any]:
    """All that is told of a program, but times and ids."""
    return {
        "spans": [
            (
                span.name,
                span.kind,
                span.status.status_code,
                span.status.description,
                {name: value for name, value in (span.attributes or {}).items() if name != "gen_ai.response.id"},
                [(event.name, (event.attributes or {}).get("exception.type")) for event in span.events],
            )
            for span in recorded.spans
        ],
        "points": {
            name: sorted(
                (sorted((point.attributes or {}).items()), getattr(point, "count", 1))
                for point in recorded.metric_points(name)
            )
            for name in METRICS
        },
        "events": [(log.log_record.event_name, log.log_record.severity_number) for log in recorded.logs],
    }


@pytest.mark.parametrize("sampler", [None, ALWAYS_OFF], ids=["sampled", "not-sampled"])
@pytest.mark.parametrize("program", PROGRAMS)
def test_both_ways_tell_the_same(
    program: Callable[[ModelServer], None], sampler: Any, server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    dspy.cache.reset_memory_cache()
    plain = outline(recorded_of(program, server, Recorded(sampler)))
    dspy.cache.reset_memory_cache()
    monkeypatch.setattr(PlainOperations, "of", classmethod(lambda *_: None))
    generic = outline(recorded_of(program, server, Recorded(sampler)))

    assert plain["points"]["gen_ai.client.operation.duration"] != []
    assert plain == generic


def test_plain_spans_are_made_where_there_is_no_content_and_nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    handler, tracer = TelemetryHandler(), Recorded().tracer_provider.get_tracer("test")
    assert PlainOperations.of(tracer, handler) is not None
    monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_EMIT_EVENT", "true")
    assert PlainOperations.of(tracer, handler) is None
    monkeypatch.delenv("OTEL_INSTRUMENTATION_GENAI_EMIT_EVENT")
    monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "SPAN_ONLY")
    assert PlainOperations.of(tracer, TelemetryHandler()) is None


def test_a_program_without_content_needs_no_invocation_of_util_genai(
    server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded = Recorded()
    for name in ("inference", "workflow"):
        monkeypatch.setattr(TelemetryHandler, name, lambda *_, **__: pytest.fail("util-genai made the span"))
    recorded_of(ask_with_parameters, server, recorded)
    assert [span.name for span in recorded.spans if span.kind.name == "CLIENT"] == ["chat gpt-4o-mini"]
    assert "invoke_workflow Desk" in [span.name for span in recorded.spans]
