"""The pages on the doctor and on notices show what the code prints."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import pytest
from otlp_receiver import OtlpReceiver
from started import started

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "opentelemetry" / "instrumentation" / "dspy"

WRONG = {"OTEL_INSTRUMENTATION_DSPY_CONTENT_MAXLENGTH": "100"}
RIGHT = {"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}


def words(text: str) -> str:
    """What stays the same on another day and machine, however it is broken into lines."""
    text = re.sub(r"[0-9a-f]{32}", "TRACE", text)
    return " ".join(re.sub(r"\d[\w.]*", "N", text).split())


def shown(kind: str) -> str:
    _, _, after = (
        (ROOT / "docs" / "doctor.md").read_text("utf-8").partition(f"dspy-telemetry doctor, {kind} -->\n```\n")
    )
    return after.partition("```")[0]


@pytest.mark.parametrize(("kind", "variables"), [("right", RIGHT), ("wrong", WRONG)])
def test_the_page_shows_what_the_doctor_prints(tmp_path: Path, kind: str, variables: dict[str, str]) -> None:
    with OtlpReceiver() as receiver:
        ended = started(
            *(sys.executable, "-m", "opentelemetry.instrumentation.dspy", "doctor"),
            folder=tmp_path,
            OTEL_SERVICE_NAME="my-program",
            OTEL_EXPORTER_OTLP_ENDPOINT=receiver.endpoint,
            # The environment of the tests sets it; whoever reads the page has not.
            LITELLM_LOCAL_MODEL_COST_MAP="",
            **variables,
        )
    before, _, after = ended.output.partition("Other instrumentations\n")
    # opentelemetry-instrumentation-logging is among the tests' packages, and not among the reader's.
    before = re.sub(
        r"  note    what exporters log of their failures .*? in the program\.\n", "", before, flags=re.DOTALL
    )
    printed = words(before + "Options\n" + after.partition("\nOptions\n")[2])

    assert words(shown(kind))
    assert words(shown(kind)) in printed if kind == "wrong" else words(shown(kind)) == printed


def test_every_line_in_the_table_of_notices_is_one_of_the_code() -> None:
    table = (ROOT / "docs" / "notices.md").read_text("utf-8").partition("## Warnings")[0]
    begins = re.findall(r"^\| `([^`]+)`", table, re.MULTILINE)
    texts = "\n".join(
        text
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(text := shape(node), str)
    )

    assert len(begins) == 22
    for begin in begins:
        parts = re.sub(r"traces|4318|http://…|OTEL_…|…", "\0", begin).split("\0")
        assert re.search(".*".join(map(re.escape, parts)), texts), begin


def shape(node: ast.AST) -> str | None:
    """The text of a string, with a mark for what is filled in."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(part.value if isinstance(part, ast.Constant) else "{}" for part in node.values)
    return None
