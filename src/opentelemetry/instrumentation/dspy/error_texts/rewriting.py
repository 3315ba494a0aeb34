"""Texts of exceptions that quote what they are about, written anew without it."""

from __future__ import annotations

import re
from itertools import groupby
from typing import TYPE_CHECKING, Any

from ..written_values import is_soon_written
from .origins import chain_of, is_from_library, is_from_provider, library_frames, literals_of
from .provider_texts import MAX_CHARACTERS, words_of_provider

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    Told = Callable[[BaseException], str | None]

__all__ = ["text_of", "without_content"]

_BUILTIN_VALUE = re.compile(
    r"(invalid literal for int\(\) with base \d+: |could not convert string to \w+: |Invalid isoformat string: |"
    r"time data |malformed node or string[^:]*: |badly formed [^:]*: |unknown locale: |unconverted data remains: )(.*)",
    re.DOTALL,
)
_NOT_OF_ENUM = re.compile(r"^.* is not a valid (\w+)$", re.DOTALL)

_EXCEPTION_NAME = re.compile(r"^[A-Z]\w*(?:Error|Exception|Warning|Interrupt)(?::\s)?", re.MULTILINE)

_OWN_WORDS_OF_PYTHON = frozenset(
    {
        "division by zero",
        "float division by zero",
        "integer division or modulo by zero",
        "list index out of range",
        "maximum recursion depth exceeded",
        "string index out of range",
        "tuple index out of range",
    }
)
"""Messages without values, which an interpreter of the model's code reports in a text of its own."""


def text_of(error: BaseException) -> str:
    """Return an exception's own text; one that cannot be read, or is not written soon, is told by its type."""
    try:
        return str(error) if is_soon_written(error) else type(error).__name__
    except KeyboardInterrupt:
        raise
    except BaseException:  # noqa: BLE001 - an application's own exception may do anything when it is looked at
        return type(error).__name__


def without_content(error: BaseException, names: Iterable[str], told: Told, *, asks_server: bool = False) -> str:
    """Return an exception's text without values.

    ``names`` of fields and arguments are no values and may stay; ``told`` returns what was told before of an exception
    that this one quotes. What a call that ``asks_server`` fails with are the server's words.
    """
    inner: list[tuple[str, str]] = []
    text = ""
    for cause in reversed([*chain_of(error)]):
        before = told(cause)
        text = _rewritten(cause, names, inner, asks_server) if before is None else before
        inner.append((text_of(cause), text))
    return text


def _rewritten(error: BaseException, names: Iterable[str], inner: Sequence[tuple[str, str]], asks_server: bool) -> str:
    """Return the text of one exception; ``inner`` are those that led to it, as they read and as they are told.

    The application's own words stay, with those of Python and of libraries that it quotes as they are told.
    """
    for known, rewrite in _KNOWN.items():
        if any(ancestor.__name__ == known for ancestor in type(error).__mro__):
            try:
                return rewrite(error)
            except Exception:  # noqa: BLE001 - another version of the library may have its parts elsewhere
                return ""
    text = text_of(error)
    for quoted, told in reversed(inner):
        if quoted:
            text = text.replace(quoted, told)
    if type(error).__module__ == "builtins":
        text = _NOT_OF_ENUM.sub(r"… is not a valid \1", _BUILTIN_VALUE.sub(r"\1…", text))
    if asks_server or is_from_provider(error):
        return words_of_provider(text)
    if is_from_library(error):
        return _literal_parts(error, text, names, [told for _, told in inner if told])
    return text


def _parse_error(error: Any) -> str:
    """DSPy's own layout, with the length of the reply in the place of the reply, and the fields that it found."""
    fields, reply, message = [*error.signature.output_fields], error.lm_response, text_of(error)
    failed = next((name for name in fields if message.startswith(f"Failed to parse field {name} ")), None)
    told = [
        *([f"Failed to parse field {failed}."] if failed is not None else []),
        f"Adapter {error.adapter_name} failed to parse the LM response. ",
        f"LM Response: {_length_of(reply)} ",
        f"Expected to find output fields in the LM response: [{', '.join(fields)}] ",
    ]
    if isinstance(error.parsed_result, dict):
        found = ", ".join(name for name in fields if name in error.parsed_result)
        told.append(f"Actual output fields parsed from the LM response: [{found}] ")
    return "\n\n".join([*told, ""])


def _length_of(reply: Any) -> str:
    return f"[{len(reply)} characters]" if isinstance(reply, str) and reply else "" if reply == "" else str(None)


def _validation_error(error: Any) -> str:
    """Pydantic's: where and of which kind. A place in a value may be a key of the value."""
    if not hasattr(error, "errors"):
        return _schema_error(error)
    problems = error.errors(include_url=False, include_context=False, include_input=False)
    declared = _declared_names()
    places = [
        ".".join(str(part) if isinstance(part, int) or part in declared else "…" for part in problem["loc"])
        for problem in problems[:10]
    ]
    told = [
        f"{place}: {problem['type']}" if place else problem["type"]
        for place, problem in zip(places, problems, strict=False)
    ]
    title = error.title if isinstance(error.title, str) and error.title.isidentifier() else "the value"
    return f"{len(problems)} validation error{'' if len(problems) == 1 else 's'} for {title}: {'; '.join(told)}"


def _schema_error(error: Any) -> str:
    """Jsonschema's: the rule that was broken, by its place in the schema, which is the program's own."""
    place = "/".join(str(part) for part in error.absolute_schema_path)
    return f"The value breaks the schema's rule {error.validator!r} at {place}"


def _declared_names() -> set[str]:
    from pydantic import BaseModel  # there, or there were no error of it

    names: set[str] = set()
    classes: list[type] = [BaseModel]
    while classes:
        found = classes.pop()
        names.update(vars(found).get("__pydantic_fields__") or ())
        classes += type.__subclasses__(found)
    return names


def _json_error(error: Any) -> str:
    return f"{error.msg.partition(':')[0]}: line {error.lineno} column {error.colno} (char {error.pos})"


_KNOWN: dict[str, Callable[[Any], str]] = {
    "AdapterParseError": _parse_error,
    "ValidationError": _validation_error,
    "JSONDecodeError": _json_error,
    "KeyError": lambda error: "a key that is not there",
    "UnicodeError": lambda error: getattr(error, "reason", ""),
    "SyntaxError": lambda error: f"invalid syntax (line {error.lineno})",
}
"""How each class of exceptions, by its name, is told without its values."""


def _literal_parts(error: BaseException, text: str, names: Iterable[str], inner: Iterable[str]) -> str:
    """Keep what stands in the code that wrote the text, the names of fields, and what was told of exceptions inside.

    ``…`` is in the place of the rest.
    """
    text = text[:MAX_CHARACTERS]
    literals = {*inner}
    literals |= {literal for code in library_frames(error) for literal in literals_of(code)}
    literals.update(found.group() for found in _EXCEPTION_NAME.finditer(text))
    words = {f"{quote}{name}{quote}" for name in names for quote in ("'", '"')} | {f" {name} " for name in names}
    kept = [False] * len(text)
    for literal in sorted(literals | words | _OWN_WORDS_OF_PYTHON, key=len, reverse=True):
        start = text.find(literal)
        while start >= 0:
            kept[start : start + len(literal)] = [True] * len(literal)
            start = text.find(literal, start + len(literal))
    shown: list[str] = []
    for keep, place in groupby(range(len(text)), key=kept.__getitem__):
        piece = "".join(text[index] for index in place)
        # Between two parts that stay, brackets and quotes say nothing by themselves.
        shown.append(piece if keep or not any(map(str.isalnum, piece)) else "…")
    said = "".join(shown).strip()
    if said in ("", "…"):
        frames = library_frames(error)
        said = f"in {frames[-1].co_name}" if frames else ""
    return said
