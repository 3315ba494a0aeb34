"""OpenInference's words over OTLP, for a program that knows nothing of them: one variable switches them on."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from test_zero_code import DRAFT, DRAFT_PREDICT, POLISH, ROOT, by_path, run_program

SWITCH = "OTEL_INSTRUMENTATION_DSPY_OPENINFERENCE=true"
CAPTURE = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=SPAN_ONLY"


def rows(folder: Path, *settings: str) -> dict[str, tuple[Any, Any, Any]]:
    """Kind, input and output of each span that arrived, by its path."""
    instrument = Path(sys.executable).with_name("opentelemetry-instrument")
    run = run_program(folder, "env", *settings, str(instrument))
    assert run.errors == ""
    names = ("openinference.span.kind", "input.value", "output.value")
    return {
        path: (span.attributes.get(names[0]), span.attributes.get(names[1]), span.attributes.get(names[2]))
        for path, span in by_path(run.spans).items()
    }


def test_with_content_the_rows_show_it(tmp_path: Path) -> None:
    found = rows(tmp_path, SWITCH, CAPTURE)
    kind, given, returned = found[f"{DRAFT_PREDICT} / chat gpt-4o-mini"]
    assert kind == "LLM"
    assert [message["role"] for message in json.loads(given)["messages"]] == ["system", "user"]
    assert returned.startswith("[[ ## reasoning ## ]]\nA river.")
    assert found[DRAFT] == ("CHAIN", "Where is the Nile?", '{"reasoning":"A river.","draft":"In Africa"}')
    assert found[POLISH] == ("CHAIN", "In Africa", "The Nile is in Africa.")


def test_without_content_the_rows_are_not_empty(tmp_path: Path) -> None:
    found = rows(tmp_path, SWITCH)
    assert found[ROOT][:2] == ("CHAIN", "Answerer")
    assert found[ROOT][2].startswith("2 LM calls · $")
    assert found[f"{POLISH} / chat gpt-4o-mini"][:2] == ("LLM", "Answerer.polish")
    assert "Nile" not in str(found)


def test_without_the_switch_there_is_none_of_it(tmp_path: Path) -> None:
    assert set(rows(tmp_path, CAPTURE).values()) == {(None, None, None)}
