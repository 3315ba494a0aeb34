"""Writes the pages that say what the code does: ``PYTHONPATH=src python docs/generate.py``."""

from __future__ import annotations

from pathlib import Path

from generator.attributes_page import attributes_page
from generator.configuration_page import configuration_page
from generator.conventions_page import conventions_page
from generator.events_page import events_page
from generator.metrics_page import metrics_page
from generator.spans_page import spans_page

DOCS = Path(__file__).resolve().parent

PAGES = {
    "configuration.md": configuration_page,
    "telemetry.md": attributes_page,
    "reference/conventions.md": conventions_page,
    "reference/events.md": events_page,
    "reference/metrics.md": metrics_page,
    "reference/spans.md": spans_page,
}

if __name__ == "__main__":
    for name, page in PAGES.items():
        (DOCS / name).write_text(page(), encoding="utf-8")
