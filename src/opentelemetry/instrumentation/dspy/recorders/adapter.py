"""Calls of ``dspy.Adapter``: the language model calls inside learn which adapter wrote their prompt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..context import attach, current_call, detach, with_call

if TYPE_CHECKING:
    from contextvars import Token

    from opentelemetry.context import Context

    from ..patching import Call

__all__ = ["AdapterRecorder"]


class AdapterRecorder:
    """Puts the name of the running adapter into the context; an adapter call has no span."""

    def begin(self, call: Call) -> AdapterRecording:
        """Make the adapter the current one."""
        active = current_call().child(call.instance, call.owner, call.attribute)
        active.adapter_name = type(call.instance).__name__
        return AdapterRecording(attach(with_call(active)))


class AdapterRecording:
    """One adapter call under way."""

    __slots__ = ("_token",)

    def __init__(self, token: Token[Context]) -> None:
        self._token = token

    def finish(self, result: Any) -> None:
        """Make the adapter around this one, if any, the current one again."""
        detach(self._token)

    def fail(self, error: BaseException) -> None:
        """Do the same after an exception."""
        detach(self._token)
