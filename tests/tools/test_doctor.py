"""The doctor, run as a user runs it: right set-ups, broken ones, and what it says to change."""

from __future__ import annotations

import json
import os
import socket
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING

import pytest
from doctor_runs import DOCTOR, HTTP, changes, doctor, findings
from grpc_receiver import GrpcReceiver
from lean_environment import environment_without
from loopback import ADDRESS, LoopbackServer
from otlp_receiver import OtlpReceiver
from started import BY_COMMAND, started

from opentelemetry.instrumentation.dspy.tools.command import main

if TYPE_CHECKING:
    from pathlib import Path

SPANS = {"chat dummy", "Predict question -> answer"}
SECTIONS = ["versions", "setup", "peers", "options", "content", "endpoints", "seams", "prices", "call"]


def test_a_right_set_up_is_ok_and_no_secret_is_printed(tmp_path: Path) -> None:
    with OtlpReceiver() as receiver:
        ended = doctor(
            tmp_path,
            **HTTP,
            OTEL_EXPORTER_OTLP_ENDPOINT=receiver.endpoint,
            OTEL_EXPORTER_OTLP_HEADERS="x-team-key=violet-harbour-42",
            OTEL_RESOURCE_ATTRIBUTES="api_key=sk-live-abcdefghijklmnop",
        )

    assert (ended.code, changes(ended)) == (0, [])
    assert ended.output.endswith("ok: telemetry of DSPy calls arrives.\n")
    assert f"traces, metrics, logs: {receiver.endpoint} by http/protobuf, 1 header" in " ".join(ended.output.split())
    assert "OTLPSpanExporter has taken its traces: SUCCESS (chat dummy, Predict question" in ended.output
    assert {span.name for span in receiver.spans} == SPANS
    [key] = {request.headers["x-team-key"] for request in receiver.requests if request.size}
    assert key == "violet-harbour-42"
    assert [secret for secret in ("violet", "harbour", "sk-live") if secret in ended.output] == []


def test_under_the_command_it_shows_what_that_has_set_up(tmp_path: Path) -> None:
    with GrpcReceiver() as receiver:
        ended = doctor(tmp_path, "--json", launcher=(BY_COMMAND,), OTEL_EXPORTER_OTLP_ENDPOINT=receiver.endpoint)

    document = json.loads(ended.output)
    assert (ended.code, document["ok"], document["format"]) == (0, True, 1)
    assert [section["key"] for section in document["sections"]] == SECTIONS
    shapes = {tuple(finding) for section in document["sections"] for finding in section["findings"]}
    assert shapes == {("key", "status", "text", "remedy", "value")}
    assert findings(document, "setup")["by"]["value"] == "opentelemetry-instrument"
    assert findings(document, "setup")["traces"]["value"] == {"state": "taken", "exporters": ["OTLPSpanExporter"]}
    assert findings(document, "endpoints")["traces"]["value"] == {
        "address": receiver.endpoint,
        "protocol": "grpc",
        "headers": 0,
        "reached": "yes",
        "tls": False,
        "http1_status": None,
        "http2": True,
        "proxy": None,
    }
    assert findings(document, "seams")["seams"]["value"]["missing"] == []
    assert {key: finding["value"] for key, finding in findings(document, "call").items()} == {
        "made": None,
        "traces": "SUCCESS",
        "metrics": "SUCCESS",
        "logs": "nothing",
    }
    assert {span.name for span in receiver.spans} == SPANS


def test_the_wrong_protocol_is_named_with_the_right_one(tmp_path: Path) -> None:
    with OtlpReceiver() as receiver:
        ended = doctor(tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.endpoint)

    assert ended.code == 1
    assert changes(ended) == [
        f"traces, metrics, logs: {receiver.endpoint} by grpc: HTTP/1 answers there, and no gRPC -> Set "
        "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf, or send to the port of gRPC, usually 4317."
    ]
    assert ended.output.endswith("1 to change: see CHANGE above.\n")
    assert receiver.spans == []


def test_grpc_where_http_is_sent_is_named_too(tmp_path: Path) -> None:
    with GrpcReceiver() as receiver:
        ended = doctor(tmp_path, **HTTP, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.endpoint)

    assert ended.code == 1
    assert changes(ended) == [
        f"traces, metrics, logs: {receiver.endpoint} by http/protobuf: gRPC answers there, and no HTTP/1 -> Set "
        "OTEL_EXPORTER_OTLP_PROTOCOL=grpc, or send to the port of OTLP over HTTP, usually 4318."
    ]


def test_a_dead_endpoint_is_named(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(ADDRESS)
        port = free.getsockname()[1]
    ended = doctor(tmp_path, **HTTP, OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{port}")

    assert ended.code == 1
    assert changes(ended) == [
        f"traces, metrics, logs: http://127.0.0.1:{port} by http/protobuf: nothing listens at 127.0.0.1:{port} -> "
        "Start the backend, or correct OTEL_EXPORTER_OTLP_ENDPOINT."
    ]


def test_what_is_misspelt_or_cannot_be_loaded_is_named_with_what_is_right(tmp_path: Path) -> None:
    ended = doctor(
        tmp_path,
        **dict.fromkeys(("OTEL_METRICS_EXPORTER", "OTEL_LOGS_EXPORTER"), "none"),
        OTEL_TRACES_EXPORTER="dspy_console",
        OTEL_EXPORTER_OLTP_ENDPOINT="http://localhost:4317",
        OTEL_INSTRUMENTATION_DSPY_CONTENT_MAXLENGTH="9",
        OTEL_INSTRUMENTATION_DSPY_OPTIMIZER_TRACES="all",
        OTEL_INSTRUMENTATION_DSPY_REDACT="privacy:hide",
        OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT="true",
    )

    assert ended.code == 1
    assert changes(ended) == [
        "OTEL_INSTRUMENTATION_DSPY_CONTENT_MAXLENGTH is not an option of opentelemetry-instrumentation-dspy and has no "
        "effect. -> Did you mean OTEL_INSTRUMENTATION_DSPY_CONTENT_MAX_LENGTH?",
        "OTEL_INSTRUMENTATION_DSPY_OPTIMIZER_TRACES='all' is not valid -> It takes one of auto, linked, nested, none. "
        "The default, auto, is used.",
        "OTEL_EXPORTER_OLTP_ENDPOINT is no option of OpenTelemetry -> Did you mean OTEL_EXPORTER_OTLP_ENDPOINT?",
        "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=true is not valid, and no content is recorded -> It takes "
        "NO_CONTENT, SPAN_ONLY, EVENT_ONLY or SPAN_AND_EVENT.",
        "OTEL_INSTRUMENTATION_DSPY_REDACT=privacy:hide cannot be loaded (ModuleNotFoundError: No module named "
        "'privacy'), and no content is recorded for it -> Name a function as package.module:function, in a module that "
        "can be imported where the program runs.",
    ]
    assert "DSPyConsoleSpanExporter has taken its traces: SUCCESS" in ended.output


def test_entries_of_baggage_that_are_in_force_are_named_and_what_keeps_them_away(tmp_path: Path) -> None:
    with OtlpReceiver() as receiver:
        ended = doctor(
            tmp_path,
            "--json",
            **HTTP,
            OTEL_EXPORTER_OTLP_ENDPOINT=receiver.endpoint,
            OTEL_INSTRUMENTATION_DSPY_BAGGAGE="*,user.id",
            OTEL_INSTRUMENTATION_DSPY_BAGGAGE_METRICS="tenant.id",
            OTEL_PROPAGATORS="tracecontext",
        )
    [section] = [one for one in json.loads(ended.output)["sections"] if one["key"] == "options"]
    told = [(found["status"], found["text"], found["remedy"], found["value"]) for found in section["findings"]]
    in_force = {"spans": ["user.id", "tenant.id"], "metrics": ["tenant.id"]}
    text = "entries of baggage: user.id, tenant.id on spans, tenant.id on metrics too"
    assert ("ok", text, None, in_force) in told
    changed = [text for status, text, _, _ in told if status == "change"]
    assert changed == [
        "OTEL_INSTRUMENTATION_DSPY_BAGGAGE='*' is not valid",
        "OTEL_PROPAGATORS=tracecontext reads no baggage of other processes",
    ]


def test_a_redaction_of_the_programs_is_in_force(tmp_path: Path) -> None:
    (tmp_path / "privacy.py").write_text("def hide(text, kind):\n    return '*'\n")
    with OtlpReceiver() as receiver:
        ended = doctor(
            tmp_path,
            **HTTP,
            OTEL_EXPORTER_OTLP_ENDPOINT=receiver.endpoint,
            OTEL_INSTRUMENTATION_DSPY_REDACT="privacy:hide",
            OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT="SPAN_ONLY",
        )

    assert (ended.code, changes(ended)) == (0, [])
    assert "prompts, replies, inputs and outputs are recorded on spans (SPAN_ONLY)" in ended.output
    assert "a redaction is in force: privacy:hide" in ended.output
    assert "How are you" not in repr(receiver.spans)


def test_without_the_sdk_it_says_what_to_install(tmp_path: Path) -> None:
    python = environment_without(tmp_path / "environment", "opentelemetry-sdk", "opentelemetry-distro")
    ended = started(str(python), *DOCTOR, folder=tmp_path)

    assert ended.code == 1
    assert changes(ended) == [
        'opentelemetry-sdk is not installed -> Run pip install "opentelemetry-instrumentation-dspy[otlp]".',
        "nobody can set a provider: the OpenTelemetry SDK is not installed -> Run pip install "
        '"opentelemetry-instrumentation-dspy[otlp]".',
    ]


def test_an_exporter_that_is_not_installed_is_named(tmp_path: Path) -> None:
    missing = ("opentelemetry-exporter-otlp-proto-grpc", "opentelemetry-exporter-otlp-proto-http")
    python = environment_without(tmp_path / "environment", *missing)
    ended = started(str(python), *DOCTOR, folder=tmp_path)

    assert ended.code == 1
    [change] = changes(ended)
    assert change.startswith(
        "OTEL_* cannot be set up: RuntimeError: Requested component 'otlp_proto_grpc' not found in entry point "
        "'opentelemetry_traces_exporter' -> Correct OTEL_TRACES_EXPORTER, or install the exporter: run pip install"
    )


def test_a_dspy_that_is_not_supported_is_named(tmp_path: Path) -> None:
    metadata = tmp_path / "dspy-2.5.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: dspy\nVersion: 2.5.0\n")
    paths = os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("PYTHONPATH")]))
    ended = doctor(tmp_path, "--json", PYTHONPATH=paths, OTEL_TRACES_EXPORTER="none")

    document = json.loads(ended.output)
    assert (ended.code, document["ok"]) == (1, False)
    assert findings(document, "versions")["dspy"] == {
        "key": "dspy",
        "status": "change",
        "text": "DSPy 2.5.0 is not instrumented: nothing is recorded",
        "remedy": "Install dspy >= 2.6.27, < 4 here.",
        "value": "2.5.0",
    }
    assert [section["key"] for section in document["sections"]] == SECTIONS


SET_UP_IN_CODE = """
import os

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.dspy import DSPyInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor


def set_up():
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(os.environ["BACKEND"])))
    trace.set_tracer_provider(provider)
    DSPyInstrumentor().instrument()
"""


@pytest.mark.parametrize(("path", "code"), [("/v1/traces", 0), ("", 1)])
def test_what_a_program_sets_up_in_code_is_seen_through_its_function(tmp_path: Path, path: str, code: int) -> None:
    (tmp_path / "shop.py").write_text(SET_UP_IN_CODE)
    with OtlpReceiver() as receiver:
        ended = doctor(tmp_path, "--setup", "shop:set_up", BACKEND=f"{receiver.endpoint}{path}")

    assert ended.code == code
    assert "the providers are those that shop:set_up has set" in ended.output
    assert (
        [change.partition(" -> ")[0] for change in changes(ended)] == []
        if code == 0
        else [f"traces: {receiver.endpoint} by http/protobuf: HTTP answers there with 404: OTLP has another path"]
    )
    assert len(receiver.spans) == (2 if code == 0 else 0)


class _Refusing(BaseHTTPRequestHandler):
    """A backend that wants another key."""

    def log_message(self, format: str, *values: object) -> None:  # noqa: A002 - the name is the base class's
        """Nobody reads it."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self.send_response(401)
        self.send_header("Content-Length", "0")
        self.end_headers()


def test_what_the_backend_refuses_is_followed_to_its_answer(tmp_path: Path) -> None:
    none = dict.fromkeys(("OTEL_METRICS_EXPORTER", "OTEL_LOGS_EXPORTER"), "none")
    with LoopbackServer(HTTPServer(ADDRESS, _Refusing), "refusing") as server:
        ended = doctor(tmp_path, **HTTP, **none, OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{server.port}")

    assert ended.code == 1
    [change] = changes(ended)
    assert change.startswith("OTLPSpanExporter could not deliver its traces: FAILURE (")
    assert "401" in change
    assert "-> Give the key that the backend asks for" in change


def test_what_exporters_print_and_headers_hold_is_not_in_what_it_says(tmp_path: Path) -> None:
    ended = doctor(
        tmp_path,
        "--json",
        **HTTP,
        OTEL_EXPORTER_OTLP_ENDPOINT="localhost:4318",
        OTEL_EXPORTER_OTLP_HEADERS="api key violet-harbour-42",
        OTEL_LOGS_EXPORTER="console",
        OTEL_METRICS_EXPORTER="console",
    )

    document = json.loads(ended.output)
    assert ended.code == 1
    assert findings(document, "endpoints")["traces"]["text"] == (
        "traces: http://localhost:4318 by http/protobuf: the endpoint has no http:// or https:// in front"
    )
    assert findings(document, "setup")["log"]["text"].startswith("the SDK says: Header format invalid!")
    assert "violet" not in ended.output


def test_another_instrumentation_at_work_is_named(tmp_path: Path) -> None:
    metadata = tmp_path / "someones_dspy_tracing-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: someones-dspy-tracing\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[opentelemetry_instrumentor]\ndspy = someones_tracing:Instrumentor\n")
    (tmp_path / "someones_tracing.py").write_text(
        "from opentelemetry.instrumentation.instrumentor import BaseInstrumentor\n\n\n"
        "class Instrumentor(BaseInstrumentor):\n"
        "    def instrumentation_dependencies(self):\n        return []\n\n"
        "    def _uninstrument(self, **kwargs):\n        pass\n"
    )
    paths = os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("PYTHONPATH")]))
    none = {f"OTEL_{signal}_EXPORTER": "none" for signal in ("METRICS", "LOGS")}
    ended = doctor(tmp_path, PYTHONPATH=paths, OTEL_TRACES_EXPORTER="dspy_console", **none)

    assert ended.code == 1
    [change] = changes(ended)
    assert change.startswith("someones-dspy-tracing instruments DSPy too, and is at work: every call is recorded twice")


@pytest.mark.parametrize(
    "arguments", [[], ["nurse"], ["doctor", "--setup", "shop"], ["doctor", "--timeout", "soon"]], ids=str
)
def test_wrong_usage_ends_with_two(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)

    assert ended.value.code == 2
    assert "usage: dspy-telemetry" in capsys.readouterr().err
