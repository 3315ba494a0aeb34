"""What a span tells of the exception that ended its call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry.util.genai.types import Error
from opentelemetry.util.genai.utils import fq_exception_type

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["error_of", "message_of"]

MAX_LENGTH = 4_096
"""Characters of a message."""

_REPLY = "LM Response: "
"""After these words DSPy's ``AdapterParseError`` has the whole reply of the model, which is content."""


def error_of(error: BaseException) -> Error:
    """Return an exception as util-genai takes it."""
    return Error(message_of(error), fq_exception_type(error), error)


def message_of(error: BaseException) -> str:
    """Return the message of an exception without the model's reply, bounded, and as a text that OTLP can carry."""
    try:
        message = str(error)
    except KeyboardInterrupt:
        raise
    except BaseException:  # noqa: BLE001 - an application's own exception may do anything when it is looked at
        return type(error).__name__
    for reply in _replies(error):
        message = message.replace(_REPLY + reply, f"{_REPLY}[{len(reply)} characters]")
    if len(message) > MAX_LENGTH:
        message = f"{message[:MAX_LENGTH]}… [{len(message) - MAX_LENGTH} more characters]"
    return message.encode(errors="replace").decode()


def _replies(error: BaseException) -> Iterator[str]:
    """Yield the replies that an exception, and those that led to it, were raised about."""
    cause: BaseException | None = error
    seen: set[int] = set()
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        reply = vars(cause).get("lm_response")
        if isinstance(reply, str) and reply:
            yield reply
        cause = cause.__context__ if cause.__cause__ is None else cause.__cause__
