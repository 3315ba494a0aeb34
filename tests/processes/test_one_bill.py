"""Over real process boundaries the trace and the baggage go on, and what each process used comes home exactly once."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from otlp_receiver import OtlpReceiver

if TYPE_CHECKING:
    from collections.abc import Iterator

    from model_server import ModelServer

FOLDER = Path(__file__).parent
QUESTIONS = 4


@pytest.fixture
def receiver() -> Iterator[OtlpReceiver]:
    with OtlpReceiver() as receiver:
        yield receiver


@pytest.fixture
def variables(receiver: OtlpReceiver, model_server: ModelServer, tmp_path: Path) -> dict[str, str]:
    for name in ("messages", "results", "control"):
        (tmp_path / name).mkdir()
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    paths = [str(FOLDER), *filter(None, [os.environ.get("PYTHONPATH", "")])]
    return {
        **inherited,
        "PYTHONPATH": os.pathsep.join(paths),
        "CELERY_FOLDER": str(tmp_path),
        "DSPY_CACHEDIR": str(tmp_path / "cache"),
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "MODEL_URL": model_server.url,
        "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.endpoint,
    }


@contextlib.contextmanager
def running(command: list[str], variables: dict[str, str], until: str) -> Iterator[str]:
    """A process that serves, from the first line of its output that has the text in it."""
    with subprocess.Popen(command, env=variables, stdout=subprocess.PIPE, text=True, cwd=FOLDER) as process:
        try:
            assert process.stdout is not None
            line = next((line for line in process.stdout if until in line), None)
            assert line is not None, f"{command} ended before it was ready"
            yield line.strip()
        finally:
            process.terminate()
            process.wait(30)


def asked(kind: str, variables: dict[str, str]) -> dict[str, Any]:
    ended = subprocess.run(
        [sys.executable, str(FOLDER / "asking.py"), kind], env=variables, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    told: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return told


def assert_one_bill(told: dict[str, Any], model_server: ModelServer) -> None:
    """What the processes told is what the model's server counted, to the token."""
    usages = [request.usage for request in model_server.requests]
    assert len(usages) == QUESTIONS
    assert told["bill"] == {
        "lm_calls": QUESTIONS,
        "input_tokens": sum(usage["prompt_tokens"] for usage in usages if usage),
        "output_tokens": sum(usage["completion_tokens"] for usage in usages if usage),
    }
    # Of gpt-4o-mini in DSPy's table: 0.15 and 0.60 dollars per million tokens.
    expected = told["bill"]["input_tokens"] * 0.15e-6 + told["bill"]["output_tokens"] * 0.6e-6
    assert told["cost"] == pytest.approx(expected)
    assert told["models"] == ["gpt-4o-mini"]
    assert told["own"] not in told["processes"]


def assert_one_trace(receiver: OtlpReceiver, root: str) -> None:
    """Every answer's span lies below the span that asked, in another process, with nothing but a server between."""
    by_id = {span.span_id: span for span in receiver.spans}
    [asking] = [span for span in by_id.values() if span.name == root]
    inside = [span for span in by_id.values() if span.trace_id == asking.trace_id]
    answers = [span for span in inside if span.name == "Predict question -> answer"]
    assert len(answers) == QUESTIONS
    for answer in answers:
        parent = by_id[answer.parent_span_id or ""]
        # FastAPI makes a span of its own of each request, where it has OpenTelemetry.
        while parent.origin.scope_name == "fastapi":
            parent = by_id[parent.parent_span_id or ""]
        assert parent is asking
    chats = [span for span in inside if span.name == "chat gpt-4o-mini"]
    assert sorted(span.parent_span_id or "" for span in chats) == sorted(span.span_id for span in answers)
    assert receiver.refusals == []


@pytest.mark.parametrize("kind", ["spawn", "fork", "joblib"])
def test_workers_of_a_pool_go_on_with_trace_and_baggage_and_their_usage_comes_home(
    kind: str, variables: dict[str, str], receiver: OtlpReceiver, model_server: ModelServer
) -> None:
    told = asked(kind, variables)
    assert_one_bill(told, model_server)
    assert told["total_is_the_same"]
    assert told["tenants"] == ["t-1"] * QUESTIONS
    assert_one_trace(receiver, "ask all")


def test_a_celery_worker_goes_on_with_trace_and_baggage_and_its_usage_comes_home(
    variables: dict[str, str], receiver: OtlpReceiver, model_server: ModelServer
) -> None:
    options = ["--without-gossip", "--without-mingle", "--without-heartbeat", "--concurrency=2", "--loglevel=error"]
    worker = [sys.executable, "-m", "celery", "-A", "celery_worker", "worker", *options]
    with running(worker, variables, until="ready"):
        told = asked("celery", variables)
    assert_one_bill(told, model_server)
    assert told["total_is_the_same"]
    assert told["tenants"] == ["t-1"] * QUESTIONS
    assert_one_trace(receiver, "ask all")


def test_a_service_that_asks_a_worker_over_http_has_the_bill_of_each_request(
    variables: dict[str, str], receiver: OtlpReceiver, model_server: ModelServer
) -> None:
    serving = [sys.executable, str(FOLDER / "serving.py")]
    with running([*serving, "worker"], variables, until="") as worker_port:
        told_where = {**variables, "WORKER_URL": f"http://127.0.0.1:{worker_port}"}
        with running([*serving, "service"], told_where, until="") as port:
            url = f"http://127.0.0.1:{port}/ask"
            first = httpx.post(url, params={"tenant_name": "t-1"}, timeout=110).raise_for_status().json()
            assert_one_bill(first, model_server)
            second = httpx.post(url, params={"tenant_name": "t-2"}, timeout=110).raise_for_status().json()
    assert second["bill"] == first["bill"]
    assert (first["tenants"], second["tenants"]) == (["t-1"] * QUESTIONS, ["t-2"] * QUESTIONS)
    assert_one_trace(receiver, "ask for t-1")
    assert_one_trace(receiver, "ask for t-2")
