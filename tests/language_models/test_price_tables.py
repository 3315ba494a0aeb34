"""From which table a price is worked out can be told, without loading any."""

from __future__ import annotations

import importlib.metadata
import json
import os
import subprocess
import sys
from datetime import datetime
from typing import TYPE_CHECKING, Any

import dspy
import genai_prices.data_snapshot

from opentelemetry.instrumentation.dspy.language_models import price_tables as tables
from opentelemetry.instrumentation.dspy.language_models.price_tables import PriceTable, price_tables

if TYPE_CHECKING:
    from pathlib import Path

    import pytest
    from model_server import ModelServer

PROGRAM = """
import json, sys
from opentelemetry.instrumentation.dspy.language_models.price_tables import price_tables
told = [str(table) for table in price_tables()]
print(json.dumps([told, [name for name in ("dspy", "litellm", "genai_prices") if name in sys.modules]]))
"""

SNAPSHOT = json.loads(
    importlib.metadata.distribution("dspy").locate_file("dspy/clients/model_metadata/provenance.json").read_text()
)["version"]
LITELLM = importlib.metadata.version("litellm")
GENAI_PRICES = importlib.metadata.version("genai-prices")


def told_by_fresh_process(**variables: str) -> Any:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "LITELLM_"))}
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM], env={**inherited, **variables}, capture_output=True, text=True, check=True
    )
    return json.loads(ended.stdout)


def test_what_will_be_asked_is_told_and_nothing_is_imported_for_it() -> None:
    keeps = "LITELLM_LOCAL_MODEL_COST_MAP=True keeps to the package's"
    will = "will be fetched over the network at the first price, else"
    assert told_by_fresh_process() == [
        [
            f"DSPy: {will} LiteLLM's of {SNAPSHOT} from the package; {keeps}",
            f"LiteLLM: {will} {LITELLM} from the package; {keeps}",
            f"genai-prices: {GENAI_PRICES}, from the package",
        ],
        [],
    ]


def test_packaged_tables_and_a_file_of_ones_own_are_told_first_comes_what_is_asked_first(tmp_path: Path) -> None:
    path = tmp_path / "prices.json"
    path.write_text("{}")
    os.utime(path, (1_780_000_000, 1_780_000_000))
    told, _ = told_by_fresh_process(LITELLM_LOCAL_MODEL_COST_MAP="True", OTEL_INSTRUMENTATION_DSPY_PRICES=str(path))
    assert told == [
        f"your own: {path}, changed on 2026-05-28",
        f"DSPy: LiteLLM's of {SNAPSHOT}, from the package",
        f"LiteLLM: {LITELLM}, from the package",
        f"genai-prices: {GENAI_PRICES}, from the package",
    ]


def test_tables_that_a_program_has_loaded_say_where_they_came_from(model_server: ModelServer) -> None:
    for engine in ("lm15", "litellm"):
        dspy.LM("openai/gpt-4o-mini", api_base=model_server.url, api_key="k", cache=False, engine=engine)("Where?")
    own, litellm, *_ = price_tables({})
    assert own == PriceTable("DSPy", f"LiteLLM's of {SNAPSHOT}", None, "package")
    assert litellm == PriceTable("LiteLLM", LITELLM, None, "package")


def test_fetched_tables_say_when(monkeypatch: pytest.MonkeyPatch) -> None:
    from dspy.clients import model_metadata
    from litellm.litellm_core_utils.get_model_cost_map import _cost_map_source_info

    monkeypatch.setattr(model_metadata, "_source", {"source": "remote"})
    monkeypatch.setattr(_cost_map_source_info, "source", "remote")
    monkeypatch.setattr(_cost_map_source_info, "loaded_at", datetime(2026, 11, 26, 12))
    snapshot = genai_prices.data_snapshot.DataSnapshot([], from_auto_update=True, timestamp=datetime(2026, 11, 25))
    monkeypatch.setattr(genai_prices.data_snapshot, "_custom_snapshot", snapshot)
    assert [str(table) for table in price_tables({})] == [
        "DSPy: fetched over the network by this process",
        "LiteLLM: fetched over the network on 2026-11-26",
        "genai-prices: fetched over the network on 2026-11-25",
    ]


def test_what_is_not_there_is_not_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def missing(name: str) -> Any:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(tables.importlib.metadata, "version", missing)
    monkeypatch.setattr(tables.importlib.metadata, "distribution", missing)
    assert price_tables({}) == []
    path = str(tmp_path / "none.yaml")
    [own] = price_tables({"OTEL_INSTRUMENTATION_DSPY_PRICES": path})
    assert str(own) == f"your own: {path}, which cannot be read"
