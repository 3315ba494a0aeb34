"""The stack of an exception as Python writes it: chained, with frames and source lines, and bounded.

Frames of this library are left out, so that the stack is the program's own; those of the calls of DSPy that led to the
one which failed are added, since an exception's own frames begin at that one.
"""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from opentelemetry.util.genai.utils import fq_exception_type

from ..reading import read

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from types import FrameType, TracebackType

__all__ = ["StackTexts", "stack_of"]

_Place: TypeAlias = "tuple[FrameType, int]"

_PACKAGE = __name__.rpartition(".error_texts")[0]

MAX_FRAMES = 64
"""Frames of one exception: the outermost quarter and the innermost three quarters."""

MAX_CALLERS = 1_000
"""Frames above the call that failed that are looked at."""

MAX_EXCEPTIONS = 10
"""Exceptions that are told in one stack: those that led to the last one, and those of a group."""

_CAUSE = "\nThe above exception was the direct cause of the following exception:\n\n"
_CONTEXT = "\nDuring handling of the above exception, another exception occurred:\n\n"


@dataclass(frozen=True, slots=True)
class StackTexts:
    """How the texts in a stack are told."""

    message: Callable[[BaseException], str]
    lines: Callable[[list[str]], list[str]]
    """Takes all source lines and returns what may be told of each."""
    reads_generated: bool
    """Whether source lines of code that stands in no file are told: a language model may have written it."""


def stack_of(error: BaseException, texts: StackTexts, max_length: int) -> str:
    """Return the stack of an exception; where it is too long, its innermost and outermost frames."""
    sections = [*_sections(error)]
    summaries = [_summary(places) for _, places, _ in sections]
    lines = iter(texts.lines([_line_of(frame, texts) for summary in summaries for frame in summary]))
    entries: list[str] = []
    for (told, places, before), summary in zip(sections, summaries, strict=True):
        entries.append(before)
        if summary:
            entries.append("Traceback (most recent call last):\n")
        skipped = len(places) - len(summary)
        for index, frame in enumerate(summary):
            if skipped and index == MAX_FRAMES // 4:
                entries.append(f"  … [{skipped} more frames]\n")
            line = next(lines)
            place = f'  File "{frame.filename}", line {frame.lineno}, in {frame.name}\n'
            entries.append(f"{place}    {line}\n" if line else place)
        message = texts.message(told)
        entries.append(f"{fq_exception_type(told)}: {message}\n" if message else f"{fq_exception_type(told)}\n")
    return "".join(_bounded(entries, max_length)).strip("\n")


def _sections(error: BaseException) -> Iterator[tuple[BaseException, list[_Place], str]]:
    """Yield the exceptions of a stack, with their frames and the words before them, the one that is told of last.

    The exceptions of a group follow it.
    """
    told = [*_chain_of(error)]
    for index, (each, words) in enumerate(reversed(told)):
        frames = _frames(each)
        if each is error:
            frames = [*_callers(frames), *frames]
        yield each, [place for place in frames if not _is_ours(place[0])], words if index else ""
    inner = read(error, "exceptions")
    members = [each for each in inner if isinstance(each, BaseException)] if isinstance(inner, (list, tuple)) else []
    for number, member in enumerate(members[:MAX_EXCEPTIONS], 1):
        words = f"\nException {number} of the {len(members)} in the group:\n\n"
        yield member, [place for place in _frames(member) if not _is_ours(place[0])], words


def _chain_of(error: BaseException) -> Iterator[tuple[BaseException, str]]:
    """Yield an exception and those that led to it, each with the words that stand before it in a stack."""
    seen: set[int] = set()
    following: BaseException | None = error
    while following is not None and id(following) not in seen and len(seen) < MAX_EXCEPTIONS:
        seen.add(id(following))
        cause = _own(following, "__cause__")
        context = None if _own(following, "__suppress_context__") else _own(following, "__context__")
        yield following, _CONTEXT if cause is None else _CAUSE
        following = context if cause is None else cause


def _own(error: BaseException, name: str) -> Any:
    """Return what Python keeps of an exception, whatever its class has under the name."""
    return vars(BaseException)[name].__get__(error)


def _frames(error: BaseException) -> list[_Place]:
    found = []
    step: TracebackType | None = _own(error, "__traceback__")
    while step is not None:
        found.append((step.tb_frame, step.tb_lineno))
        step = step.tb_next
    return found


def _callers(frames: Sequence[_Place]) -> list[_Place]:
    """Return the frames that led to the first one, as far as calls of DSPy that are recorded are around them."""
    found: list[_Place] = []
    inside = 0
    frame = frames[0][0].f_back if frames else None
    while frame is not None and len(found) < MAX_CALLERS:
        if _is_ours(frame):
            inside = len(found)
        found.append((frame, frame.f_lineno))
        frame = frame.f_back
    return [*reversed(found[:inside])]


def _is_ours(frame: FrameType) -> bool:
    name = frame.f_globals.get("__name__")
    return isinstance(name, str) and (name == _PACKAGE or name.startswith(f"{_PACKAGE}."))


def _summary(places: list[_Place]) -> list[traceback.FrameSummary]:
    outer = MAX_FRAMES // 4
    kept = places if len(places) <= MAX_FRAMES else [*places[:outer], *places[outer - MAX_FRAMES :]]
    return [*traceback.StackSummary.extract(iter(kept), lookup_lines=False)]


def _line_of(frame: traceback.FrameSummary, texts: StackTexts) -> str:
    if frame.filename.startswith("<") and not texts.reads_generated:
        return ""
    try:
        return frame.line or ""
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
