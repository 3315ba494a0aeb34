"""What a span tells of the exception that ended its call.

One place for all: statuses, events and stacks ask here. While content is not recorded a text says what went wrong and
where, and holds no reply, field value, argument, prompt or query; a credential it never holds.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from .encodable import encodable
from .error_texts.known_values import (
    credentials_in,
    environment_credentials,
    texts_in,
    without_credentials,
)
from .error_texts.literals import without_literals
from .error_texts.quotations import without_values
from .error_texts.rewriting import text_of, without_content
from .error_texts.short_values import ShortValues
from .error_texts.stacks import StackTexts, stack_of
from .known_errors import KnownError
from .reading import read
from .secrets import without_secrets

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from .redaction import Redaction

__all__ = [
    "ErrorTexts",
    "Place",
    "Surroundings",
    "ToldErrors",
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

MAX_TOLD = 8
"""Texts of exceptions that are kept while their outermost call runs."""

MAX_EXCHANGED = 64
"""Calls that no module is around whose values are remembered while an outermost call runs."""

MAX_CREDENTIALS = 256
"""Credentials of failed calls that are kept as long."""


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


class ToldErrors:
    """The texts of the latest exceptions of one outermost call, each of which passes many calls on its way out.

    Calls further out know nothing of the client that failed, and its key must not come up in their texts either.
    """

    __slots__ = ("_credentials", "_exchanged", "_texts")

    def __init__(self) -> None:
        self._texts: deque[_Told] = deque(maxlen=MAX_TOLD)
        self._credentials: dict[str, None] = {}
        self._exchanged: deque[Any] | None = None

    def credentials(self, known: Collection[str]) -> list[str]:
        """Return the credentials that a failed call knows, with those of the calls that failed before it."""
        for credential in known:
            if len(self._credentials) < MAX_CREDENTIALS:
                self._credentials.setdefault(credential)
        return [*self._credentials, *known]

    def remember(self, *values: Any) -> None:
        """Note what a call that no module is around was given and what it answered."""
        if self._exchanged is None:
            self._exchanged = deque(maxlen=MAX_EXCHANGED)
        self._exchanged.append(values)

    @property
    def exchanged(self) -> list[Any]:
        """What such calls were given and answered, the latest first."""
        return [*reversed([*(self._exchanged or ())])]

    def of(self, error: BaseException) -> str | None:
        """Return what was told of an exception, if anything was."""
        known = self._known(error)
        return None if known is None else known.text

    def left_out_of(self, error: BaseException) -> int:
        """Return how many characters of its text were not looked at."""
        known = self._known(error)
        return 0 if known is None else known.left_out

    def add(self, error: BaseException, text: str, left_out: int) -> None:
        """Note what was told of an exception."""
        self._texts.append(_Told(KnownError(error), _mark_of(error), text, left_out))

    def _known(self, error: BaseException) -> _Told | None:
        return next((told for told in [*self._texts] if told.is_of(error)), None)


@dataclass(frozen=True, slots=True)
class _Told:
    """What was told of an exception, which is not kept itself."""

    error: KnownError
    mark: int
    text: str
    left_out: int
    """Characters of its text that were not looked at."""

    def is_of(self, error: BaseException) -> bool:
        # A second failure of the same function may lie where the first one lay, each step of its traceback too.
        return self.error.is_of(error) and (self.error.is_held or self.mark == _mark_of(error))


def _mark_of(error: BaseException) -> int:
    return str.__hash__(text_of(error))


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
            text = self._without_keys(text, around)
            # What stands at the cut may be a part of a key.
            text, more = (text[: -MARGIN // 2], more + MARGIN // 2) if more else (text, 0)
        else:
            text, more = self._without_content(error, around)
        text = self._redacted(text)
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
        text = self._redacted(self._without_keys(stack_of(error, texts, self.max_stack_length), around))
        if len(text) > self.max_stack_length:  # of what the redaction has made longer
            text = text[: self.max_stack_length]
        return encodable(text)

    def _without_keys(self, text: str, around: Surroundings) -> str:
        credentials = [text for settings in around.settings for text in credentials_in(settings)]
        if around.told is not None:
            credentials = around.told.credentials(credentials)
        return without_secrets(without_credentials(text, [*credentials, *environment_credentials()]))

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
        text = self._without_keys(text, around)
        # What stands at the cut may be a part of what would have been left out.
        margin = MARGIN // 2 if more else 0
        text, more = without_values(text, _values(around), around.names, margin=margin), more + margin + before
        if told is not None:
            told.add(error, text, more)
        return text, more


def _cut(text: str) -> tuple[str, int]:
    """Return as much of a text as can be told, with a margin, and how many characters more it has."""
    return text[: MAX_LENGTH + MARGIN], max(0, len(text) - MAX_LENGTH - MARGIN)


def _values(around: Surroundings) -> list[str]:
    return [text for value in around.values for text in texts_in(value) if text not in around.names]


def _message_in_stack(error: BaseException) -> str:
    notes = read(error, "__notes__")
    told = [text_of(error), *(note for note in (notes if isinstance(notes, list) else ()) if isinstance(note, str))]
    return "\n".join(told)[:MAX_LENGTH]


_LINE_END = "\x1e"


def _without_quotations(around: Surroundings, max_length: int, lines: list[str]) -> list[str]:
    """Return source lines without literals that are prose, and without values: a program may have them in its code."""
    values = _values(around)
    # What is a word may be a name in the code as well; all else that is in a value was written down there.
    words = {value for value in values if value.isidentifier()}
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
