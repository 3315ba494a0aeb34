"""Shell commands of the pages: programs under ``opentelemetry-instrument`` run, words of others are looked up."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from generator.configuration_page import own_options
from known_variables import unknown_variables
from model_server import ModelServer
from otlp_receiver import OtlpReceiver
from pages import PAGES, ROOT, blocks_of
from shell_commands import complaints_of

PROGRAM = """
import dspy
dspy.configure(lm=dspy.LM("openai/gpt-4o-mini", cache=False))
print(dspy.Predict("question -> answer")(question="Where is the Nile?").answer)
"""

STUBS = "pip() { :; }\nuv() { :; }\ndocker() { :; }\n"
"""Nothing is installed and no container is started."""


ON_PURPOSE = ("OTEL_INSTRUMENTATION_DSPY_CONTENT_MAXLENGTH", "OTEL_INSTRUMENTATION_GEN_AI_CAPTURE_MESSAGE_CONTENT")
"""Misspelt in docs/doctor.md, for the doctor to see."""

OF_BACKENDS = "docs/recipes/backends/"
"""These pages have tests of their own, with a receiver that stands for the backend."""


def program_blocks() -> list[tuple[str, int, str]]:
    """The blocks that start the reader's program: page, line and text."""
    return [
        (page, line, text)
        for page in PAGES
        for line, text in blocks_of(page, "sh")
        if "python app.py" in text and not page.startswith(OF_BACKENDS)
    ]


@pytest.mark.parametrize("page", PAGES)
def test_what_a_command_names_is_there(page: str) -> None:
    wrong = {line: found for line, text in blocks_of(page, "sh") if (found := complaints_of(text))}
    assert wrong == {}


@pytest.mark.parametrize("page", PAGES)
def test_every_variable_that_a_page_names_is_one(page: str) -> None:
    if page == "CHANGELOG.md":
        pytest.skip("It tells of variables that there were.")
    if page == "docs/recipes/log-correlation.md":
        package = "opentelemetry.instrumentation.logging"
        pytest.importorskip(
            package, reason="On the first releases of Python 3.12 it is not installed (pyproject.toml)."
        )
    assert unknown_variables((ROOT / page).read_text(encoding="utf-8"), {*own_options(), *ON_PURPOSE}) == []


@pytest.mark.parametrize(
    ("block", "complaint"),
    [
        ("make dmeo", "the Makefile has no target dmeo"),
        ("make demo MODLE=local", "the Makefile has no variable MODLE"),
        ('pip install ".[otpl]"', "there is no extra otpl"),
        (
            "opentelemetry-instrument --trace_exporter none python app.py",
            "opentelemetry-instrument has no option --trace_exporter",
        ),
        ("opentelemetry-instrument --traces_exporter dspy python app.py", "there is no exporter dspy of traces"),
        ("python -c 'first\nsecond' && make dmeo", "the Makefile has no target dmeo"),
        ("A=1 python examples/none.py", "there is no file examples/none.py"),
        ("cd x && no-such-command --now", "there is no command no-such-command"),
        ("docker compose --profile tiny up -d", "docker-compose.yml has no profile tiny"),
        ("docker compose --profile small pu", "docker compose pu is not known here"),
        ("docker run jaeger", "docker run jaeger is not known here"),
    ],
)
def test_what_there_is_not_is_noticed(block: str, complaint: str) -> None:
    assert complaints_of(block) == [complaint]


def test_a_variable_that_there_is_not_is_noticed() -> None:
    text = "`OTEL_EXPORTER_OTLP_ENDPOIT`, `OTEL_INSTRUMENTATION_DSPY_CONSOL`, `OTEL_BSP_*`, `OTEL_SERVICE_NAME`"
    assert unknown_variables(text, {"OTEL_INSTRUMENTATION_DSPY_CONSOLE"}) == [
        "OTEL_EXPORTER_OTLP_ENDPOIT",
        "OTEL_INSTRUMENTATION_DSPY_CONSOL",
    ]


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("page", "line", "text"), program_blocks(), ids=[f"{page}:{line}" for page, line, _ in program_blocks()]
)
def test_a_block_that_starts_a_program_leads_to_its_trace(page: str, line: int, text: str, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(PROGRAM)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "OPENAI_"))}
    with ModelServer() as model, OtlpReceiver() as receiver:
        environment = {
            **inherited,
            "DSPY_CACHEDIR": str(tmp_path / "cache"),
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            "OPENAI_API_BASE": model.url,
            "OPENAI_API_KEY": "test-key",
            "OPENAI_BASE_URL": model.url,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{inherited['PATH']}",
        }
        # All is sampled, so that there is something to see.
        script = re.sub(r"OTEL_TRACES_SAMPLER_ARG=\S+", "OTEL_TRACES_SAMPLER_ARG=1", text)
        script = f"set -euo pipefail\n{STUBS}{script.replace('http://localhost:4318', receiver.endpoint)}"
        ended = subprocess.run(
            ["bash", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert ended.returncode == 0, ended.stderr
        if "dspy_console" in text:
            assert "chat gpt-4o-mini" in ended.stdout
        else:
            names = {span.name for span in receiver.spans}
            assert names == {"Predict question -> answer", "chat gpt-4o-mini"}, ended.stderr
