"""Chunks of a streamed reply, timed where they pass.

While a language model call streams, each chunk goes through ``dspy.settings.send_stream``, on every DSPy version. For
the duration of the call that stream is replaced by a proxy that takes the time and passes the chunk on.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import wrapt

from .reply_values import items_of, member

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from opentelemetry.util.genai.invocation import InferenceInvocation

    from ..context import Opening

    _ObjectProxy = wrapt.ObjectProxy[Any]
else:
    # wrapt's class takes a parameter in its stub alone.
    _ObjectProxy = wrapt.ObjectProxy

__all__ = ["StreamTiming", "is_listened_to", "time_stream", "usages_told"]


class _TimedStream(_ObjectProxy):
    """A send stream of ``anyio`` that tells an invocation of each chunk."""

    def __init__(self, stream: Any, invocation: InferenceInvocation, not_a_chunk: type) -> None:
        super().__init__(stream)
        self._self_invocation = invocation
        self._self_not_a_chunk = not_a_chunk

    async def send(self, item: Any) -> None:
        """Send a chunk on."""
        if not isinstance(item, self._self_not_a_chunk):
            self._self_invocation.record_stream_chunk()
        await self.__wrapped__.send(item)


class StreamTiming:
    """The replacement of the stream, for as long as one call lasts."""

    __slots__ = ("_ended", "_override", "below")

    def __init__(self, override: AbstractContextManager[Any]) -> None:
        self._override = override
        self._ended = False
        self.below: Opening | None = None
        override.__enter__()

    def end(self, error: BaseException | None = None) -> None:
        """Put the stream back, whatever ended the call.

        Nothing is to be done in a context that is not the one of the beginning, nor a second time.
        """
        if self._ended:
            return
        self._ended = True
        try:
            self._override.__exit__(None, None, None)
        except ValueError:
            return


def is_listened_to() -> bool:
    """Return whether somebody listens to the chunks of the call that begins here."""
    return _settings().send_stream is not None


@functools.cache
def _settings() -> Any:
    from dspy.dsp.utils.settings import settings  # DSPy is loaded by now

    return settings


def time_stream(invocation: InferenceInvocation) -> StreamTiming | None:
    """Time the chunks of the call that begins here, ``None`` where nobody listens to a stream."""
    settings = _settings()
    stream = settings.send_stream
    if stream is None:
        return None
    # DSPy's callbacks send word of the call's begin and end the same way.
    from dspy.streaming.messages import StatusMessage

    return StreamTiming(settings.context(send_stream=_TimedStream(stream, invocation, StatusMessage)))


def usages_told(litellm_stream: Any) -> list[Any]:
    """Return the usages that a provider sent with the chunks of a stream of LiteLLM.

    LiteLLM keeps the chunks as they came; where none of them has a usage it counts words itself, from 1.109 on also for
    those who asked for nothing. What it hands out in the end says nothing of that.
    """
    usages = (member(chunk, "usage") for chunk in items_of(member(litellm_stream, "chunks")))
    return [usage for usage in usages if usage is not None]
