"""Another instrumentation of DSPy is named, since two of them count every call twice."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from opentelemetry.instrumentation.dspy import DSPyInstrumentor, peers

if TYPE_CHECKING:
    from pathlib import Path

    from recorded import Recorded


def install_peer(folder: Path) -> None:
    """What pip leaves of a package that registers the same instrumentor."""
    metadata = folder / "someones_dspy_tracing-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: someones-dspy-tracing\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[opentelemetry_instrumentor]\ndspy = someones_tracing:Instrumentor\n")


@pytest.mark.complaints
def test_another_instrumentation_that_is_installed_is_named_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    install_peer(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    caplog.set_level(logging.WARNING, peers.__name__)

    DSPyInstrumentor().instrument()
    DSPyInstrumentor().uninstrument()

    [line] = [record.getMessage() for record in caplog.records if "as well" in record.getMessage()]
    assert line.startswith("DSPy can be instrumented by someones-dspy-tracing as well")
    assert "recorded twice" in line


def test_alone_there_is_nothing_to_say(telemetry: Recorded, caplog: pytest.LogCaptureFixture) -> None:
    assert [record for record in caplog.records if record.name.startswith("opentelemetry")] == []
