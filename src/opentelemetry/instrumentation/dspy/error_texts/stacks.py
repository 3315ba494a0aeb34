"""The stack of an exception as Python writes it: chained, with frames and source lines, and bounded.

Frames of this library are left out, so that the stack is the program's own; those of the calls of DSPy that led to the
one which failed are added, since an exception's own frames begin at that one.
"""

from __future__ import annotations

import re
import traceback
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

from opentelemetry.util.genai.utils import fq_exception_type

from ..reading import read
from .source_lines import is_in_text
from .tracebacks import kept_places, line_number_of, own, steps_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import FrameType

    from .tracebacks import Place

__all__ = ["StackTexts", "stack_of"]

_PACKAGE = __name__.rpartition(".error_texts")[0]

MAX_FRAMES = 64
"""Frames of one exception: the outermost quarter and the innermost three quarters."""

MAX_CALLERS = 1_000
"""Frames above the call that failed that are looked at."""

MAX_EXCEPTIONS = 10
"""Exceptions that are told in one stack: those that led to the last one, and those of a group."""

_CAUSE = "\nThe above exception was the direct cause of the following exception:\n\n"
_CONTEXT = "\nDuring handling of the above exception, another exception occurred:\n\n"


_NO_FILE = re.compile(
    r"<(?:string|stdin|console|ipython-input-\d+-[0-9a-f]{12}|"
    r"frozen (?:importlib\._bootstrap(?:_external)?|runpy|zipimport))>"
)
"""What Python and IPython call code that stands in no file of its own."""

_NO_NAME = re.compile(r"<(?:module|lambda|listcomp|setcomp|dictcomp|genexpr)>")


@dataclass(frozen=True, slots=True)
class StackTexts:
    """How the texts in a stack are told."""

    message: Callable[[BaseException], str]
    lines: Callable[[list[str]], list[str]]
    """Takes all source lines and returns what may be told of each."""
    with_content: bool
    """Whether names and source of code that stands in no file are told, which a language model may have written, and
    parts of texts that stand in the code."""


@dataclass(frozen=True, slots=True)
class _Section:
    """One exception of a stack."""

    error: BaseException
    words: str
    """Before it."""
    places: list[Place]
    skipped: int
    """Places in the middle that are not told."""


def stack_of(error: BaseException, texts: StackTexts, max_length: int) -> str:
    """Return the stack of an exception; where it is too long, its innermost and outermost frames."""
    sections = [*_sections(error)]
    summaries = [_summary(section.places) for section in sections]
    lines = iter(texts.lines([_line_of(frame, texts) for summary in summaries for frame in summary]))
    entries: list[str] = []
    for section, summary in zip(sections, summaries, strict=True):
        entries.append(section.words)
        if summary:
            entries.append("Traceback (most recent call last):\n")
        for index, frame in enumerate(summary):
            if section.skipped and index == MAX_FRAMES // 4:
                entries.append(f"  … [{section.skipped} more frames]\n")
            line = next(lines)
            place = _place_of(frame, texts)
            entries.append(f"{place}    {line}\n" if line else place)
        name, message = fq_exception_type(section.error), texts.message(section.error)
        entries.append(f"{name}: {message}\n" if message else f"{name}\n")
    return "".join(_bounded(entries, max_length)).strip("\n")


def _sections(error: BaseException) -> Iterator[_Section]:
    """Yield the exceptions of a stack, the one that is told of last, and those of a group after it."""
    told = [*_chain_of(error)]
    for index, (each, words) in enumerate(reversed(told)):
        yield _section(each, words if index else "", with_callers=each is error)
    inner = read(error, "exceptions")
    members = [each for each in inner if isinstance(each, BaseException)] if isinstance(inner, (list, tuple)) else []
    for number, member in enumerate(members[:MAX_EXCEPTIONS], 1):
        yield _section(member, f"\nException {number} of the {len(members)} in the group:\n\n")


def _section(error: BaseException, words: str, *, with_callers: bool = False) -> _Section:
    callers = _callers(error) if with_callers else []
    places = chain(callers, ((step.tb_frame, step) for step in steps_of(error)))
    outer = MAX_FRAMES // 4
    kept, skipped = kept_places(places, outer, MAX_FRAMES - outer, _is_ours)
    return _Section(error, words, kept, skipped)


def _chain_of(error: BaseException) -> Iterator[tuple[BaseException, str]]:
    """Yield an exception and those that led to it, each with the words that stand before it in a stack."""
    seen: set[int] = set()
    following: BaseException | None = error
    while following is not None and id(following) not in seen and len(seen) < MAX_EXCEPTIONS:
        seen.add(id(following))
        cause = own(following, "__cause__")
        context = None if own(following, "__suppress_context__") else own(following, "__context__")
        yield following, _CONTEXT if cause is None else _CAUSE
        following = context if cause is None else cause


def _callers(error: BaseException) -> list[Place]:
    """Return the frames that led to the first one, as far as calls of DSPy that are recorded are around them."""
    found: list[Place] = []
    inside = 0
    first = next(steps_of(error), None)
    frame = None if first is None else first.tb_frame.f_back
    while frame is not None and len(found) < MAX_CALLERS:
        if _is_ours(frame):
            inside = len(found)
        found.append((frame, None))
        frame = frame.f_back
    return [*reversed(found[:inside])]


def _is_ours(frame: FrameType) -> bool:
    name = frame.f_globals.get("__name__")
    return isinstance(name, str) and (name == _PACKAGE or name.startswith(f"{_PACKAGE}."))


def _summary(places: list[Place]) -> list[traceback.FrameSummary]:
    numbered = ((place[0], line_number_of(place)) for place in places)
    return [*traceback.StackSummary.extract(numbered, lookup_lines=False)]


def _place_of(frame: traceback.FrameSummary, texts: StackTexts) -> str:
    file_name, name = frame.filename, frame.name
    if not texts.with_content:
        if file_name.startswith("<"):
            file_name, name = (file_name if _NO_FILE.fullmatch(file_name) else "<generated>"), ""
        elif not (name.isidentifier() or _NO_NAME.fullmatch(name)):
            name = ""
    return f'  File "{file_name}", line {frame.lineno}{f", in {name}" if name else ""}\n'


def _line_of(frame: traceback.FrameSummary, texts: StackTexts) -> str:
    try:
        line = "" if frame.filename.startswith("<") and not texts.with_content else frame.line or ""
        return line if not line or texts.with_content or not is_in_text(frame.filename, frame.lineno or 0) else ""
    except Exception:  # noqa: BLE001 - a loader of the application's is asked for the source
        return ""


def _bounded(entries: list[str], max_length: int) -> list[str]:
    """Return the entries that fit: two thirds of the length for the last ones, the rest for the first."""
    if sum(map(len, entries)) <= max_length:
        return entries
    last = _fitting(reversed(entries), max_length * 2 // 3)
    first = _fitting(entries[: len(entries) - last], max_length // 3)
    left_out = len(entries) - first - last
    return [*entries[:first], f"  … [{left_out} more lines]\n", *(entries[-last:] if last else ())]


def _fitting(entries: Iterable[str], length: int) -> int:
    count = 0
    for entry in entries:
        length -= len(entry)
        if length < 0:
            break
        count += 1
    return count
