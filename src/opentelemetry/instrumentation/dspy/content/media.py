"""What stands for images, audio and files: their type, byte count and SHA-256, never their bytes."""

from __future__ import annotations

import hashlib
import re
from base64 import b64decode

__all__ = ["reference_of_bytes", "reference_of_data_url", "without_media"]

_TYPE = r"data:(?:[\w.+-]{1,127}/[\w.+-]{1,127})"
_PARAMETERS = r"(?:;[\w.+-]{1,127}=[\w.+-]{1,127}){0,8}"
_BASE64_URL = re.compile(f"{_TYPE}?{_PARAMETERS};base64,[\\w+/=-]*", re.IGNORECASE)
_OTHER_URL = re.compile(f"{_TYPE}{_PARAMETERS}(?:;[\\w.+-]{{1,127}})?,", re.IGNORECASE)


def without_media(text: str) -> str:
    """Return a text with a reference in the place of each ``data:`` URL in it."""
    if "data:" not in text:
        return text
    if _OTHER_URL.match(text):
        return reference_of_data_url(text)
    return _BASE64_URL.sub(lambda found: reference_of_data_url(found.group()), text)


def reference_of_data_url(url: str) -> str:
    """Return what stands for the contents of a ``data:`` URL."""
    header, _, payload = url.removeprefix("data:").partition(",")
    try:
        content = b64decode(payload) if header.lower().endswith(";base64") else payload.encode()
    except ValueError:
        content = payload.encode(errors="surrogatepass")
    return reference_of_bytes(content, header.partition(";")[0] or None)


def reference_of_bytes(content: bytes, mime_type: str | None = None) -> str:
    """Return what stands for bytes, by which the same ones can be recognised."""
    digest = hashlib.sha256(content).hexdigest()
    return f"sha256:{digest}?bytes={len(content)}" + (f"&type={mime_type}" if mime_type else "")
