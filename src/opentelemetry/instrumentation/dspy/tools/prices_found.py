"""Where the prices of calls come from, and how old they are, as far as that can be known without a network."""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from .findings import Section
from .versions_found import installed

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["prices_found"]

_LOCAL = "LITELLM_LOCAL_MODEL_COST_MAP"
_METADATA = "dspy.clients.model_metadata"
_THROUGH_LITELLM = ", for embeddings and for calls that go through LiteLLM"


def prices_found(variables: Mapping[str, str]) -> Section:
    """Return the price tables, in the order in which they are asked; ``variables`` are the program's."""
    section = Section("prices", "Prices")
    is_local = variables.get(_LOCAL, "").strip().lower() == "true"
    fetched = f"as packaged, since {_LOCAL} is true" if is_local else f"fetched anew by each process, without {_LOCAL}"
    snapshot = _snapshot()
    if snapshot is not None:
        section.ok(
            "dspy",
            f"DSPy's table, which is LiteLLM's of {snapshot}, {fetched}",
            {"table": "dspy", "version": snapshot, "packaged_only": is_local},
        )
    if installed("litellm") is not None:
        section.ok(
            "dspy" if snapshot is None else "litellm",
            f"the table of LiteLLM {installed('litellm')}, {fetched}{'' if snapshot is None else _THROUGH_LITELLM}",
            {"table": "litellm", "version": installed("litellm"), "packaged_only": is_local},
        )
    if installed("genai-prices") is None:
        section.ok(
            "genai_prices",
            'genai-prices is not installed; the extra "prices" brings it, for models that the first has no price for',
        )
    else:
        section.ok(
            "genai_prices",
            f"genai-prices {version('genai-prices')}, for models that the first has no price for{_updated()}",
            {"table": "genai-prices", "version": version("genai-prices")},
        )
    return section


def _snapshot() -> str | None:
    """Return which LiteLLM the table is from that DSPy brings since 3.4."""
    try:
        text = files(_METADATA).joinpath("provenance.json").read_text(encoding="utf-8")
        return str(json.loads(text)["version"])
    except (ImportError, OSError, KeyError, ValueError):
        return None


def _updated() -> str:
    snapshot: Any = getattr(sys.modules.get("genai_prices.data_snapshot"), "_custom_snapshot", None)
    return "" if snapshot is None else f", updated {snapshot.timestamp:%Y-%m-%d %H:%M}"
