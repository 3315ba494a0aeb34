"""What a server says is wrong is told; what it sends back of a request, or a reply that nobody can read, is not."""

from __future__ import annotations

import contextlib
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import dspy
import pytest
from loopback import ADDRESS, LoopbackServer
from opentelemetry.trace import StatusCode

from opentelemetry.instrumentation.dspy.error_texts.provider_texts import words_of_provider

if TYPE_CHECKING:
    from recorded import Recorded

pytestmark = pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "Error code: 400 - {'error': {'message': \"Use 'auto'.\", 'type': 'invalid', 'param': None, 'code': None}}",
            "Error code: 400 - Use 'auto'. invalid",
        ),
        (
            'AnthropicException - {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}',
            "AnthropicException - Overloaded error overloaded_error",
        ),
        (
            'VertexAI - [{\n"error": {"code": 400, "message": "No valid key.", "status": "INVALID_ARGUMENT"}}] in all',
            "VertexAI - No valid key. 400 INVALID_ARGUMENT in all",
        ),
        ("no: {'error': {'message': 'it isn\\'t there'}}", "no: it isn't there"),
        ('it said {"detail": [{"type": "missing", "input": {"message": "Quillon"}}]}', "it said missing"),
        ("HTTPSConnectionPool(host='a', port=9): Max retries", "HTTPSConnectionPool(host='a', port=9): Max retries"),
        ("use {name} or {", "use  or {"),
    ],
)
def test_an_error_is_told_by_its_message_and_its_codes(text: str, told: str) -> None:
    assert words_of_provider(text) == told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("odd: {'choices': [{'type': 'Quillon', 'message': {'message': 'Quillon'}, 'code': 'Quillon'}]}", "odd: "),
        ("odd: {'content': '{\"message\": \"Quillon\"}'}", "odd: "),
        ("odd: {'usage': Usage(more={'message': 'Quillon'})}", "odd: "),
        ("in choice[\"message\"]\n args={'choices': ['Quillon'], 'usage': 5, 'stream': 'Quillon'}", "in choice"),
        ('chunk: data: {"choices":[{"delta":{"content":"Quillon', "chunk: data: "),
        ("chunk: ['Quillon', 'is", "chunk: "),
    ],
)
def test_a_reply_is_not_told(text: str, told: str) -> None:
    assert words_of_provider(text) == told


class BodyServer(LoopbackServer):
    """Answers every request with the same bytes."""

    def __init__(self, body: str, media_type: str = "application/json") -> None:
        class Handler(BaseHTTPRequestHandler):
            def log_message(self, format: str, *values: object) -> None:  # noqa: A002 - the base class's name
                """Nobody reads a log."""

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                self.send_response(200)
                self.send_header("Content-Type", media_type)
                self.send_header("Content-Length", str(len(body.encode())))
                self.end_headers()
                self.wfile.write(body.encode())

        super().__init__(ThreadingHTTPServer(ADDRESS, Handler), "body-server")

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}/v1"


USAGE = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}

BODIES = {
    "a text": "Quillon",
    "a page": "<html>Quillon</html>",
    "a broken structure": '{"choices":[{"message":{"content":"Quillon',
    "a choice that is a text": json.dumps({"id": "r", "choices": ["Theodora Quillon, at 12 Quarry Lane"]}),
    "a count that is a text": json.dumps({"choices": [], "usage": {**USAGE, "completion_tokens": "Quillon"}}),
}


@pytest.mark.parametrize("engine", ["lm15", "litellm"])
@pytest.mark.parametrize("model_type", ["chat", "responses"])
@pytest.mark.parametrize("body", BODIES)
def test_a_reply_that_nobody_can_read_is_in_no_text(
    telemetry: Recorded, body: str, model_type: str, engine: str
) -> None:
    with BodyServer(BODIES[body]) as server:
        settings = {"api_base": server.url, "api_key": "test-key", "cache": False, "num_retries": 0}
        language_model = dspy.LM("openai/gpt-4o-mini", model_type=model_type, engine=engine, **settings)
        # Whatever the engine makes of such a reply.
        with contextlib.suppress(Exception):
            language_model("Where?")
    [span] = telemetry.spans
    assert span.status.description or span.status.status_code is StatusCode.UNSET
    assert [word for word in ("Quillon", "Theodora", "Quarry") if word in telemetry.everything()] == []


@pytest.mark.parametrize("vector", ["Quillon", ["Quillon"], ["12", "Quillon"]])
def test_a_vector_that_holds_texts_is_in_no_text(telemetry: Recorded, vector: Any) -> None:
    with BodyServer(json.dumps({"data": [{"embedding": vector, "index": 0}], "model": "m"})) as server:
        settings = {"api_base": server.url, "api_key": "test-key", "caching": False}
        embedder = dspy.Embedder("openai/text-embedding-3-small", **settings)
        with pytest.raises(ValueError, match="could not convert"):
            embedder(["Where?"])
    told = telemetry.span("embeddings text-embedding-3-small").status.description
    assert told == "could not convert string to float: …"
    assert "Quillon" not in telemetry.everything()


def chunk(content: str, **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": {"role": "assistant", "content": content}, "finish_reason": None}
    return {"id": "r", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice], **more}


ODD_CHUNKS = {
    "a count that is a text": chunk("", usage={**USAGE, "completion_tokens": "Quillon"}),
    "a time that is a text": {**chunk(""), "created": "Quillon"},
    "a choice of another shape": {**chunk(""), "choices": [{"type": "Quillon", "function": {"name": "Quillon"}}]},
    "choices of another shape": {**chunk(""), "choices": [[{"function": {"name": "Quillon"}, "type": "Quillon"}]]},
}


@pytest.mark.parametrize("model", ["openai/gpt-4o-mini", "openrouter/a/b", "mistral/small"])
@pytest.mark.parametrize("odd", ODD_CHUNKS)
async def test_a_chunk_that_nobody_can_read_is_in_no_text(telemetry: Recorded, odd: str, model: str) -> None:
    events: list[Any] = [chunk("[[ ## answer ## ]]\n"), ODD_CHUNKS[odd], chunk("so"), chunk("[[ ## completed ## ]]")]
    body = "".join(f"data: {json.dumps(event)}\n\n" for event in events) + "data: [DONE]\n\n"
    with BodyServer(body, "text/event-stream") as server:
        settings = {"api_base": server.url, "api_key": "test-key", "cache": False, "num_retries": 0}
        dspy.configure(lm=dspy.LM(model, engine="litellm", **settings), adapter=dspy.ChatAdapter())
        listener = dspy.streaming.StreamListener("answer")
        program = dspy.streamify(dspy.Predict("question -> answer"), stream_listeners=[listener])
        with contextlib.suppress(Exception):
            async for _ in program(question="Where?"):
                pass
    failed = [span.status.description for span in telemetry.spans if span.status.status_code is StatusCode.ERROR]
    assert all(failed)
    assert "Quillon" not in telemetry.everything()
