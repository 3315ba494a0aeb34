"""Texts and values that may be recorded: media by its hash, redacted by the user's function, bounded in size."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from opentelemetry.util.genai.types import ContentCapturingMode

from ..encodable import encodable
from ..redaction import REDACTION_FAILED, Redaction
from ..secrets import without_secrets
from .budgets import Budget
from .content_values import PlainValues
from .media import without_media

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..config import Options
    from ..errors import Place

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
        self._max_length = min(options.content_max_length, options.content_span_max_length)
        self._span_max_length = options.content_span_max_length
        self._on_all_spans = options.content_spans == "all"
        self._budget: Budget | None = None

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

    def stands_in_errors(self, place: Place) -> bool:
        """Return whether texts of errors may hold it: where other content may stand too."""
        if place == "event":
            return self.on_events
        return self.on_spans and (self._on_all_spans or place == "chat")

    def of_language_model_span(self) -> Content:
        """Return the content of the span of one language model call, which has so many characters of its own."""
        return self._of_span(captured=True) if self._captured else self

    def of_span(self) -> Content:
        """Return the content of one other span, if such spans are to have any."""
        return self._of_span(captured=self._on_all_spans) if self._captured else self

    def _of_span(self, *, captured: bool) -> Content:
        content = copy.copy(self)
        content._captured = captured
        content._budget = Budget.of(self._span_max_length)
        return content

    @property
    def budget(self) -> Budget | None:
        """What is left for the span that this is the content of."""
        return self._budget

    def make_room_for_answer(self) -> Content:
        """Let what the call answers have what was kept for it."""
        if self._budget is not None:
            self._budget.make_room_for_answer()
        return self

    def text(self, value: str, kind: ContentKind) -> str:
        """Return a text as it may be recorded: media by hash, redacted, without keys, cut to the maximum length."""
        room, budget = self._max_length, self._budget
        if budget is not None:
            room = min(room, budget.room_for(len(value)))
            if room == 0:
                return f"… [{len(value)} more characters]"
        value = self._redaction.text(without_media(value), kind)
        length = len(value)
        value = without_secrets(value[: room + MARGIN])
        if length > room:
            value = f"{value[:room]}… [{length - room} more characters]"
        if budget is not None:
            budget.spend(len(value))
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
        return PlainValues(lambda text: self.text(text, kind), self._budget).of(value)

    def named_values(self, values: Mapping[str, Any], kind: ContentKind) -> dict[str, Any]:
        """Return the values of fields or arguments, whose names are the program's own."""
        return PlainValues(lambda text: self.text(text, kind), self._budget).of_names(values)


def _dumped(value: Any) -> str:
    return encodable(json.dumps(value, ensure_ascii=False, separators=(",", ":")))
