"""What a span tells of the exception that ended its call.

One place for all: statuses, events and stacks ask here. While content is not recorded a text says what went wrong and
where, and holds no reply, field value, argument, prompt or query; a credential it never holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from .encodable import encodable
from .error_texts.held_values import values_held_by
from .error_texts.known_values import credentials_in, environment_credentials, without_credentials
from .error_texts.literals import without_literals
from .error_texts.quotations import LEFT_OUT, without_values
from .error_texts.rewriting import text_of, without_content
from .error_texts.short_values import ShortValues
from .error_texts.stacks import StackTexts, stack_of
from .error_texts.value_texts import texts_in
from .reading import read
from .secrets import without_secrets

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from .redaction import Redaction
    from .told_errors import ToldErrors

__all__ = [
    "ErrorTexts",
    "Place",
    "Surroundings",
    "is_told_alike",
    "message_of",
    "stack_text_of",
    "tell_errors_by",
]

Place: TypeAlias = Literal["span", "chat", "event"]
"""Where a text stands: on a span, on that of a language model call, or on a log event."""

MAX_LENGTH = 4_096
"""Characters of a message."""

MARGIN = 512
"""Characters beyond it that are looked at too, so that no quotation is cut in two; half of them are not told."""

MAX_LINE = 400
"""Characters of a line of source."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is known where an exception ended a call."""

    values: Iterable[Any] = ()
    """What the call, and those around it, were given and answered."""
    settings: Iterable[Any] = ()
    """Settings of clients, whose secrets are cut."""
    names: Collection[str] = ()
    """Names of fields and arguments: they are the program's and may be told."""
    asks_server: bool = False
    """Whether the call asks a server, which says in words of its own what is wrong."""
    told: ToldErrors | None = None
    """What was told of the same exceptions by the calls inside, which knew their own values and credentials."""


@dataclass(frozen=True, slots=True)
class ErrorTexts:
    """What the application decided about texts of errors."""

    are_told: bool = True
    """Whether there are any at all."""
    with_content: Callable[[Place], bool] = lambda _: False
    """Whether they may quote content where they stand."""
    redaction: Redaction | None = None
    """Sees what remains of each text."""
    max_stack_length: int = 16_384
    """Characters of a stack."""

    def of(self, error: BaseException, around: Surroundings, place: Place = "span") -> str:
        """Return the message of an exception, bounded, and as a text that OTLP can carry."""
        if not self.are_told:
            return ""
        if self.with_content(place):
            text, more = _cut(text_of(error))
            text = _without_keys(text, around)
            # What stands at the cut may be a part of a key.
            text, more = (text[: -MARGIN // 2], more + MARGIN // 2) if more else (text, 0)
        else:
            text, more = self._without_content(error, around)
        text = self._redacted(without_secrets(text))
        told = text[:MAX_LENGTH]
        more += len(text) - len(told)
        return encodable(f"{told}… [{more} more characters]" if more else told)

    def stack_of(self, error: BaseException, around: Surroundings, place: Place = "span") -> str:
        """Return the stack of an exception, bounded; while content is off it has frames and no messages."""
        with_content = self.with_content(place)
        texts = StackTexts(
            message=_message_in_stack if with_content and self.are_told else lambda _: "",
            lines=(lambda lines: lines)
            if with_content
            else partial(_without_quotations, around, self.max_stack_length),
            with_content=with_content,
        )
        text = _without_keys(stack_of(error, texts, self.max_stack_length), around)
        text = self._redacted(without_secrets(text))
        if len(text) > self.max_stack_length:  # of what the redaction has made longer
            text = text[: self.max_stack_length]
        return encodable(text)

    def _redacted(self, text: str) -> str:
        return self.redaction.text(text, "error") if self.redaction is not None and text else text

    def _without_content(self, error: BaseException, around: Surroundings) -> tuple[str, int]:
        """Return the text without values, and how many characters more it has, which were not looked at."""
        told = around.told
        text, before = (None, 0) if told is None else (told.of(error), told.left_out_of(error))
        if text is None:
            asked = (lambda _: None) if told is None else told.of
            text = without_content(error, around.names, asked, asks_server=around.asks_server)
        text, more = _cut(text)
        text = _without_keys(text, around)
        # What stands at the cut may be a part of what would have been left out.
        margin = MARGIN // 2 if more else 0
        values = _values(around, values_held_by(error))
        if values is None:
            text, more = LEFT_OUT, 0
        else:
            text, more = without_values(text, values, around.names, margin=margin), more + margin + before
        if told is not None:
            told.add(error, text, more)
        return text, more


def _without_keys(text: str, around: Surroundings) -> str:
    credentials = [text for settings in around.settings for text in credentials_in(settings)]
    if around.told is not None:
        credentials = around.told.credentials(credentials)
    return without_credentials(text, [*credentials, *environment_credentials()])


def _cut(text: str) -> tuple[str, int]:
    """Return as much of a text as can be told, with a margin, and how many characters more it has."""
    return text[: MAX_LENGTH + MARGIN], max(0, len(text) - MAX_LENGTH - MARGIN)


def _values(around: Surroundings, held: Iterable[Any] = ()) -> list[str] | None:
    """Return the texts of the values, ``None`` where they are too many to know them all."""
    texts = texts_in([*around.values, *held])
    return None if texts is None else [text for text in texts if text not in around.names]


def _message_in_stack(error: BaseException) -> str:
    notes = read(error, "__notes__")
    told = [text_of(error), *(note for note in (notes if isinstance(notes, list) else ()) if isinstance(note, str))]
    return "\n".join(told)[:MAX_LENGTH]


_LINE_END = "\x1e"


def _without_quotations(around: Surroundings, max_length: int, lines: list[str]) -> list[str]:
    """Return source lines without literals that are prose, and without values: a program may have them in its code."""
    values = _values(around)
    if values is None:
        return [""] * len(lines)
    # What is a word may be a name in the code as well; all else that is in a value was written down there.
    words = {value for value in values if len(value) <= MAX_LINE and value.isidentifier()}
    short = ShortValues(values, around.names)
    told = {line: without_literals(line[:MAX_LINE], short.are_not_in) for line in dict.fromkeys(lines)}
    text = _LINE_END.join(told.values())
    if len(text) > 2 * max_length:  # more than a stack can hold
        return [""] * len(lines)
    shown = without_values(text, {*values} - words, by_word=False).split(_LINE_END)
    told = dict(zip(told, shown, strict=True)) if len(shown) == len(told) else {}
    return [told.get(line, "") for line in lines]


_NOTHING_KNOWN = Surroundings()
_told_by = [ErrorTexts()]


def tell_errors_by(texts: ErrorTexts) -> None:
    """Set how errors are told from now on; there is one instrumentation in a process."""
    _told_by[0] = texts


def is_told_alike(place: Place, other: Place) -> bool:
    """Return whether both places may hold the same texts."""
    with_content = _told_by[0].with_content
    return with_content(place) == with_content(other)


def message_of(error: BaseException, around: Surroundings = _NOTHING_KNOWN, place: Place = "span") -> str:
    """Return what may be told of an exception, with what is known around it."""
    try:
        return _told_by[0].of(error, around, place)
    except Exception:  # noqa: BLE001 - rather no text than one that was not gone through
        return ""


def stack_text_of(error: BaseException, around: Surroundings = _NOTHING_KNOWN, place: Place = "span") -> str:
    """Return what may be told of the stack of an exception, with what is known around it."""
    try:
        return _told_by[0].stack_of(error, around, place)
    except Exception:  # noqa: BLE001 - as above
        return ""
