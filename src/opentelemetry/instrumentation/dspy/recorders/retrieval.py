"""Searches: ``dspy.Retrieve`` and its subclasses, and DSPy's retrievers that are classes of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry.context import set_value
from opentelemetry.util.genai.invocation import CLIENT_RETRIEVAL_CONTEXT_KEY

from .. import semconv
from ..content.documents import RETRIEVAL, RetrievalCall, documents_of, recorded_documents
from ..context import with_call
from ..openings import carry_on
from ..programs.running_modules import remember
from ..retrieving.retrievals import configured_retriever, describe_retriever, hands_on, query_of, top_k_of
from ..spans import OpenInvocation, open_invocation
from ..surroundings import ASKS_SERVER
from ..wrapping.calls import Recording

if TYPE_CHECKING:
    from opentelemetry.util.genai.invocation import RetrievalInvocation

    from ..content import Content
    from ..context import Call
    from ..telemetry import Telemetry

__all__ = ["RetrievalRecorder"]


class RetrievalRecorder:
    """Makes one span of each search, which ``dspy.Retrieve`` and the retriever that it asks have in common."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry

    def begin(self, call: Call) -> RetrievalRecording | SharedRetrievalRecording | None:
        """Start the span of a search and make it the current one."""
        shared_with = RETRIEVAL.of(call.caller)
        if shared_with is not None:
            is_wanted = self._telemetry.content.of_span().captured
            return SharedRetrievalRecording(shared_with) if is_wanted else None
        ASKS_SERVER.put(call, True)
        shared = hands_on(call.instance)
        if shared:
            RETRIEVAL.put(call, RetrievalCall())
        retriever = describe_retriever(configured_retriever() if shared else call.instance)
        invocation = self._telemetry.handler.retrieval(
            data_source_id=retriever.data_source,
            provider=retriever.provider,
            server_address=retriever.server.host if retriever.server else None,
            server_port=retriever.server.port if retriever.server else None,
            context=with_call(call),
        )
        content = self._telemetry.content.of_span()
        recording = RetrievalRecording(content, _open(call, invocation, shared=shared), call)
        if invocation.span.is_recording():
            carry_on(call, recording.describe)
        return recording


def _open(call: Call, invocation: RetrievalInvocation, *, shared: bool) -> OpenInvocation[RetrievalInvocation]:
    """Take over an invocation.

    A retriever of the application may ask several others. Those are searches in their own right, not the same one
    that util-genai would keep from a span of its own.
    """
    context = invocation.context
    context = context if shared else set_value(CLIENT_RETRIEVAL_CONTEXT_KEY, None, context)
    return open_invocation(call, invocation, context)


class RetrievalRecording(Recording):
    """One search under way."""

    __slots__ = ("_call", "_content", "_opened")

    def __init__(self, content: Content, opened: OpenInvocation[RetrievalInvocation], call: Call) -> None:
        self._content = content
        self._opened = opened
        self._call = call

    def describe(self) -> None:
        """Take note of what is known of the search before it runs."""
        invocation = self._opened.invocation
        invocation.top_k = top_k_of(self._call)
        if self._content.captured:
            invocation.query_text = _query_text(self._content, query_of(self._call))

    def finish(self, result: Any) -> None:
        """Record a search that returned."""
        remember(self._call, result)
        if self._opened.is_recording:
            self._record(result)

    def fail(self, error: BaseException) -> None:
        """Record a search that an exception ended."""
        remember(self._call)

    def _record(self, result: Any) -> None:
        found = documents_of(result)
        if found is None:
            return
        self._opened.attributes[semconv.DSPY_DOCUMENTS_COUNT] = found.count
        if self._content.captured:
            shared, documents = RETRIEVAL.of(self._call), found.first
            if shared is not None:
                documents = [shared.completed(document) for document in documents]
            self._opened.invocation.documents = recorded_documents(self._content.make_room_for_answer(), documents)


class SharedRetrievalRecording(Recording):
    """One search under way for ``dspy.Retrieve``, whose span it has in common."""

    __slots__ = ("_retrieval",)

    def __init__(self, retrieval: RetrievalCall) -> None:
        self._retrieval = retrieval

    def finish(self, result: Any) -> None:
        """Hand on what was found: ``dspy.Retrieve`` keeps the texts alone."""
        found = documents_of(result)
        if found is not None:
            self._retrieval.found.extend(found.first)


def _query_text(content: Content, query: Any) -> str | None:
    """Return the text of a query; several are given as a list, and a vector is not a text."""
    if isinstance(query, str):
        return content.text(query, "input")
    if isinstance(query, (list, tuple)) and query and all(isinstance(item, str) for item in query):
        return content.json(query, "input")
    return None
