"""``docs/reference/metrics.md``: each metric with its instrument, unit, attributes and how many series they make."""

from __future__ import annotations

from opentelemetry.instrumentation.dspy.config import DEFAULT_METRIC_VALUES
from opentelemetry.instrumentation.dspy.labels.names import MAX_NAMES
from opentelemetry.instrumentation.dspy.language_models.outcomes import COMPUTED_HERE, CUSTOM, FROM_PROVIDER

from .emitted import Emitted
from .semconv_names import names, sentence

__all__ = ["BOUNDS", "CONVENTION_METRICS", "metrics_page"]

INTRODUCTION = """# Metrics

Made from the source and from what the programs of the tests emit, by `python docs/generate.py`; do not edit. Metrics
count every call, whether its span is sampled or not.

| metric | instrument | unit | attributes | meaning |
| --- | --- | --- | --- | --- |
"""

CARDINALITY = """
Attributes in **bold** are on every point. In Prometheus dots become underscores, and units and kinds become suffixes
([backends](../recipes/backends/jaeger.md#what-shows-where)).

## How many time series

No attribute holds a text, an id or a number of a call. The number of values of each is bounded by what the program is
made of:

| attribute | has a value for each |
| --- | --- |
"""

NOTE = f"""
Names are those of classes and functions in the code. A program that makes classes at run time, such as a signature with
a new name for each request, makes a series for each of them on `dspy.module.duration` and the metrics of adapters;
signatures without a name make none there.

## Attributes of your own

Cost, tokens and times of language model and embedder calls, which are the metrics with `dspy.program`, also have what
[`telemetry_context(metric_attributes=…)`](../recipes/cost.md#a-bill-for-each-tenant) gives around the call, and the
entries of W3C Baggage that `OTEL_INSTRUMENTATION_DSPY_BAGGAGE_METRICS` names
([configuration](../configuration.md#options-of-this-library)). Both stand on spans too.

* **The bound.** Each of `dspy.program`, `gen_ai.prompt.name` and your own attributes keeps the first
  {DEFAULT_METRIC_VALUES} different values that a process sees. Calls with further ones count under `other`: sums over
  all values stay exact. One warning in the log says of which attribute, and what to do.
  `OTEL_INSTRUMENTATION_DSPY_METRIC_VALUES` sets another bound. There are {MAX_NAMES} names of your own at most.
* **What a value takes.** Every value of an attribute makes its own time series for each model, program, prompt and role
  that occurs with it, and in Prometheus one more for each bucket of the histogram. Tenants and plans are few, users are
  not: keep the id of a user, a request or a session to spans (`attributes=`, `OTEL_INSTRUMENTATION_DSPY_BAGGAGE`).
* A name that this library sets itself cannot be given: `dspy.*`, `gen_ai.*`, `error.type`, `server.address`,
  `server.port`. Nor can one that Prometheus sets itself (`job`, `instance`, `le`, `service.name`, `__…`), where two
  tenants would be one series that has the calls of one; and none without a letter or digit of ASCII (`客户`), for
  which it refuses all that was sent with it.
* Values are texts in a store: 7 and `"7"` are one value, the first of them that a process sees, and so are spellings of
  a name that are one label there (`tenant.id`, `tenant_id`). An empty text is no label, and takes away what a block
  around gives.
"""

CONVENTION_METRICS = {
    "gen_ai.client.operation.duration": "how long a call of a language model or an embedder took",
    "gen_ai.client.token.usage": "tokens of each call, apart for input and output; cache hits have none",
    "gen_ai.client.operation.time_to_first_chunk": "time until the first chunk of a stream",
    "gen_ai.client.operation.time_per_output_chunk": "time between two chunks of a stream",
    "gen_ai.execute_tool.duration": "how long a tool or code interpreter took",
    "gen_ai.invoke_agent.duration": "how long an agent took",
    "gen_ai.invoke_workflow.duration": "how long a module of the application took",
}
"""Metrics of the conventions, which ``opentelemetry-util-genai`` records."""

FURTHER = f"{DEFAULT_METRIC_VALUES} at most, further ones are `other`"

BOUNDS = {
    "dspy.adapter.name": "class of adapters that the program uses",
    "dspy.budget.bound": "of four: `max_cost`, `max_tokens`, `max_calls`, `unknown_price`",
    "dspy.cache.hit": "of two: true, false",
    "dspy.evaluate.metric": "metric that the program is evaluated with",
    "dspy.module.name": "class of modules in the program",
    "dspy.program": f"program: class, or signature, of an outermost module; {FURTHER}",
    "dspy.optimizer.role": "of three, in optimizer runs: `task`, `judge`, `proposal`",
    "dspy.optimizer.name": "class of optimizers",
    "dspy.signature.name": "named signature in the code",
    "error.type": "class of exceptions that calls end with",
    "gen_ai.agent.name": "agent of the program",
    "gen_ai.operation.name": "operation of the conventions: `chat`, `text_completion`, `embeddings`",
    "gen_ai.prompt.name": f"place of a predictor in a program; {FURTHER}",
    "gen_ai.provider.name": "provider that the program asks",
    "gen_ai.request.model": "model that the program asks for",
    "gen_ai.response.model": "model that answers: versions of those that are asked for",
    "gen_ai.token.type": "of two: `input`, `output`",
    "gen_ai.tool.name": "tool of the program",
    "gen_ai.tool.type": "kind of tools: `function`, `extension`, `datastore`",
    "gen_ai.usage.cost.currency": "currency; prices are in `USD`",
    "gen_ai.usage.cost.source": f"of three: `{FROM_PROVIDER}`, `{CUSTOM}`, `{COMPUTED_HERE}`",
    "gen_ai.workflow.name": "class of modules that the application defines",
    "server.address": "host that is asked",
    "server.port": "port of such a host",
}


def metrics_page() -> str:
    """Return the whole page."""
    emitted = Emitted.read()
    meanings = {name.value: name.meaning for name in names() if name.constant.startswith("METRIC_")}
    lines, used = [], set()
    for metric, meaning in {**CONVENTION_METRICS, **meanings}.items():
        seen = emitted.places[f"metric {metric}"]
        used |= {*seen["names"]}
        attributes = ", ".join(f"**`{name}`**" if name in seen["always"] else f"`{name}`" for name in seen["names"])
        [unit], [instrument] = seen["unit"], seen["instrument"]
        lines.append(f"| `{metric}` | {instrument} | `{unit}` | {attributes} | {sentence(meaning)} |")
    bounds = [f"| `{name}` | {BOUNDS[name]} |" for name in sorted(used)]
    return INTRODUCTION + "\n".join(lines) + "\n" + CARDINALITY + "\n".join(bounds) + "\n" + NOTE
