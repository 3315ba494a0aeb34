"""What did it cost, what is slow, what fails: the dashboard that answers a bill."""

from __future__ import annotations

from typing import Any

from .frame import frame
from .panels import DOLLARS, SECONDS, SHARE, Query, bars, events, graph, number, table_of, words
from .searches import CALL_SEARCHES, EXCEPTIONS, links
from .series import (
    CALLS,
    EMBEDDINGS,
    PAID_CALLS,
    REFUSED,
    in_range,
    mean,
    named,
    per_hour,
    per_minute,
    quantile,
    ratio,
    selected,
    unpriced,
)

__all__ = ["cost_and_calls"]

COST = selected("gen_ai_client_operation_cost_sum")
DURATION = "gen_ai_client_operation_duration_seconds"
COUNTED = selected(f"{DURATION}_count", CALLS)
FAILED = selected(f"{DURATION}_count", CALLS, 'error_type!=""')
FIRST_CHUNK = "gen_ai_client_operation_time_to_first_chunk_seconds"
# Not dspy.cache.requests, which does not know the program.
HITS = selected(f"{DURATION}_count", CALLS, 'dspy_cache_hit="true"')
SAVED = selected("dspy_cache_saved_cost_total")
TOKENS = "gen_ai_client_token_usage_sum"
RETRIES, BUDGETS = selected("dspy_lm_retries_total"), selected("dspy_budget_exceeded_total")
FALLBACKS, PARSE_ERRORS = selected("dspy_adapter_fallbacks_total"), selected("dspy_adapter_parse_errors_total")
MODEL, OPERATION = "gen_ai_request_model", "gen_ai_operation_name"
PROGRAM, PROMPT = "dspy_program", "gen_ai_prompt_name"
OF_ALL_PROGRAMS = "Of all programs: this metric does not know the program."
OF_ALL_MODELS = "Of all programs and models: this metric knows neither."


def cost_and_calls() -> dict[str, Any]:
    """Return the dashboard."""
    return frame(
        "dspy-cost-and-calls",
        "DSPy: cost and calls",
        "Dollars, tokens, latency and failures of language model calls, from the metrics of the instrumentation.",
        {
            "In the time that is shown": _totals(),
            "Dollars": _dollars(),
            "Tokens": _tokens(),
            "DSPy's cache": _cache(),
            "Latency": _latency(),
            "What fails": _failures(),
            "Traces": [
                words("Searches, ready to click", links(CALL_SEARCHES), width=12, height=12),
                words("Alerts", ALERTS, width=12, height=12),
            ],
        },
    )


def _totals() -> list[Any]:
    known = (
        "Sum of the known prices, of embeddings too. A call whose price is not known is not in it; hits of the cache "
        "cost nothing."
    )
    priced = "On average, of the calls whose price is known; hits of the cache are not among them."
    answered = "Share of all calls of language models that DSPy's cache answered."
    of_calls = "Share of all calls of language models. What a budget stopped was not sent and did not fail."
    failed = ratio(FAILED, COUNTED, window="$__range")
    return [
        number("Spent", in_range(COST), unit=DOLLARS, decimals=4, about=known),
        number("Calls of language models", in_range(COUNTED), about="With failed ones and hits of DSPy's cache."),
        number("A call costs", mean("gen_ai_client_operation_cost", CALLS), unit=DOLLARS, decimals=6, about=priced),
        number("Answered by the cache", ratio(HITS, COUNTED, window="$__range"), unit=SHARE, about=answered),
        number("Saved by the cache", in_range(SAVED), unit=DOLLARS, decimals=4, about=OF_ALL_PROGRAMS),
        number("Failed", failed, unit=SHARE, about=of_calls),
    ]


def _dollars() -> list[Any]:
    def by(title: str, label: str, about: str = "", width: int = 12) -> Any:
        query = Query(named(per_hour(COST, label), label), f"{{{{{label}}}}}")
        return graph(f"Dollars per hour by {title}", query, unit=DOLLARS, stacked=True, about=about, width=width)

    tenants = "The label is the application's: telemetry_context(metric_attributes=…) or a header of its baggage."
    columns = {
        "Dollars": Query(in_range(COST, PROGRAM, PROMPT, MODEL)),
        "Calls": Query(in_range(COUNTED, PROGRAM, PROMPT, MODEL)),
        "Of unknown price": Query(unpriced(PROGRAM, PROMPT, MODEL)),
    }
    tenant = Query(named(per_hour(COST, "$tenant_label"), "$tenant_label"), "{{$tenant_label}}")
    return [
        by("model", MODEL, "Known prices alone, those of embeddings too."),
        by("program", PROGRAM, "The outermost module of a call; a bare predictor goes by its signature."),
        by("prompt", PROMPT, "Calls that no predictor makes, and embeddings, have no prompt."),
        graph("Dollars per hour by tenant", tenant, unit=DOLLARS, stacked=True, about=tenants),
        by("operation", OPERATION, "Calls of language models, and embeddings.", width=24),
        table_of(
            "Who spends it",
            columns,
            units={"Dollars": DOLLARS},
            about="A row for each program, prompt and model; a click on a column sorts by it. What is of unknown "
            "price is in no sum of dollars: give it one (docs/cost.md).",
        ),
    ]


def _tokens() -> list[Any]:
    kinds = Query(per_minute(selected(TOKENS, CALLS), "gen_ai_token_type"), "{{gen_ai_token_type}}")
    models = Query(
        in_range(selected(TOKENS, CALLS), MODEL, "gen_ai_token_type"), "{{gen_ai_request_model}} {{gen_ai_token_type}}"
    )
    embedded = selected(TOKENS, EMBEDDINGS)
    all_embedded = Query(per_minute(embedded), "embedded")
    embedded_by_model = Query(in_range(embedded, MODEL), "{{gen_ai_request_model}} embedded")
    embedding_cost = Query(
        per_hour(selected("gen_ai_client_operation_cost_sum", EMBEDDINGS), MODEL), "{{gen_ai_request_model}}"
    )
    return [
        graph(
            "Tokens per minute by kind",
            kinds,
            all_embedded,
            stacked=True,
            about="Cached tokens are in the input, reasoning in the output; embedded ones are in neither.",
        ),
        bars("Tokens by model and kind", models, embedded_by_model, about="Over the whole time that is shown."),
        graph(
            "Embedded tokens per minute",
            Query(per_minute(embedded, MODEL), "{{gen_ai_request_model}}"),
            about="What embedders were given, by model.",
        ),
        graph(
            "Dollars per hour of embeddings",
            embedding_cost,
            unit=DOLLARS,
            about="They are in the dollars above as well.",
        ),
    ]


def _cache() -> list[Any]:
    share = Query(ratio(HITS, COUNTED, MODEL), "{{gen_ai_request_model}}")
    saved = Query(per_hour(SAVED, MODEL), "{{gen_ai_request_model}}")
    return [
        graph("Share of calls that the cache answered", share, unit=SHARE, about="Of all calls of a model."),
        graph(
            "Dollars saved per hour", saved, unit=DOLLARS, about=f"What the stored replies once cost. {OF_ALL_PROGRAMS}"
        ),
    ]


def _latency() -> list[Any]:
    def lines(metric: str, *conditions: str) -> list[Query]:
        return [
            Query(
                quantile(share, metric, *conditions, by=(MODEL,)), f"p{share * 100:.0f} {{{{{MODEL}}}}}", exemplars=True
            )
            for share in (0.5, 0.95)
        ]

    return [
        graph(
            "A call takes",
            *lines(DURATION, PAID_CALLS),
            unit=SECONDS,
            about="Without hits of DSPy's cache. Points are single traces: click one.",
        ),
        graph("Until the first chunk", *lines(FIRST_CHUNK), unit=SECONDS, about="Streamed calls."),
    ]


def _failures() -> list[Any]:
    errors = Query(per_minute(FAILED, MODEL, "error_type"), "{{gen_ai_request_model}} {{error_type}}")
    retries = Query(per_minute(RETRIES, MODEL, "error_type"), "{{gen_ai_request_model}} {{error_type}}")
    fell_back = Query(
        per_minute(FALLBACKS, "dspy_signature_name", "dspy_adapter_name"),
        "{{dspy_signature_name}} {{dspy_adapter_name}}",
    )
    unread = Query(
        per_minute(PARSE_ERRORS, "dspy_signature_name", "dspy_adapter_name"),
        "{{dspy_signature_name}} {{dspy_adapter_name}}",
    )
    budgets = Query(in_range(BUDGETS, "dspy_budget_bound"), "{{dspy_budget_bound}}")
    refused = Query(named(per_minute(selected(f"{DURATION}_count", REFUSED), PROGRAM), PROGRAM), f"{{{{{PROGRAM}}}}}")
    return [
        graph("Errors per minute", errors, about="Calls that failed for good, by model and type of error."),
        graph("Retries per minute", retries, about=OF_ALL_PROGRAMS),
        graph(
            "Fallbacks per minute",
            fell_back,
            about=f"An adapter went on by another way: a second call that is paid. {OF_ALL_MODELS}",
        ),
        graph("Replies per minute that an adapter could not read", unread, about=OF_ALL_MODELS),
        bars("Budgets that were used up", budgets, about=f"Each once, by its bound. {OF_ALL_MODELS}"),
        graph("Calls per minute that a budget refused", refused, about="They were not sent."),
        events("Exceptions", EXCEPTIONS, about="Of models and tools; each leads to its trace."),
    ]


ALERTS = """\
`deploy/prometheus/rules.yml` has these, and [Alert rules](/alerting/list) shows their state:

| alert | when |
| --- | --- |
| DSPySpendPerHour | more dollars in an hour than the bound |
| DSPyErrorRate | more than 5 % of calls fail over 15 minutes |
| DSPyCacheRatioFell | the cache answers less than half as often as the day before |
| DSPyFallbacks | more than 5 % of calls are second ones of adapters |
| DSPyBudgetExceeded | a budget ended a program |
"""
