"""Every Python block of every page runs, in the order in which they stand, or says why it does not."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from otlp_receiver import OtlpReceiver
from pages import PAGES, ROOT, document_of, fences_of, run_python

if TYPE_CHECKING:
    from collections.abc import Iterator

LANGUAGES = {"python", "sh", "", "promql", "yaml", "toml", "json", "ini", "text", "traceql", "dockerfile", "sql"}
"""Languages of blocks; those in ``python`` and ``sh`` are run."""


@dataclass(frozen=True, slots=True)
class Run:
    """What the blocks of a page printed, and whether one of them ended it."""

    exit_code: int
    output: str


def run_pages(pages: list[str], receiver: OtlpReceiver, folder: Path) -> dict[str, Run]:
    """Run the blocks of pages, each page in a process of its own."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "OPENAI_"))}
    environment = {
        **inherited,
        "DSPY_CACHEDIR": str(folder / "cache"),
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.endpoint,
    }
    command = [sys.executable, str(Path(__file__).with_name("run_page.py")), str(folder), *pages]
    ended = subprocess.run(
        command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    exit_codes = map(int, ended.stdout.split())
    return {
        page: Run(exit_code, (folder / str(number)).read_text())
        for number, (page, exit_code) in enumerate(zip(pages, exit_codes, strict=True))
    }


WITH_PYTHON = [page for page in PAGES if any(language == "python" for _, language in fences_of(page))]


@pytest.fixture(scope="module")
def receiver() -> Iterator[OtlpReceiver]:
    """Takes what the blocks of all pages send."""
    with OtlpReceiver() as receiver:
        yield receiver


@pytest.fixture(scope="module")
def runs(receiver: OtlpReceiver, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    return run_pages(WITH_PYTHON, receiver, tmp_path_factory.mktemp("pages"))


@pytest.mark.timeout(600)
@pytest.mark.parametrize("page", WITH_PYTHON)
def test_the_python_blocks_of_a_page_run(page: str, runs: dict[str, Run]) -> None:
    assert runs[page].exit_code == 0, runs[page].output


def test_a_block_that_raises_is_noticed_and_one_that_cannot_run_says_why(tmp_path: Path) -> None:
    raises, skips = tmp_path / "raises.md", tmp_path / "skips.md"
    raises.write_text('```python title="a.py"\nvalue = 1\n```\n\n```python\nassert value == 2\n```\n')
    skips.write_text('<!-- skip: next "it needs a key" -->\n```python\nraise ValueError\n```\n')
    with OtlpReceiver() as receiver:
        first, second = run_pages([str(raises), str(skips)], receiver, tmp_path).values()
    assert first.exit_code == 1
    assert f'"{raises}", line 6' in first.output
    assert second == Run(0, f"{skips}:2: not run: it needs a key\n")


def test_a_file_that_is_taken_in_is_not_run_again(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text('```python\n--8<-- "examples/recipes/fastapi.py"\n```\n')
    [example] = document_of(str(page), "python", run_python).examples()
    example.evaluate()


@pytest.mark.parametrize("page", PAGES)
def test_every_block_is_in_a_language_that_is_known(page: str) -> None:
    assert [(line, language) for line, language in fences_of(page) if language not in LANGUAGES] == []


@pytest.mark.parametrize("page", PAGES)
def test_every_mark_gives_a_reason(page: str) -> None:
    marks = re.findall(r"<!-- skip:.*", (ROOT / page).read_text(encoding="utf-8"))
    assert [mark for mark in marks if not re.fullmatch(r'<!-- skip: next ".{10,}" -->', mark)] == []


@pytest.mark.timeout(600)
def test_what_must_appear_first_appears(runs: dict[str, Run], receiver: OtlpReceiver) -> None:
    text = (ROOT / "docs" / "getting-started.md").read_text(encoding="utf-8")
    [picture] = re.findall(r"## What must appear\n.*?```\n(.*?)```", text, re.DOTALL)
    assert runs["docs/getting-started.md"].exit_code == 0
    mine = [span for span in receiver.spans if span.origin.resource["service.name"] == "my-program"]
    spans = sorted(mine, key=lambda span: span.start_ns)
    assert [span.name for span in spans] == [line.lstrip("│└├─ ") for line in picture.splitlines()]
    assert [span.parent_span_id for span in spans] == [None, *(span.span_id for span in spans[:-1])]
    assert {"gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens"} <= {*spans[-1].attributes}
    for span in spans[:-1]:
        assert span.attributes["dspy.usage.input_tokens"] == spans[-1].attributes["gen_ai.usage.input_tokens"]
