"""``docs/configuration.md``: the options of this library, read from ``config.py``, and those of OpenTelemetry."""

from __future__ import annotations

import ast
import dataclasses
import itertools
from typing import TYPE_CHECKING, Any, get_args

from .semconv_names import ROOT, sentence

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["ARGUMENTS", "OPENTELEMETRY", "configuration_page", "own_options"]

SOURCE = ROOT / "src" / "opentelemetry" / "instrumentation" / "dspy" / "config.py"

INTRODUCTION = """# Configuration

Everything can be set in the environment, so that `opentelemetry-instrument` needs no code. It is read once, when DSPy
is instrumented. A value that is not valid is told in the log, and its default is used; a name that is no option is told
there too, with the nearest one. [The doctor](doctor.md) shows what is in force. This page is made from the source by
`python docs/generate.py`.

## Options of this library

| variable | values | default | meaning |
| --- | --- | --- | --- |
"""

IN_CODE = """
## Arguments of `DSPyInstrumentor().instrument()`

An argument goes before the environment. An argument that there is not raises `TypeError`, which names the nearest one.

| argument | default | meaning |
| --- | --- | --- |
"""

OTHERS = """
## Options of OpenTelemetry that matter here

Defaults are those under `opentelemetry-instrument`. In code, exporters and samplers are what the program makes, and the
variables with `OTEL_EXPORTER_OTLP_` and `OTEL_BSP_` hold for them too, except for the protocol.

| variable | default | meaning |
| --- | --- | --- |
"""

ARGUMENTS = {
    "tracer_provider": ("the global one", "where spans go"),
    "meter_provider": ("the global one", "where metrics go"),
    "logger_provider": ("the global one", "where log events go"),
    "completion_hook": (
        "what `OTEL_INSTRUMENTATION_GENAI_COMPLETION_HOOK` names",
        "a hook of `opentelemetry-util-genai`, which is given the messages of each call",
    ),
    "redact": (
        "none",
        "a function of a text and its kind that returns what to record ([Security](security.md#redaction))",
    ),
    "openinference": ("`OTEL_INSTRUMENTATION_DSPY_OPENINFERENCE`", "`True` adds the attributes of OpenInference"),
    "propagate": (
        "`OTEL_INSTRUMENTATION_DSPY_PROPAGATE`",
        "hosts of models that are told of the trace, or `True` for this machine and private addresses "
        "([One bill](one-bill.md#the-trace-goes-on-in-the-models-server))",
    ),
    "prices": (
        "`OTEL_INSTRUMENTATION_DSPY_PRICES`",
        "a function of a `PricedCall` that returns US dollars, or the path of a file "
        "([Cost](cost.md#prices-of-your-own)); a file with something else in it raises `ValueError`",
    ),
}

IN_CODE_OF = {
    "CONSOLE": "`DSPyConsoleSpanExporter(content=…, passed=…)`",
    "OPENINFERENCE": "`instrument(openinference=…)`",
    "PRICES": "`instrument(prices=…)`",
    "PROPAGATE": "`instrument(propagate=…)`",
    "REDACT": "`instrument(redact=…)`",
}
"""Where an option has an argument too."""

VALUES_OF = {"BUDGET_USD": ("a number from zero up", "none"), "NOTICES": ("`true`, `false`", "`true`")}
"""Values and default of what is read where it is used, and not with the other options."""

OPENTELEMETRY = {
    "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": (
        "`NO_CONTENT`",
        "whether content is recorded: `SPAN_ONLY`, `EVENT_ONLY`, `SPAN_AND_EVENT` ([Security](security.md))",
    ),
    "OTEL_INSTRUMENTATION_GENAI_EMIT_EVENT": (
        "with content on events",
        "`true` or `false`: whether each call of a language model has a log event with its details",
    ),
    "OTEL_INSTRUMENTATION_GENAI_COMPLETION_HOOK": (
        "none",
        "a hook that is given the messages, such as `upload`",
    ),
    "OTEL_SERVICE_NAME": ("`unknown_service`", "what the program is called in a backend"),
    "OTEL_RESOURCE_ATTRIBUTES": (
        "none",
        "more about it: `service.version=1.4.2,service.namespace=shop`",
    ),
    "OTEL_SDK_DISABLED": ("`false`", "`true`: no telemetry of anybody"),
    "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": ("none", "`dspy` leaves DSPy alone; names go with commas"),
    "OTEL_PYTHON_ID_GENERATOR": (
        "`random`",
        "`dspy_system_random` draws ids from the operating system, and not from Python's `random`, which programs seed",
    ),
    "OTEL_TRACES_EXPORTER": ("`otlp`", "`dspy_console` prints trees, `none` sends no traces; several go with commas"),
    "OTEL_METRICS_EXPORTER": ("`otlp`", "`none` for a backend that takes no metrics"),
    "OTEL_LOGS_EXPORTER": ("`otlp`", "`none` for a backend that takes no logs"),
    "OTEL_EXPORTER_OTLP_ENDPOINT": (
        "`http://localhost:4317` (gRPC), `http://localhost:4318` (HTTP)",
        "address without a path, for all signals",
    ),
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": (
        "from the one above",
        "whole address for traces; so `METRICS`, `LOGS`",
    ),
    "OTEL_EXPORTER_OTLP_PROTOCOL": ("`grpc`", "`http/protobuf` for port 4318"),
    "OTEL_EXPORTER_OTLP_HEADERS": ("none", "keys: `authorization=Bearer …`"),
    "OTEL_EXPORTER_OTLP_TIMEOUT": ("`10`", "seconds for one batch, with all that is tried again"),
    "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": ("`cumulative`", "`delta` where a backend wants it"),
    "OTEL_TRACES_SAMPLER": (
        "`parentbased_always_on`",
        "which traces are kept: `parentbased_traceidratio`, …",
    ),
    "OTEL_TRACES_SAMPLER_ARG": ("`1.0`", "share that is kept: `0.1`"),
    "OTEL_BSP_SCHEDULE_DELAY": ("`5000`", "milliseconds between two batches of spans"),
    "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": ("`512`", "spans in one batch; fewer with content"),
    "OTEL_BSP_MAX_QUEUE_SIZE": ("`2048`", "spans that wait; more are dropped"),
    "OTEL_METRIC_EXPORT_INTERVAL": ("`60000`", "milliseconds between two exports of metrics"),
    "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": ("`128`", "attributes of one span; more push out older ones"),
}


def configuration_page() -> str:
    """Return the whole page."""
    own = [f"| `{name}` | {' | '.join(cells)} |" for name, cells in own_options().items()]
    arguments = [f"| `{name}` | {default} | {sentence(meaning)} |" for name, (default, meaning) in ARGUMENTS.items()]
    others = [f"| `{name}` | {default} | {sentence(meaning)} |" for name, (default, meaning) in OPENTELEMETRY.items()]
    tables = ((INTRODUCTION, own), (IN_CODE, arguments), (OTHERS, others))
    return "".join(head + "\n".join(rows) + "\n" for head, rows in tables)


def own_options() -> dict[str, tuple[str, str, str]]:
    """Return values, default and meaning of each option, by its variable; with the argument that it has in code."""
    from opentelemetry.instrumentation.dspy import config

    fields = {field.name: field for field in dataclasses.fields(config.Options)}
    found = {}
    for constant, meaning in _documented(SOURCE).items():
        if constant in fields or constant.lower() in fields:
            field = fields[constant.lower()]
            values, default = _values(config, field), _default(field)
        elif constant in VALUES_OF:
            values, default = VALUES_OF[constant]
        else:
            choices = getattr(config, f"_{constant}_CHOICES", ())
            values = ", ".join(f"`{choice}`" for choice in choices)
            default = (
                f"`{getattr(config, f'DEFAULT_{constant}')}`" if hasattr(config, f"DEFAULT_{constant}") else "none"
            )
        in_code = f" In code: {IN_CODE_OF[constant]}." if constant in IN_CODE_OF else ""
        found[getattr(config, constant)] = (values, default, f"{meaning}{in_code}")
    return found


def _documented(source: Path) -> dict[str, str]:
    """Return what stands under each constant that names a variable: ``Environment variable: …``."""
    body = ast.parse(source.read_text(encoding="utf-8")).body
    found = {}
    for statement, following in itertools.pairwise(body):
        if isinstance(statement, ast.Assign) and isinstance(following, ast.Expr):
            text = " ".join(str(ast.literal_eval(following.value)).split())
            if text.startswith("Environment variable: ") and isinstance(statement.targets[0], ast.Name):
                found[statement.targets[0].id] = sentence(text.removeprefix("Environment variable: "))
    return found


def _values(config: Any, field: dataclasses.Field[Any]) -> str:
    """Return which values an option takes, from the type of its field."""
    choices = get_args(getattr(config, str(field.type), None))
    if choices and all(isinstance(choice, str) for choice in choices):
        return ", ".join(f"`{choice}`" for choice in choices)
    words = {
        "bool": "`true`, `false`",
        "int": "a whole number above zero",
        "float": "a number",
        "NamedHosts": "hosts, `true`",
        "OwnPrices": "a path",
        "tuple[str,": "names of entries",
    }
    known = words.get(str(field.type).partition(" ")[0])
    return known or ("`package.module:function`" if field.name == "redact" else "text")


def _default(field: dataclasses.Field[Any]) -> str:
    if not (field.default or isinstance(field.default, (bool, int))) or field.default is dataclasses.MISSING:
        return "none"
    text = str(field.default).lower() if isinstance(field.default, bool) else str(field.default)
    return f"`{text}`"
