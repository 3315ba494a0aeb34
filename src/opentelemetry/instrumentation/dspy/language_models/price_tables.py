"""Which tables a price that no reply carries is worked out from, of which version and day: for people and commands.

Asking loads nothing: neither DSPy nor LiteLLM is imported, and no table is fetched.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import sys
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Literal

from ..config import PRICES
from ..reading import read

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["PriceTable", "price_tables"]

_FORCED = "LITELLM_LOCAL_MODEL_COST_MAP"
"""Of DSPy from 3.4 on and of LiteLLM: ``true`` keeps them from fetching their table."""

_PROVENANCE = "dspy/clients/model_metadata/provenance.json"
"""Where DSPy says from which LiteLLM it has its table; before 3.4 it asks LiteLLM itself."""


@dataclass(frozen=True, slots=True)
class PriceTable:
    """One table of prices, as far as it is known now."""

    name: str
    """Whose it is: ``your own``, ``DSPy``, ``LiteLLM`` or ``genai-prices``."""
    version: str | None
    """That of the package it came with; the path of a file; ``None`` of one that was fetched."""
    date: str | None
    """The day, as ``2026-11-26``, when it was fetched or a file was changed; a package's is that of its release."""
    origin: Literal["file", "network", "package"]
    is_loaded: bool = True
    """Whether this process has it; otherwise ``origin`` says where it will come from, the package's in need."""

    def __str__(self) -> str:
        return f"{self.name}: {self._where()}"

    def _where(self) -> str:
        if self.origin == "file":
            return f"{self.version}, " + (f"changed on {self.date}" if self.is_loaded else "which cannot be read")
        if self.origin == "package":
            return f"{self.version}, from the package"
        if self.is_loaded:
            return "fetched over the network " + (f"on {self.date}" if self.date else "by this process")
        return (
            f"will be fetched over the network at the first price, else {self.version} from the package; "
            f"{_FORCED}=True keeps to the package's"
        )


def price_tables(environment: Mapping[str, str] | None = None) -> list[PriceTable]:
    """Return the tables that there are, in the order in which they are asked.

    DSPy's own client asks DSPy's, embeddings and calls that go through LiteLLM ask LiteLLM's; ``genai-prices`` is asked
    last.
    """
    variables = os.environ if environment is None else environment
    is_forced = variables.get(_FORCED, "").lower() == "true"
    tables = (_own(variables.get(PRICES, "").strip()), _dspy(is_forced), _litellm(is_forced), _genai_prices())
    return [table for table in tables if table is not None]


def _own(path: str) -> PriceTable | None:
    if not path:
        return None
    try:
        changed = datetime.fromtimestamp(os.stat(path).st_mtime, timezone.utc).date().isoformat()
    except (OSError, ValueError):
        return PriceTable("your own", path, None, "file", is_loaded=False)
    return PriceTable("your own", path, changed, "file")


def _dspy(is_forced: bool) -> PriceTable | None:
    snapshot = _snapshot_version()
    if snapshot is None:
        return None
    version = f"LiteLLM's of {snapshot}"
    source = read(sys.modules.get("dspy.clients.model_metadata"), "_source")
    if isinstance(source, dict) and source:
        is_remote = source.get("source") == "remote"
        return PriceTable("DSPy", None if is_remote else version, None, "network" if is_remote else "package")
    return PriceTable("DSPy", version, None, "package" if is_forced else "network", is_loaded=False)


def _snapshot_version() -> str | None:
    try:
        path = importlib.metadata.distribution("dspy").locate_file(_PROVENANCE)
        with open(os.fspath(path), encoding="utf-8") as file:  # type: ignore[call-overload]
            version = json.load(file).get("version")
    except (importlib.metadata.PackageNotFoundError, OSError, ValueError, AttributeError):
        return None
    return version if isinstance(version, str) else None


def _litellm(is_forced: bool) -> PriceTable | None:
    version = _version("litellm")
    if version is None:
        return None
    module = sys.modules.get("litellm.litellm_core_utils.get_model_cost_map")
    info: Any = read(module, "_cost_map_source_info")
    loaded_at = read(info, "loaded_at")
    if isinstance(loaded_at, datetime):
        if read(info, "source") == "remote":
            return PriceTable("LiteLLM", None, loaded_at.date().isoformat(), "network")
        return PriceTable("LiteLLM", version, None, "package")
    return PriceTable("LiteLLM", version, None, "package" if is_forced else "network", is_loaded=False)


def _genai_prices() -> PriceTable | None:
    version = _version("genai-prices")
    if version is None:
        return None
    # An application may let it fetch newer prices, with its ``UpdatePrices``.
    snapshot = read(sys.modules.get("genai_prices.data_snapshot"), "_custom_snapshot")
    timestamp = read(snapshot, "timestamp")
    if isinstance(timestamp, datetime) and read(snapshot, "from_auto_update"):
        return PriceTable("genai-prices", None, timestamp.date().isoformat(), "network")
    return PriceTable("genai-prices", version, None, "package")


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
