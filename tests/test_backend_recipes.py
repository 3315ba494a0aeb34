"""The pages of docs/recipes/backends: their variables exist, and send what each backend documents that it takes.

What a backend takes was read in its own documentation in November 2026, and stands here apart from the pages. A page's
shell block runs as it stands, but for the host: a receiver on this machine stands in for it.
"""

from __future__ import annotations

import base64
import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from opentelemetry.sdk import environment_variables as sdk_variables
from opentelemetry.util.genai import environment_variables as genai_variables
from otlp_receiver import OtlpReceiver

from opentelemetry import environment_variables as api_variables
from opentelemetry.instrumentation.dspy import config

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent
PAGES = {page.stem: page for page in sorted((ROOT / "docs" / "recipes" / "backends").glob("*.md"))}
OVERVIEW = ROOT / "docs" / "backends.md"

SECRETS = {
    "DD_API_KEY": "dd-key",
    "GRAFANA_INSTANCE_ID": "123456",
    "GRAFANA_TOKEN": "glc_a-token-that-is-as-long-as-those-of-grafana-are==",
    "LANGFUSE_PUBLIC_KEY": "pk-lf-1",
    "LANGFUSE_SECRET_KEY": "sk-lf-2",
    "LOGFIRE_TOKEN": "pylf_v1_us_3",
    "SIGNOZ_INGESTION_KEY": "signoz-key",
}
ALL = frozenset({"traces", "metrics", "logs"})

QUICKLY = {"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "fastapi,openai,threading"}
"""They are there for other tests, and take seconds to load."""


def basic(user: str, password: str) -> str:
    return f"Basic {base64.b64encode(f'{SECRETS[user]}:{SECRETS[password]}'.encode()).decode()}"


@dataclass(frozen=True)
class Backend:
    """What a backend documents that it takes, over HTTP with Protobuf."""

    host: str
    signals: frozenset[str] = frozenset({"traces"})
    prefix: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    """On every request."""
    trace_headers: dict[str, str] = field(default_factory=dict)
    temporality: str = "CUMULATIVE"


BACKENDS = {
    "datadog": Backend(
        "https://otlp.datadoghq.com",
        ALL,
        headers={"dd-api-key": "dd-key"},
        trace_headers={"dd-otlp-source": "llmobs"},
        temporality="DELTA",
    ),
    "grafana-cloud": Backend(
        "https://otlp-gateway-prod-eu-west-2.grafana.net",
        ALL,
        prefix="/otlp",
        headers={"authorization": basic("GRAFANA_INSTANCE_ID", "GRAFANA_TOKEN")},
    ),
    "jaeger": Backend("http://localhost:4318"),
    "langfuse": Backend(
        "https://cloud.langfuse.com",
        prefix="/api/public/otel",
        headers={
            "authorization": basic("LANGFUSE_PUBLIC_KEY", "LANGFUSE_SECRET_KEY"),
            "x-langfuse-ingestion-version": "4",
        },
    ),
    "logfire": Backend("https://logfire-us.pydantic.dev", ALL, headers={"authorization": "pylf_v1_us_3"}),
    "mlflow": Backend("http://localhost:5000", headers={"x-mlflow-experiment-id": "0"}),
    "phoenix": Backend("http://localhost:6006"),
    "signoz": Backend("https://ingest.eu.signoz.cloud:443", ALL, headers={"signoz-ingestion-key": "signoz-key"}),
    "tempo": Backend("http://localhost:4318"),
}

# Of each signal one record, without DSPy, which takes seconds to import: tests/e2e has what DSPy's calls send.
PROGRAM = """
from opentelemetry import metrics, trace
from opentelemetry.instrumentation.dspy import record_feedback

with trace.get_tracer("app").start_as_current_span("a span") as span:
    metrics.get_meter("app").create_counter("a.counter").add(1)
    record_feedback(span.get_span_context(), "helpful", True)
"""


def shell_block(page: Path) -> str:
    """The block of a page that starts a program."""
    blocks = re.findall(r"```sh\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    [block] = [block for block in blocks if "opentelemetry-instrument" in block]
    return str(block)


def documented() -> Iterator[tuple[str, str]]:
    """Every variable of OpenTelemetry's that a page names, with the page."""
    for page in (OVERVIEW, *PAGES.values()):
        for name in set(re.findall(r"\bOTEL_[A-Z_]+[A-Z]\b", page.read_text(encoding="utf-8"))):
            yield name, page.name


OF_OTHERS = {"OTEL_PYTHON_LOG_CORRELATION"}
"""What instrumentations of other libraries read, which need not be installed here."""


def known_variables() -> set[str]:
    """Those that the API and the SDK read, those of the GenAI utilities, and this library's own."""
    modules = (api_variables, sdk_variables, genai_variables)
    own = {value for value in vars(config).values() if isinstance(value, str) and value.startswith(config.PREFIX)}
    return {name for module in modules for name in vars(module) if name.startswith("OTEL_")} | own | OF_OTHERS


def test_every_variable_on_the_pages_is_one_that_something_reads() -> None:
    known = known_variables()
    assert [(name, page) for name, page in documented() if name not in known] == []


def test_every_backend_has_a_page_that_the_overview_leads_to_and_that_says_how_it_was_tested() -> None:
    overview = OVERVIEW.read_text(encoding="utf-8")
    assert list(PAGES) == sorted(BACKENDS)
    for name, page in PAGES.items():
        assert f"(recipes/backends/{name}.md)" in overview
        said = page.read_text(encoding="utf-8").partition("## How this was tested\n\n")[2]
        assert re.match(r"Run against the real thing |From .* documentation of November 2026, not run", said)
        row = next(line for line in overview.splitlines() if f"recipes/backends/{name}.md)" in line)
        assert row.endswith("| not run |") == said.startswith("From ")


def test_the_overview_names_the_signals_that_each_backend_takes() -> None:
    for line in OVERVIEW.read_text(encoding="utf-8").splitlines():
        for name in re.findall(r"\(recipes/backends/([a-z-]+)\.md\) \|", line):
            cells = [cell.strip() for cell in line.split("|")[2:5]]
            told = {signal for signal, cell in zip(("traces", "metrics", "logs"), cells, strict=True) if cell}
            # Prometheus stands beside Jaeger.
            assert told == BACKENDS[name].signals | ({"metrics"} if name == "jaeger" else set())


@pytest.mark.parametrize("page", [OVERVIEW, *PAGES.values()], ids=lambda page: page.stem)
def test_the_links_of_a_page_lead_somewhere(page: Path) -> None:
    for target, heading in re.findall(r"\]\(([^)#:\s]*)(?:#([^)\s]*))?\)", page.read_text(encoding="utf-8")):
        there = (page.parent / target).resolve() if target else page
        assert there.exists(), target
        if heading:
            headings = re.findall(r"^#+ (.+)$", there.read_text(encoding="utf-8"), re.MULTILINE)
            assert heading in [re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in headings]


@pytest.mark.parametrize("name", BACKENDS)
def test_the_variables_of_a_page_send_what_its_backend_takes(name: str, tmp_path: Path) -> None:
    backend, block = BACKENDS[name], shell_block(PAGES[name])
    hosts = set(re.findall(r"https?://[^/\s\"]+", block))
    assert hosts == {backend.host}
    (tmp_path / "app.py").write_text(PROGRAM)
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("OTEL_")}
    paths = os.pathsep.join([str(Path(sys.executable).parent), inherited["PATH"]])
    with OtlpReceiver(backend.prefix) as receiver:
        ended = subprocess.run(
            ["bash", "-euc", block.replace(backend.host, receiver.endpoint)],
            cwd=tmp_path,
            env={**inherited, **SECRETS, "PATH": paths, **QUICKLY},
            capture_output=True,
            timeout=110,
            check=False,
            encoding="utf-8",
        )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
    assert receiver.refusals == []
    assert {request.path for request in receiver.requests} == {
        f"{backend.prefix}/v1/{signal}" for signal in backend.signals
    }
    for request in receiver.requests:
        is_trace = request.path.endswith("/v1/traces")
        expected = {**backend.headers, **(backend.trace_headers if is_trace else {})}
        assert {header: request.headers.get(header) for header in expected} == expected
    assert [span.name for span in receiver.spans] == ["a span"]
    assert {span.origin.resource["service.name"] for span in receiver.spans} == {"my-program"}
    if "metrics" in backend.signals:
        assert {point.temporality for point in receiver.metrics if point.name == "a.counter"} == {backend.temporality}
    if "logs" in backend.signals:
        assert [log.event_name for log in receiver.logs] == ["gen_ai.evaluation.result"]
