"""Keeps the names of the version in the source as those of a release: ``PYTHONPATH=src python docs/keep_names.py``."""

from __future__ import annotations

from generator.released_names import keep

from opentelemetry.instrumentation.dspy import __version__

if __name__ == "__main__":
    keep(__version__)
