"""Calls of ``dspy.Embedder``: one embeddings span for each, however many batches it takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import semconv
from ..context import current_call, with_call
from ..encodable import encodable
from ..language_models.providers import identify, server_of
from ..openings import carry_on
from ..reading import is_kind, read, text_of_name
from ..retrieving.embedding_calls import EmbeddingCall, identify_function
from ..spans import OpenInvocation, open_invocation

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.util.genai.invocation import EmbeddingInvocation

    from ..calls import Call
    from ..content import Content
    from ..telemetry import Telemetry

__all__ = ["EmbeddingBatchRecorder", "EmbeddingRecorder"]


class EmbeddingRecorder:
    """Makes one span of each embedder call."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry

    def begin(self, call: Call) -> EmbeddingRecording:
        """Start the span of a call and make it the current one."""
        embedder = call.instance
        own = read(embedder, "default_kwargs")
        options = {**(own if is_kind(own, dict) else {}), **call.keyword_arguments}
        active = current_call().inside(call)
        active.asks_server = True
        active.embedding = embedding = EmbeddingCall()
        model = read(embedder, "model")
        name = text_of_name(model)
        identity = identify_function(model) if name is None else identify(name, None)
        server = server_of(options.get("api_base"), options.get("base_url"))
        opened = open_invocation(
            self._telemetry.handler.embedding(
                identity.provider,
                request_model=identity.model,
                server_address=server.host if server else None,
                server_port=server.port if server else None,
                context=with_call(active),
            )
        )
        recording = EmbeddingRecording(opened, embedding)
        if opened.is_recording:
            carry_on(recording.describe, options)
            content = self._telemetry.content.of_span()
            if content.on_spans:
                carry_on(recording.record_inputs, call, content)
        return recording


class EmbeddingRecording:
    """One embedder call under way."""

    __slots__ = ("_embedding", "_opened")

    def __init__(self, opened: OpenInvocation[EmbeddingInvocation], embedding: EmbeddingCall) -> None:
        self._opened = opened
        self._embedding = embedding

    def describe(self, options: Mapping[str, Any]) -> None:
        """Take note of what is known of the call before it runs."""
        invocation = self._opened.invocation
        encoding = options.get("encoding_format")
        if isinstance(encoding, str):
            invocation.encoding_formats = [encodable(encoding)]

    def record_inputs(self, call: Call, content: Content) -> None:
        """Take note of what is embedded."""
        inputs = call.arguments[0] if call.arguments else call.keyword_arguments.get("inputs")
        self._opened.attributes[semconv.DSPY_EMBEDDINGS_INPUTS] = content.json(inputs, "input")

    def finish(self, result: Any) -> None:
        """End the span of a call that returned vectors."""
        vectors, dimensions = _shape(result)
        self._opened.invocation.dimension_count = dimensions
        self._end(None, from_cache=vectors > 0 and self._embedding.computed == 0)

    def fail(self, error: BaseException) -> None:
        """End the span of a call that an exception ended."""
        self._end(error, from_cache=False)

    def _end(self, error: BaseException | None, *, from_cache: bool) -> None:
        invocation, embedding = self._opened.invocation, self._embedding
        invocation.input_tokens = embedding.input_tokens
        invocation.response_model_name = embedding.response_model
        invocation.attributes[semconv.DSPY_CACHE_HIT] = from_cache
        if from_cache:
            invocation.metric_attributes[semconv.DSPY_CACHE_HIT] = True
        self._opened.end(error)


class EmbeddingBatchRecorder:
    """Counts the batches that ``dspy.clients.embedding`` computes: the others came from DSPy's cache."""

    def begin(self, call: Call) -> None:
        """Count one."""
        embedding = current_call().embedding
        if embedding is not None:
            embedding.computed += 1


def _shape(result: Any) -> tuple[int, int | None]:
    """Return how many vectors a call returned and of how many dimensions; a single text has one vector."""
    shape = read(result, "shape")
    if not isinstance(shape, tuple) or not shape or 0 in shape:
        return 0, None
    return (1 if len(shape) == 1 else int(shape[0])), int(shape[-1])
