"""Which requests carry the trace, seen in what real servers received: of each client of DSPy, in each way to ask."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import socket
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import dspy
import pytest
from loopback import ADDRESS, LoopbackServer
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from provider_server import ProviderServer, reply_body

from opentelemetry import baggage, context, trace
from opentelemetry.instrumentation.dspy import DSPyInstrumentor

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from conftest import StartTelemetry
    from model_server import ModelServer
    from opentelemetry.sdk.trace import ReadableSpan

TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")
ENGINES = ["lm15", "litellm"]


def language_model(server: Any, model: str = "openai/gpt-4o-mini", **options: Any) -> dspy.LM:
    return dspy.LM(model, **{"api_base": getattr(server, "url", ""), "api_key": "test-key", "cache": False, **options})


async def ask(lm: dspy.LM, how: str) -> Any:
    """Ask once, by a call, an awaited call, or with somebody who listens to a stream."""
    program = dspy.Predict("question -> answer")
    with dspy.context(lm=lm):
        if how == "sync":
            return program(question="Where?")
        if how == "async":
            return await program.acall(question="Where?")
        streamed = dspy.streamify(program, is_async_program=how == "async stream")
        return [value async for value in streamed(question="Where?")]


def assert_goes_on(headers: Mapping[str, str], span: ReadableSpan) -> None:
    parts = TRACEPARENT.fullmatch(headers["traceparent"])
    assert parts is not None
    own = span.context
    assert parts.groups() == (f"{own.trace_id:032x}", f"{own.span_id:016x}", f"{own.trace_flags:02x}")
    assert own.trace_flags.sampled


def told(headers: Mapping[str, str]) -> set[str]:
    return {"traceparent", "tracestate", "baggage"} & set(headers)


WAYS = ["sync", "async", "sync stream", "async stream"]


@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize("engine", ENGINES)
async def test_the_request_names_the_chat_span_as_its_parent(
    start_telemetry: StartTelemetry, model_server: ModelServer, engine: str, how: str
) -> None:
    telemetry = start_telemetry(propagate="127.0.0.1")
    token = context.attach(baggage.set_baggage("tenant", "t-1"))
    try:
        await ask(language_model(model_server, engine=engine), how)
    finally:
        context.detach(token)
    [request] = model_server.requests
    assert_goes_on(request.headers, telemetry.span("chat gpt-4o-mini"))
    assert request.headers["baggage"] == "tenant=t-1"
    assert bool(request.body.get("stream")) == ("stream" in how)


@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("options", [{}, {"propagate": "example.com,127.0.0.2,localhost,127.0.0.1:1"}])
async def test_by_default_and_to_other_hosts_no_header_goes_out(
    start_telemetry: StartTelemetry, model_server: ModelServer, engine: str, how: str, options: dict[str, Any]
) -> None:
    start_telemetry(**options)
    await ask(language_model(model_server, engine=engine), how)
    [request] = model_server.requests
    assert told(request.headers) == set()


@pytest.mark.parametrize("how", ["sync", "async"])
@pytest.mark.parametrize("model_type", ["text", "responses"])
async def test_text_completions_and_responses_of_litellm_carry_it(
    start_telemetry: StartTelemetry, model_server: ModelServer, how: str, model_type: str
) -> None:
    telemetry = start_telemetry(propagate=True)
    lm = language_model(model_server, engine="auto" if model_type == "text" else "litellm", model_type=model_type)
    await ask(lm, how)
    [request] = model_server.requests
    [span] = [span for span in telemetry.spans if span.name.endswith("gpt-4o-mini")]
    assert_goes_on(request.headers, span)


@pytest.mark.parametrize("how", ["sync", "async"])
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("model", "body"),
    [
        ("anthropic/claude-sonnet-4-5", "anthropic_messages"),
        ("gemini/gemini-2.5-flash", "gemini_generate_content"),
        ("ollama_chat/llama3.2", "ollama_chat"),
        ("azure/gpt-4o-mini", "azure_chat"),
        ("hosted_vllm/meta-llama/Llama-3.1-8B", "openai_chat"),
        ("litellm_proxy/gpt-4o-mini", "litellm_proxy_chat"),
    ],
)
async def test_each_client_for_another_protocol_carries_it(
    start_telemetry: StartTelemetry, engine: str, model: str, body: str, how: str
) -> None:
    telemetry = start_telemetry(propagate=True)
    with ProviderServer(reply_body(body)) as server:
        options = {"api_version": "2024-10-21"} if model.startswith("azure") else {}
        lm = language_model(server, model, engine="auto" if engine == "lm15" else engine, **options)
        await (lm.acall("Where?") if how == "async" else _in_thread(lm))
    [span] = [span for span in telemetry.spans if span.name.startswith("chat ")]
    assert server.requests
    for request in server.requests:
        assert_goes_on(request.headers, span)


async def _in_thread(lm: dspy.LM) -> None:
    # LiteLLM's synchronous functions are called where no loop runs.
    await asyncio.to_thread(lm, "Where?")


@pytest.mark.parametrize("how", ["sync", "async"])
async def test_embeddings_carry_it_too(start_telemetry: StartTelemetry, model_server: ModelServer, how: str) -> None:
    telemetry = start_telemetry(propagate=True)
    embed = dspy.Embedder("openai/text-embedding-3-small", api_base=model_server.url, api_key="test-key", caching=False)
    await embed.acall(["one"]) if how == "async" else embed(["one"])
    [request] = model_server.requests
    assert_goes_on(request.headers, telemetry.span("embeddings text-embedding-3-small"))


@pytest.mark.parametrize("engine", ENGINES)
async def test_the_host_and_port_of_the_request_decide(
    start_telemetry: StartTelemetry, model_server: ModelServer, engine: str
) -> None:
    start_telemetry(propagate=f"LOCALHOST:{model_server.port}")
    by_name = model_server.url.replace("127.0.0.1", "LocalHost")
    for url in (by_name, model_server.url):
        await ask(language_model(model_server, api_base=url, engine=engine), "sync")
        await ask(language_model(model_server, api_base=url, engine=engine), "async")
    assert [bool(told(request.headers)) for request in model_server.requests] == [True, True, False, False]


class SixServer(ThreadingHTTPServer):
    address_family = socket.AF_INET6


@pytest.mark.parametrize("engine", ENGINES)
async def test_an_ipv6_address_is_one_however_it_is_written(start_telemetry: StartTelemetry, engine: str) -> None:
    start_telemetry(propagate="[0:0::1]")
    received: list[Any] = []
    listener = SixServer(("::1", 0), _handler(received, lambda _: None))
    with LoopbackServer(listener, "ipv6") as server:
        url = f"http://[::1]:{server.port}/v1"
        lm = language_model(server, api_base=url, engine=engine)
        await _in_thread(lm)
        await lm.acall("Where?")
    assert [told(headers) for _, headers in received] == [{"traceparent"}] * 2


def _handler(received: list[Any], redirect: Callable[[str], str | None]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        """Answers as a model does, or leads somewhere else."""

        def log_message(self, format: str, *values: object) -> None:  # noqa: A002 - the name is the base class's
            """Tests read the requests."""

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            received.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
            to = redirect(self.path)
            content = b"" if to else json.dumps(reply_body("openai_chat")).encode()
            self.send_response(307 if to else 200)
            if to:
                self.send_header("Location", to)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    return Handler


class Elsewhere(LoopbackServer):
    """A server that leads each request on, by the given list, before it answers."""

    def __init__(self) -> None:
        self.received: list[tuple[str, dict[str, str]]] = []
        self.leads: list[str] = []
        handler = _handler(self.received, lambda _: self.leads.pop(0) if self.leads else None)
        super().__init__(ThreadingHTTPServer(ADDRESS, handler), "elsewhere")


@pytest.mark.parametrize("how", ["sync", "async"])
@pytest.mark.parametrize("model", ["openai/gpt-4o-mini", "anthropic/claude-sonnet-4-5"])
async def test_a_redirect_to_a_host_that_was_not_named_loses_the_headers_and_gets_them_back(
    start_telemetry: StartTelemetry, model: str, how: str
) -> None:
    telemetry = start_telemetry(propagate="127.0.0.1")
    with Elsewhere() as server:
        named, other = f"http://127.0.0.1:{server.port}", f"http://localhost:{server.port}"
        server.leads = [f"{named}/2", f"{other}/3", f"{other}/4", f"{named}/5"]
        lm = language_model(server, model, api_base=f"{named}/v1", engine="litellm", num_retries=0)
        # The answer is none of the second protocol.
        with contextlib.suppress(Exception):
            await (lm.acall("Where?") if how == "async" else _in_thread(lm))
    paths = [path for path, _ in server.received][1:5]
    assert paths == ["/2", "/3", "/4", "/5"]
    assert [bool(told(headers)) for _, headers in server.received[:5]] == [True, True, False, False, True]
    [span] = [span for span in telemetry.spans if span.name.startswith("chat ")]
    assert_goes_on(server.received[4][1], span)


@pytest.mark.parametrize("how", ["sync", "async"])
async def test_dspys_own_client_follows_no_redirect(start_telemetry: StartTelemetry, how: str) -> None:
    start_telemetry(propagate="127.0.0.1")
    with Elsewhere() as server:
        server.leads = [f"http://localhost:{server.port}/2"]
        lm = language_model(server, api_base=f"http://127.0.0.1:{server.port}/v1", engine="lm15", num_retries=0)
        with pytest.raises(Exception, match="307"):
            await (lm.acall("Where?") if how == "async" else _in_thread(lm))
    assert [bool(told(headers)) for _, headers in server.received] == [True]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("how", ["sync", "async"])
async def test_headers_of_the_program_win(
    start_telemetry: StartTelemetry, model_server: ModelServer, engine: str, how: str
) -> None:
    start_telemetry(propagate=True)
    own = {"TraceParent": f"00-{'1' * 32}-{'2' * 16}-01"}
    # Headers make DSPy choose LiteLLM; its own client has none of the program's.
    lm = language_model(model_server, extra_headers=own, engine="auto")
    await ask(lm, how)
    [request] = model_server.requests
    assert request.headers["traceparent"] == own["TraceParent"]
    assert "baggage" not in request.headers


@pytest.mark.parametrize("engine", ENGINES)
async def test_a_span_that_is_not_sampled_goes_on_as_one_that_is_not(
    start_telemetry: StartTelemetry, model_server: ModelServer, engine: str
) -> None:
    start_telemetry(propagate=True, sampler=ALWAYS_OFF)
    await ask(language_model(model_server, engine=engine), "sync")
    [request] = model_server.requests
    parts = TRACEPARENT.fullmatch(request.headers["traceparent"])
    assert parts is not None
    assert not int(parts[3], 16) & 1


@pytest.mark.parametrize("engine", ENGINES)
async def test_suppressed_instrumentation_sends_nothing(
    start_telemetry: StartTelemetry, model_server: ModelServer, engine: str
) -> None:
    start_telemetry(propagate=True)
    with suppress_instrumentation():
        await ask(language_model(model_server, engine=engine), "sync")
        await ask(language_model(model_server, engine=engine), "async")
    assert [told(request.headers) for request in model_server.requests] == [set(), set()]


@pytest.mark.parametrize("engine", ENGINES)
async def test_after_uninstrumenting_no_client_that_is_still_there_sends_it(
    start_telemetry: StartTelemetry, model_server: ModelServer, engine: str
) -> None:
    start_telemetry(propagate=True)
    lm = language_model(model_server, engine=engine)
    await ask(lm, "sync")
    await ask(lm, "async")
    DSPyInstrumentor().uninstrument()
    with trace.use_span(trace.NonRecordingSpan(trace.SpanContext(1, 1, is_remote=False))):
        await ask(lm, "sync")
        await ask(lm, "async")
    assert [bool(told(request.headers)) for request in model_server.requests] == [True, True, False, False]


async def test_clients_that_litellm_made_before_carry_it_and_are_left_as_they_were(
    start_telemetry: StartTelemetry, model_server: ModelServer
) -> None:
    import litellm

    lm = language_model(model_server, engine="litellm")
    await ask(lm, "sync")
    start_telemetry(propagate=True)
    await ask(lm, "sync")
    # The program's own calls of LiteLLM, with the same client, are none of DSPy's.
    litellm.completion("openai/gpt-4o-mini", [{"role": "user", "content": "?"}], api_base=model_server.url, api_key="k")
    assert [bool(told(request.headers)) for request in model_server.requests] == [False, True, False]


@pytest.mark.parametrize("engine", ENGINES)
async def test_engine_cache_history_and_the_rest_of_the_request_are_what_they_were(
    start_telemetry: StartTelemetry, model_server: ModelServer, engine: str
) -> None:
    seen = []
    for propagate in (False, True):
        start_telemetry(propagate=propagate)
        dspy.cache.reset_memory_cache()
        lm = language_model(model_server, cache=True, engine=engine)
        await ask(lm, "sync")
        keys = [*dspy.cache.memory_cache]
        await ask(lm, "sync")
        assert [*dspy.cache.memory_cache] == keys
        entries = [{**entry, "timestamp": 0, "uuid": 0, "response": 0} for entry in lm.history]
        request = model_server.requests[-1]
        headers = {name: value for name, value in request.headers.items() if name != "traceparent"}
        seen.append((keys, entries, request.body, headers, type(lm).__name__, lm.kwargs))
        assert ("traceparent" in request.headers) is propagate
        DSPyInstrumentor().uninstrument()
    assert len(model_server.requests) == 2
    assert seen[0] == seen[1]


@pytest.mark.parametrize("engine", ENGINES)
async def test_each_of_many_calls_at_once_names_its_own_span(
    start_telemetry: StartTelemetry, model_server: ModelServer, engine: str
) -> None:
    telemetry = start_telemetry(propagate=True)
    lm = language_model(model_server, engine=engine)
    with dspy.context(lm=lm):
        program = dspy.Predict("question -> answer")
        examples = [(program, dspy.Example(question=str(number)).with_inputs("question")) for number in range(12)]
        dspy.Parallel(num_threads=4)(examples)
    spans = {f"{span.context.span_id:016x}" for span in telemetry.named("chat gpt-4o-mini")}
    parents = [request.headers["traceparent"].split("-")[2] for request in model_server.requests]
    assert len(parents) == 12
    assert set(parents) == spans


@pytest.mark.complaints
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("how", ["sync", "async"])
async def test_a_propagator_that_fails_costs_the_header_and_not_the_call(
    start_telemetry: StartTelemetry,
    model_server: ModelServer,
    monkeypatch: pytest.MonkeyPatch,
    engine: str,
    how: str,
) -> None:
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    from opentelemetry import propagate

    class Failing(TraceContextTextMapPropagator):
        def inject(self, *_: Any, **__: Any) -> None:
            raise RuntimeError("no")

    before = propagate.get_global_textmap()
    propagate.set_global_textmap(Failing())
    try:
        start_telemetry(propagate=True)
        assert await ask(language_model(model_server, engine=engine), how)
    finally:
        propagate.set_global_textmap(before)
    [request] = model_server.requests
    assert told(request.headers) == set()


@pytest.mark.parametrize("engine", ENGINES)
def test_what_is_no_header_does_not_fail_the_request(
    start_telemetry: StartTelemetry, model_server: ModelServer, monkeypatch: pytest.MonkeyPatch, engine: str
) -> None:
    from opentelemetry.instrumentation.dspy.propagation import headers

    odd = {
        "x-break": "a\r\nb: c",
        "x y": "1",
        "x-zero": "\0",
        "x-wide": "\u20ac",
        "x-none": None,
        3: "x",
        "x-ok": "a b",
    }
    monkeypatch.setattr(headers, "inject", lambda carrier, context: carrier.update(odd))
    start_telemetry(propagate=True)
    language_model(model_server, engine=engine)("Where?")
    [request] = model_server.requests
    assert {
        name: value for name, value in request.headers.items() if name.startswith(("x-b", "x-n", "x-o", "x-z"))
    } == {"x-ok": "a b"}


def test_the_configured_propagator_writes_the_headers(
    start_telemetry: StartTelemetry, model_server: ModelServer
) -> None:
    from opentelemetry.propagators.textmap import TextMapPropagator

    from opentelemetry import propagate

    class Own(TextMapPropagator):
        fields = {"x-span"}  # noqa: RUF012 - as the base class has it

        def extract(self, carrier: Any, context: Any = None, getter: Any = None) -> Any:
            raise NotImplementedError

        def inject(self, carrier: Any, context: Any = None, setter: Any = None) -> None:
            carrier["X-Span"] = f"{trace.get_current_span(context).get_span_context().span_id:x}"

    before = propagate.get_global_textmap()
    propagate.set_global_textmap(Own())
    try:
        telemetry = start_telemetry(propagate=True)
        for engine in ENGINES:
            language_model(model_server, engine=engine)("Where?")
    finally:
        propagate.set_global_textmap(before)
    spans = [f"{span.context.span_id:x}" for span in telemetry.named("chat gpt-4o-mini")]
    assert [request.headers["x-span"] for request in model_server.requests] == spans
