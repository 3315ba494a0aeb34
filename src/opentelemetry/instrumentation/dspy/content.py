"""Values that may be recorded: redacted by the user's function first, bounded in size, media replaced by its hash."""

from __future__ import annotations

import hashlib
import json
import logging
from base64 import b64decode
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from .config import Options

__all__ = ["Content", "ContentKind", "media_reference"]

_logger = logging.getLogger(__name__)

ContentKind: TypeAlias = Literal["input", "output", "system", "tool"]
"""What a text is: passed to the redaction function as its second argument."""

MAX_ITEMS = 200
"""Items that are recorded of one list or mapping."""

MAX_DEPTH = 12
"""Levels of lists and mappings that are recorded."""

REDACTION_FAILED = "[content dropped: the redaction function failed]"


class Content:
    """Turns the application's values into what may stand in telemetry."""

    def __init__(self, options: Options, *, captured: bool) -> None:
        self.captured = captured
        """Whether content is recorded at all; nothing here need be called where it is not."""
        self._redact = options.redact
        self._max_length = options.content_max_length
        self._redaction_failed = False

    def text(self, value: str, kind: ContentKind) -> str:
        """Return a text as it may be recorded: media by hash, redacted, then cut to the maximum length."""
        if value.startswith("data:"):
            value = media_reference(value)
        if self._redact is not None:
            try:
                value = str(self._redact(value, kind))
            except Exception as error:  # noqa: BLE001 - the user's function must not end the user's call
                self._complain(error)
                return REDACTION_FAILED
        if len(value) <= self._max_length:
            return value
        return f"{value[: self._max_length]}… [{len(value) - self._max_length} more characters]"

    def json(self, value: Any, kind: ContentKind) -> str:
        """Return any value as JSON text, all of its texts treated as ``text`` does."""
        return json.dumps(self.value(value, kind), ensure_ascii=False, separators=(",", ":"))

    def value(self, value: Any, kind: ContentKind, depth: int = 0) -> Any:
        """Return any value as one that JSON can hold, all of its texts treated as ``text`` does."""
        if value is None or isinstance(value, (bool, int)):
            return value
        if isinstance(value, float):
            return value if value == value and abs(value) != float("inf") else str(value)
        if isinstance(value, str):
            return self.text(value, kind)
        if isinstance(value, (bytes, bytearray)):
            return _reference_of_bytes(bytes(value), None)
        if depth >= MAX_DEPTH:
            return f"… [{type(value).__name__}]"
        if isinstance(value, Mapping):
            return self._mapping(value.items(), len(value), kind, depth)
        if isinstance(value, (list, tuple, set, frozenset)):
            items = [self.value(item, kind, depth + 1) for item in islice(value, MAX_ITEMS)]
            return items if len(value) <= MAX_ITEMS else [*items, f"… [{len(value) - MAX_ITEMS} more items]"]
        fields = _fields(value)
        if fields is not None:
            return self._mapping(fields.items(), len(fields), kind, depth)
        return self.text(_representation(value), kind)

    def _mapping(self, items: Iterable[tuple[Any, Any]], count: int, kind: ContentKind, depth: int) -> dict[str, Any]:
        recorded = {str(key): self.value(item, kind, depth + 1) for key, item in islice(items, MAX_ITEMS)}
        if count > MAX_ITEMS:
            recorded["…"] = f"[{count - MAX_ITEMS} more items]"
        return recorded

    def _complain(self, error: Exception) -> None:
        if self._redaction_failed:
            return
        self._redaction_failed = True
        _logger.warning(
            "The redact function failed; the content that it was given is not recorded. Further failures of it "
            "are not logged.",
            exc_info=error,
        )


def media_reference(data_url: str) -> str:
    """Return what stands for a ``data:`` URL: its type, byte count and SHA-256, never its bytes."""
    header, _, payload = data_url[len("data:") :].partition(",")
    try:
        content = b64decode(payload) if ";base64" in header.lower() else payload.encode()
    except ValueError:
        content = payload.encode()
    return _reference_of_bytes(content, header.split(";", 1)[0] or None)


def _reference_of_bytes(content: bytes, mime_type: str | None) -> str:
    digest = hashlib.sha256(content).hexdigest()
    return f"sha256:{digest}?bytes={len(content)}" + (f"&type={mime_type}" if mime_type else "")


def _fields(value: Any) -> Mapping[str, Any] | None:
    """The named parts of DSPy's examples and predictions, pydantic models and dataclasses."""
    if isinstance(value, type):
        return None
    store = getattr(value, "_store", None)
    if isinstance(store, dict):
        return store
    names = getattr(type(value), "model_fields", None) or getattr(type(value), "__dataclass_fields__", None)
    if isinstance(names, Mapping):
        return {name: getattr(value, name, None) for name in names}
    return None


def _representation(value: Any) -> str:
    try:
        return repr(value)
    except Exception:  # noqa: BLE001 - an application's own __repr__ may do anything
        return f"<{type(value).__name__}>"
