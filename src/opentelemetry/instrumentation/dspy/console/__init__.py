"""The ``dspy_console`` span exporter: each finished trace as a tree, for a developer without any backend."""

from __future__ import annotations

from .exporter import DSPyConsoleSpanExporter

__all__ = ["DSPyConsoleSpanExporter"]
