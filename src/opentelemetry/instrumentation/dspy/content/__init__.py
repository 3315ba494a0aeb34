"""Texts and values that may be recorded: media by its hash, redacted by the user's function, bounded in size."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from opentelemetry.util.genai.types import ContentCapturingMode

from ..encodable import encodable
from ..redaction import REDACTION_FAILED, Redaction
from ..secrets import without_secrets
from .content_values import PlainValues
from .media import without_media

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..config import Options

__all__ = ["REDACTION_FAILED", "Content", "ContentKind"]

ContentKind: TypeAlias = Literal["input", "output", "system", "tool", "error"]
"""What a text is: passed to the redaction function as its second argument."""

MARGIN = 256
"""Characters beyond the maximum length that are looked at for secrets, so that none is cut in two."""


class Content:
    """Turns the application's values into what may stand in telemetry; no value of any kind makes it fail."""

    def __init__(
        self,
        options: Options,
        *,
        captured: bool,
        mode: ContentCapturingMode = ContentCapturingMode.SPAN_AND_EVENT,
        redaction: Redaction | None = None,
    ) -> None:
        self._captured = captured
        self._on_spans = mode in (ContentCapturingMode.SPAN_ONLY, ContentCapturingMode.SPAN_AND_EVENT)
        self._on_events = mode in (ContentCapturingMode.EVENT_ONLY, ContentCapturingMode.SPAN_AND_EVENT)
        self._redaction = Redaction(options.redact, options.redact_name) if redaction is None else redaction
        self._max_length = options.content_max_length

    @property
    def captured(self) -> bool:
        """Whether content is recorded at all; nothing here need be called where it is not."""
        return self._captured and self._redaction.is_ready

    @property
    def on_spans(self) -> bool:
        """Whether it may stand on the spans that are not util-genai's, which sees to its own."""
        return self._on_spans and self.captured

    @property
    def on_events(self) -> bool:
        """Whether it may stand on the log events that are not util-genai's."""
        return self._on_events and self.captured

    def text(self, value: str, kind: ContentKind) -> str:
        """Return a text as it may be recorded: media by hash, redacted, without keys, cut to the maximum length."""
        value = self._redaction.text(without_media(value), kind)
        length = len(value)
        value = without_secrets(value[: self._max_length + MARGIN])
        if length > self._max_length:
            value = f"{value[: self._max_length]}… [{length - self._max_length} more characters]"
        return encodable(value)

    def word(self, value: str, kind: ContentKind) -> str:
        """Return a word that is recorded whether or not content is: a redaction sees it all the same."""
        return encodable(self._redaction.text(value, kind))

    def json(self, value: Any, kind: ContentKind) -> str:
        """Return any value as JSON text, all of its texts treated as ``text`` does."""
        return _dumped(self.value(value, kind))

    def named_json(self, values: Mapping[str, Any], kind: ContentKind) -> str:
        """Return the values of fields or arguments as JSON text; their names are the program's own."""
        return _dumped(self.named_values(values, kind))

    def value(self, value: Any, kind: ContentKind) -> Any:
        """Return any value as one that JSON and OTLP can hold, all of its texts treated as ``text`` does."""
        return PlainValues(lambda text: self.text(text, kind)).of(value)

    def named_values(self, values: Mapping[str, Any], kind: ContentKind) -> dict[str, Any]:
        """Return the values of fields or arguments, whose names are the program's own."""
        return PlainValues(lambda text: self.text(text, kind)).of_names(values)


def _dumped(value: Any) -> str:
    return encodable(json.dumps(value, ensure_ascii=False, separators=(",", ":")))
