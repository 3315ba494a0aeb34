"""A program that knows nothing of OpenTelemetry, run under `opentelemetry-instrument` and exporting OTLP."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from model_server import ModelServer, Reply, Request
from otlp_receiver import OtlpReceiver

if TYPE_CHECKING:
    from otlp_records import LogRecord, MetricPoint, SpanRecord

PROGRAM = """
import os

import dspy


class Answerer(dspy.Module):
    def __init__(self):
        super().__init__()
        self.draft = dspy.ChainOfThought("question -> draft")
        self.polish = dspy.Predict("draft -> answer")

    def forward(self, question):
        return self.polish(draft=self.draft(question=question).draft)


lm = dspy.LM("openai/gpt-4o-mini", api_base=os.environ["MODEL_URL"], api_key="a-secret-key", cache=False)
dspy.configure(lm=lm)
print(Answerer()(question="Where is the Nile?").answer)
"""

ROOT = "invoke_workflow Answerer"
DRAFT = f"{ROOT} / ChainOfThought draft"
DRAFT_PREDICT = f"{DRAFT} / Predict draft"
POLISH = f"{ROOT} / Predict polish"


@dataclass(frozen=True, slots=True)
class Run:
    """What a run of the program printed, asked the model for and exported."""

    output: str
    errors: str
    requests: list[Request]
    spans: list[SpanRecord]
    metrics: list[MetricPoint]
    logs: list[LogRecord]
    refusals: list[str]


def answer(request: Request) -> Reply:
    """The draft comes with tokens that the provider had cached, and with reasoning tokens."""
    if "[[ ## question ## ]]" in request.prompt.text:
        return Reply(
            fields={"reasoning": "A river.", "draft": "In Africa"},
            prompt_details={"cached_tokens": 64},
            completion_details={"reasoning_tokens": 5},
        )
    return Reply(fields={"answer": "The Nile is in Africa."})


def run_program(folder: Path, *launcher: str) -> Run:
    script = folder / "program.py"
    script.write_text(PROGRAM)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    with ModelServer(answer) as model, OtlpReceiver() as receiver:
        environment = {
            **inherited,
            "DSPY_CACHEDIR": str(folder / "cache"),
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            "MODEL_URL": model.url,
            "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.endpoint,
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
            "OTEL_SERVICE_NAME": "answerer",
        }
        command = [*launcher, sys.executable, str(script)]
        ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stderr
        return Run(
            ended.stdout,
            ended.stderr,
            model.requests,
            receiver.spans,
            receiver.metrics,
            receiver.logs,
            receiver.refusals,
        )


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    instrument = Path(sys.executable).with_name("opentelemetry-instrument")
    return run_program(tmp_path_factory.mktemp("instrumented"), str(instrument))


def by_path(spans: list[SpanRecord]) -> dict[str, SpanRecord]:
    """The spans under the names of all their ancestors and their own, in order of their start."""
    by_id = {span.span_id: span for span in spans}

    def path(span: SpanRecord) -> str:
        if span.parent_span_id is None:
            return span.name
        return f"{path(by_id[span.parent_span_id])} / {span.name}"

    return {path(span): span for span in sorted(spans, key=lambda span: span.start_ns)}


def test_the_program_does_what_it_does_without_the_instrumentation(run: Run, tmp_path: Path) -> None:
    bare = run_program(tmp_path)

    assert (bare.output, bare.spans) == ("The Nile is in Africa.\n", [])
    assert (run.output, run.errors) == (bare.output, bare.errors)
    assert [request.body for request in run.requests] == [request.body for request in bare.requests]


def test_the_whole_call_arrives_as_one_trace(run: Run) -> None:
    assert [*by_path(run.spans)] == [
        ROOT,
        DRAFT,
        DRAFT_PREDICT,
        f"{DRAFT_PREDICT} / chat gpt-4o-mini",
        POLISH,
        f"{POLISH} / chat gpt-4o-mini",
    ]
    assert len(run.spans) == 6
    assert len({span.trace_id for span in run.spans}) == 1
    assert {span.status for span in run.spans} == {"UNSET"}
    assert [span.kind for span in by_path(run.spans).values()] == [
        "INTERNAL",
        "INTERNAL",
        "INTERNAL",
        "CLIENT",
        "INTERNAL",
        "CLIENT",
    ]
    assert run.refusals == []


def test_the_spans_say_which_service_and_which_library_they_come_from(run: Run) -> None:
    assert {span.origin.resource["service.name"] for span in run.spans} == {"answerer"}
    assert {span.origin.scope_name for span in run.spans} == {"opentelemetry.instrumentation.dspy"}


def test_the_tokens_are_those_that_the_model_server_counted(run: Run) -> None:
    spans = by_path(run.spans)
    draft = spans[f"{DRAFT_PREDICT} / chat gpt-4o-mini"].attributes
    polish = spans[f"{POLISH} / chat gpt-4o-mini"].attributes
    draft_usage, polish_usage = (request.usage for request in run.requests)
    assert draft_usage is not None
    assert polish_usage is not None

    assert draft["gen_ai.usage.input_tokens"] == draft_usage["prompt_tokens"]
    assert draft["gen_ai.usage.output_tokens"] == draft_usage["completion_tokens"]
    assert draft["gen_ai.usage.cache_read.input_tokens"] == 64
    assert draft["gen_ai.usage.reasoning.output_tokens"] == 5
    assert polish["gen_ai.usage.input_tokens"] == polish_usage["prompt_tokens"]
    assert polish["gen_ai.usage.output_tokens"] == polish_usage["completion_tokens"]
    assert [draft["gen_ai.response.id"], polish["gen_ai.response.id"]] == [request.reply_id for request in run.requests]


def test_the_root_adds_the_tokens_up(run: Run) -> None:
    usages = [request.usage for request in run.requests if request.usage is not None]
    root = by_path(run.spans)[ROOT].attributes

    assert root["dspy.usage.lm_calls"] == len(usages) == 2
    assert root["dspy.usage.input_tokens"] == sum(usage["prompt_tokens"] for usage in usages)
    assert root["dspy.usage.output_tokens"] == sum(usage["completion_tokens"] for usage in usages)


def test_the_metrics_count_the_same_tokens_as_the_spans(run: Run) -> None:
    root = by_path(run.spans)[ROOT].attributes
    for kind in ("input", "output"):
        points = [
            point
            for point in run.metrics
            if point.name == "gen_ai.client.token.usage" and point.attributes["gen_ai.token.type"] == kind
        ]
        # One for each prompt.
        assert [point.count for point in points] == [1, 1]
        assert sum(point.sum for point in points) == root[f"dspy.usage.{kind}_tokens"]


def test_neither_texts_nor_the_key_leave_the_process(run: Run) -> None:
    exported = repr([run.spans, run.metrics, run.logs])

    assert "gpt-4o-mini" in exported
    assert [text for text in ("Nile", "river", "Africa", "a-secret-key") if text in exported] == []
