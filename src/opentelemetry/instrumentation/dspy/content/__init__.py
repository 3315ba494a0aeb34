"""Texts and values that may be recorded: media by its hash, redacted by the user's function, bounded in size."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from opentelemetry.util.genai.types import ContentCapturingMode

from .content_values import PlainValues
from .media import without_media

if TYPE_CHECKING:
    from ..config import Options

__all__ = ["Content", "ContentKind"]

_logger = logging.getLogger(__name__)

ContentKind: TypeAlias = Literal["input", "output", "system", "tool"]
"""What a text is: passed to the redaction function as its second argument."""

REDACTION_FAILED = "[content dropped: the redaction function failed]"


class Content:
    """Turns the application's values into what may stand in telemetry; no value of any kind makes it fail."""

    def __init__(
        self,
        options: Options,
        *,
        captured: bool,
        mode: ContentCapturingMode = ContentCapturingMode.SPAN_AND_EVENT,
    ) -> None:
        self.captured = captured
        """Whether content is recorded at all; nothing here need be called where it is not."""
        self.on_spans = captured and mode in (ContentCapturingMode.SPAN_ONLY, ContentCapturingMode.SPAN_AND_EVENT)
        """Whether it may stand on the spans that are not util-genai's, which sees to its own."""
        self.on_events = captured and mode in (ContentCapturingMode.EVENT_ONLY, ContentCapturingMode.SPAN_AND_EVENT)
        """Whether it may stand on the log events that are not util-genai's."""
        self._redact = options.redact
        self._max_length = options.content_max_length
        self._redaction_failed = False

    def text(self, value: str, kind: ContentKind) -> str:
        """Return a text as it may be recorded: media by hash, redacted, then cut to the maximum length."""
        value = without_media(value)
        if self._redact is not None:
            try:
                value = str(self._redact(value, kind))
            except Exception as error:  # noqa: BLE001 - the user's function must not end the user's call
                self._complain(error)
                return REDACTION_FAILED
        if len(value) > self._max_length:
            value = f"{value[: self._max_length]}… [{len(value) - self._max_length} more characters]"
        return _encodable(value)

    def json(self, value: Any, kind: ContentKind) -> str:
        """Return any value as JSON text, all of its texts treated as ``text`` does."""
        return json.dumps(self.value(value, kind), ensure_ascii=False, separators=(",", ":"))

    def value(self, value: Any, kind: ContentKind) -> Any:
        """Return any value as one that JSON and OTLP can hold, all of its texts treated as ``text`` does."""
        return PlainValues(lambda text: self.text(text, kind)).of(value)

    def _complain(self, error: Exception) -> None:
        if self._redaction_failed:
            return
        self._redaction_failed = True
        _logger.warning(
            "The redact function failed; the content that it was given is not recorded. Further failures of it "
            "are not logged.",
            exc_info=error,
        )


def _encodable(value: str) -> str:
    """Return a text that OTLP can carry; one lone surrogate would cost the whole batch of spans."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return value.encode(errors="replace").decode()
    return value
