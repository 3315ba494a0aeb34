"""What stands for media on a span, in words: a viewer would show an address of it as a broken picture."""

from __future__ import annotations

from typing import Any, Final

__all__ = ["media_words", "with_media_in_words"]

_DIGEST: Final = "sha256:"
_SIZE: Final = "?bytes="


def media_words(media: str, mime_type: Any = None) -> str:
    """Return type, size and hash of what stands for media (``content.media``), or where the media is."""
    digest, mark, rest = media.partition(_SIZE)
    if not mark or not digest.startswith(_DIGEST):
        return media
    size, _, told_type = rest.partition("&type=")
    return ", ".join(word for word in (told_type or mime_type, f"{size} bytes", digest) if word)


def with_media_in_words(value: Any) -> Any:
    """Return values that were read from JSON, the texts last that stand for media."""
    if isinstance(value, list):
        return [with_media_in_words(item) for item in value]
    if not isinstance(value, dict):
        return f"[{media_words(value)}]" if _stands_for_media(value) else value
    if len(value) == 1 and _stands_for_media(value.get("url")):
        return with_media_in_words(value["url"])  # a ``dspy.Image``
    told = {name: with_media_in_words(item) for name, item in value.items()}
    # In a list, what is said of a picture comes before it.
    return dict(sorted(told.items(), key=lambda item: isinstance(item[1], str) and _DIGEST in item[1]))


def _stands_for_media(value: Any) -> bool:
    return isinstance(value, str) and value.startswith(_DIGEST) and _SIZE in value
