"""Searches: ``dspy.Retrieve`` and its subclasses, and DSPy's retrievers that are classes of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry.context import set_value
from opentelemetry.util.genai.invocation import CLIENT_RETRIEVAL_CONTEXT_KEY

from .. import semconv
from ..content.documents import RetrievalCall, documents_of, recorded_documents
from ..context import current_call, with_call
from ..openings import carry_on
from ..retrieving.retrievals import configured_retriever, describe_retriever, hands_on, query_of, top_k_of
from ..spans import OpenInvocation, open_invocation

if TYPE_CHECKING:
    from opentelemetry.util.genai.invocation import RetrievalInvocation

    from ..calls import Call
    from ..content import Content
    from ..context import ActiveCall
    from ..telemetry import Telemetry

__all__ = ["RetrievalRecorder"]


class RetrievalRecorder:
    """Makes one span of each search, which ``dspy.Retrieve`` and the retriever that it asks have in common."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry

    def begin(self, call: Call) -> RetrievalRecording | SharedRetrievalRecording | None:
        """Start the span of a search and make it the current one."""
        parent = current_call()
        if parent.retrieval is not None:
            is_wanted = self._telemetry.content.of_span().captured
            return SharedRetrievalRecording(parent.retrieval) if is_wanted else None
        active = parent.inside(call)
        active.asks_server = True
        shared = hands_on(call.instance)
        if shared:
            active.retrieval = RetrievalCall()
        retriever = describe_retriever(configured_retriever() if shared else call.instance)
        invocation = self._telemetry.handler.retrieval(
            data_source_id=retriever.data_source,
            provider=retriever.provider,
            server_address=retriever.server.host if retriever.server else None,
            server_port=retriever.server.port if retriever.server else None,
            context=with_call(active),
        )
        content = self._telemetry.content.of_span()
        recording = RetrievalRecording(content, _open(invocation, shared=shared), active)
        if invocation.span.is_recording():
            carry_on(recording.describe, call)
        return recording


def _open(invocation: RetrievalInvocation, *, shared: bool) -> OpenInvocation[RetrievalInvocation]:
    """Take over an invocation.

    A retriever of the application may ask several others. Those are searches in their own right, not the same one
    that util-genai would keep from a span of its own.
    """
    context = invocation.context
    return open_invocation(invocation, context if shared else set_value(CLIENT_RETRIEVAL_CONTEXT_KEY, None, context))


class RetrievalRecording:
    """One search under way."""

    __slots__ = ("_active", "_content", "_opened")

    def __init__(self, content: Content, opened: OpenInvocation[RetrievalInvocation], active: ActiveCall) -> None:
        self._content = content
        self._opened = opened
        self._active = active

    def describe(self, call: Call) -> None:
        """Take note of what is known of the search before it runs."""
        invocation = self._opened.invocation
        invocation.top_k = top_k_of(call)
        if self._content.captured:
            invocation.query_text = _query_text(self._content, query_of(call))

    def finish(self, result: Any) -> None:
        """End the span of a search that returned."""
        self._active.remember(result)
        try:
            if self._opened.is_recording:
                self._record(result)
        finally:
            self._opened.end(None)

    def fail(self, error: BaseException) -> None:
        """End the span of a search that an exception ended."""
        self._active.remember()
        self._opened.end(error)

    def _record(self, result: Any) -> None:
        documents = documents_of(result)
        if documents is None:
            return
        self._opened.attributes[semconv.DSPY_DOCUMENTS_COUNT] = len(documents)
        if self._content.captured:
            shared = self._active.retrieval
            if shared is not None:
                documents = [shared.completed(document) for document in documents]
            self._opened.invocation.documents = recorded_documents(self._content.make_room_for_answer(), documents)


class SharedRetrievalRecording:
    """One search under way for ``dspy.Retrieve``, whose span it has in common."""

    __slots__ = ("_retrieval",)

    def __init__(self, retrieval: RetrievalCall) -> None:
        self._retrieval = retrieval

    def finish(self, result: Any) -> None:
        """Hand on what was found: ``dspy.Retrieve`` keeps the texts alone."""
        self._retrieval.found.extend(documents_of(result) or ())

    def fail(self, error: BaseException) -> None:
        """The exception ends the search of ``dspy.Retrieve`` too, which records it."""


def _query_text(content: Content, query: Any) -> str | None:
    """Return the text of a query; several are given as a list, and a vector is not a text."""
    if isinstance(query, str):
        return content.text(query, "input")
    if isinstance(query, (list, tuple)) and query and all(isinstance(item, str) for item in query):
        return content.json(query, "input")
    return None
