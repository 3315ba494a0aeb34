"""The prices that the page of costs shows are a file of prices."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pages import ROOT

from opentelemetry.instrumentation.dspy.language_models.price_files import read_price_file

if TYPE_CHECKING:
    from pathlib import Path


def test_the_prices_of_the_documents_can_be_read(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "cost.md").read_text(encoding="utf-8")
    path = tmp_path / "prices.yaml"
    path.write_text(text.split("```yaml\n")[1].split("```")[0])

    prices, wrong = read_price_file(path)

    assert wrong == []
    assert set(prices) == {"our-gateway/llama-3.1-70b", "gpt-4o-mini"}
    assert set(prices["our-gateway/llama-3.1-70b"].tiers) == {"batch", "priority"}
