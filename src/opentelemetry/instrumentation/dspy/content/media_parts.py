"""Images, audio, video and files of messages: where they are, or their type, byte count and SHA-256."""

from __future__ import annotations

from base64 import b64encode
from os import PathLike
from typing import TYPE_CHECKING, Any

from opentelemetry.util.genai.types import FilePart, TextPart, UriPart

from .fields import fields_of, first_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.util.genai.types import MessagePart

    from . import Content, ContentKind

__all__ = ["medium"]

_SOURCES = (
    *("source", "image_url", "video_url", "input_audio", "audio", "image", "video", "file", "inline_data"),
    *("inlineData", "file_data", "fileData"),
)
"""Where blocks keep an object that tells of the data."""

_DATA = ("data", "file_data", "b64_json", "image_base64", "result")
_ADDRESSES = ("url", "image_url", "video_url", "file_url", "uri", "file_uri", "fileUri", "path")
_TYPES = ("media_type", "mime_type", "mimeType")
_IDENTIFIERS = ("file_id", "container_file_id", "id")

_TOLD = frozenset(
    {
        *(*_SOURCES, *_DATA, *_ADDRESSES, *_TYPES, *_IDENTIFIERS, "type", "index", "status", "cache_control"),
        *("continuation", "metadata", "citations", "expires_at", "transcript"),
        *("format", "output_format", "detail", "size", "quality", "background", "action"),
    }
)
"""What the parts of a block tell of it, or what is a setting; the rest, such as a file's name, somebody gave it."""


def medium(content: Content, block: Mapping[str, Any], kind: ContentKind) -> list[MessagePart] | None:
    """Return the part that stands for a block of media, and the texts that come with it; ``None`` if there is none."""
    inner = next((fields for name in _SOURCES if (fields := fields_of(block.get(name))) is not None), None)
    source = block if inner is None else inner
    modality = _modality(first_text(block, "type") or "", first_text(source, *_TYPES) or first_text(block, *_TYPES))
    found = _content_of_source(content, source, kind) or _reference(content, source, block, modality, kind)
    if found is None:
        return None
    transcript = first_text(source, "transcript")
    if transcript is not None:
        found.append(TextPart(content=content.text(transcript, kind)))
    beside = {name: value for name, value in {**source, **block}.items() if name not in _TOLD}
    return [*found, TextPart(content=content.json(beside, kind))] if beside else found


def _content_of_source(content: Content, source: Mapping[str, Any], kind: ContentKind) -> list[MessagePart] | None:
    """Return the text of a document that is one, as Anthropic and DSPy's ``Document`` have it."""
    text = source.get("data") if source.get("type") == "text" else None
    return [TextPart(content=content.text(text, kind))] if isinstance(text, str) else None


def _reference(
    content: Content, source: Mapping[str, Any], block: Mapping[str, Any], modality: str, kind: ContentKind
) -> list[MessagePart] | None:
    mime_type = first_text(source, *_TYPES) or first_text(block, *_TYPES)
    data = _data_of(source)
    if data is not None and not data.startswith("data:"):
        audio_format = first_text(source, "format", "output_format")
        mime_type = mime_type or (f"{modality}/{audio_format}" if audio_format is not None else None)
        data = f"data:{mime_type or ''};base64,{data}"
    address = data or first_text(source, *_ADDRESSES) or first_text(block, *_ADDRESSES) or _path_of(source)
    if address is not None:
        if address.startswith("data:"):
            mime_type = address[len("data:") :].partition(",")[0].partition(";")[0]
        return [UriPart(mime_type=mime_type or None, modality=modality, uri=content.text(address, kind))]
    identifier = first_text(source, *_IDENTIFIERS) or first_text(block, *_IDENTIFIERS)
    if identifier is None:
        return None
    return [FilePart(mime_type=mime_type, modality=modality, file_id=content.text(identifier, kind))]


def _data_of(source: Mapping[str, Any]) -> str | None:
    found = first_text(source, *_DATA)
    if found is not None:
        return found
    raw = next((value for name in _DATA if isinstance(value := source.get(name), (bytes, bytearray))), None)
    if raw is None:
        return None
    return b64encode(raw).decode()


def _path_of(source: Mapping[str, Any]) -> str | None:
    path = source.get("path")
    return str(path) if isinstance(path, PathLike) else None


def _modality(block_type: str, mime_type: str | None) -> str:
    """Return what the conventions call a kind of media: by its type, or by that of the block."""
    told = (mime_type or "").partition("/")[0]
    words = (told, *(word for word in ("image", "audio", "video") if word in block_type))
    return next((word for word in words if word in ("image", "audio", "video")), "document")
