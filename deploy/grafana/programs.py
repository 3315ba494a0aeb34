"""By workflow, agent, predictor, tool and version of the prompt: how long, how much, how often it fails."""

from __future__ import annotations

from typing import Any

from .frame import frame
from .panels import DOLLARS, SECONDS, SHARE, Query, graph, spans, table_of, words
from .searches import PROGRAM_SEARCHES, PROMPT_VERSIONS, links
from .series import CALLS, PAID_CALLS, in_range, mean, named, per_minute, quantile, ratio, selected

__all__ = ["programs"]

WORKFLOW, WORKFLOW_NAME = "gen_ai_invoke_workflow_duration_seconds", "gen_ai_workflow_name"
AGENT, AGENT_NAME = "gen_ai_invoke_agent_duration_seconds", "gen_ai_agent_name"
MODULE, SIGNATURE, MODULE_NAME = "dspy_module_duration_seconds", "dspy_signature_name", "dspy_module_name"
TOOL, TOOL_NAME = "gen_ai_execute_tool_duration_seconds", "gen_ai_tool_name"
PROMPT = "gen_ai_prompt_name"
FAILED = 'error_type!=""'


def programs() -> dict[str, Any]:
    """Return the dashboard."""
    return frame(
        "dspy-programs",
        "DSPy: programs",
        "Workflows, agents, predictors, tools and prompts: latency, cost per call, failures.",
        {
            "Workflows and agents": [
                *_latency_and_failures("Workflow", WORKFLOW, WORKFLOW_NAME),
                *_latency_and_failures("Agent", AGENT, AGENT_NAME),
            ],
            "Predictors and other modules of DSPy's": [_modules()],
            "Prompts": [_prompts(), _prompt_latency(), _versions()],
            "Tools": _latency_and_failures("Tool", TOOL, TOOL_NAME),
            "Traces": [words("Searches, ready to click", links(PROGRAM_SEARCHES), height=10)],
        },
    )


def _latency_and_failures(kind: str, metric: str, label: str) -> list[Any]:
    legend = f"{{{{{label}}}}}"
    latencies = [
        Query(quantile(share, metric, by=(label,)), f"p{share * 100:.0f} {legend}", exemplars=True)
        for share in (0.5, 0.95)
    ]
    takes = "Half of the runs take less than p50, one in twenty more than p95. Points are single traces: click one."
    counted = selected(f"{metric}_count")
    failed = Query(ratio(selected(f"{metric}_count", FAILED), counted, label), legend)
    return [
        graph(f"{kind}s: a run takes", *latencies, unit=SECONDS, width=8, about=takes),
        graph(
            f"{kind}s: runs per minute", Query(per_minute(counted, label), legend), width=8, about="Failed ones too."
        ),
        graph(f"{kind}s: share that fails", failed, unit=SHARE, width=8, about="Runs that ended with an error."),
    ]


def _modules() -> Any:
    by = (MODULE_NAME, SIGNATURE)
    counted = selected(f"{MODULE}_count")
    columns = {
        "Calls": Query(in_range(counted, *by)),
        "Mean": Query(mean(MODULE, by=by)),
        "p95": Query(quantile(0.95, MODULE, by=by).replace("$__rate_interval", "$__range")),
        "Failed": Query(ratio(selected(f"{MODULE}_count", FAILED), counted, *by, window="$__range")),
    }
    units = {"Mean": SECONDS, "p95": SECONDS, "Failed": SHARE}
    return table_of("Modules and signatures", columns, units=units, about="Over the whole time that is shown.")


def _prompts() -> Any:
    by = ("dspy_program", PROMPT)
    duration = "gen_ai_client_operation_duration_seconds"
    counted = selected(f"{duration}_count", CALLS)
    columns = {
        "Calls": Query(in_range(counted, *by)),
        "Dollars": Query(in_range(selected("gen_ai_client_operation_cost_sum", CALLS), *by)),
        "A call costs": Query(mean("gen_ai_client_operation_cost", CALLS, by=by)),
        "A call takes": Query(mean(duration, PAID_CALLS, by=by)),
        "Failed": Query(ratio(selected(f"{duration}_count", CALLS, FAILED), counted, *by, window="$__range")),
    }
    units = {"Dollars": DOLLARS, "A call costs": DOLLARS, "A call takes": SECONDS, "Failed": SHARE}
    about = "Over the whole time that is shown; a call takes so long without hits of DSPy's cache."
    return table_of("Programs and their prompts", columns, units=units, about=about)


def _prompt_latency() -> Any:
    duration = "gen_ai_client_operation_duration_seconds"
    prompts = named(quantile(0.95, duration, PAID_CALLS, by=(PROMPT,)), PROMPT)
    line = Query(prompts, f"p95 {{{{{PROMPT}}}}}", exemplars=True)
    about = "Without hits of DSPy's cache. Points are single traces: click one."
    return graph("A call takes, by prompt", line, unit=SECONDS, about=about)


def _versions() -> Any:
    # No metric has the version: it changes with every edit of a template, and series would pile up.
    return spans(
        "Versions of prompts",
        PROMPT_VERSIONS,
        width=12,
        group_by={
            "gen_ai.prompt.name": (),
            "gen_ai.prompt.version": (),
            "Duration": ("count", "mean", "max"),
            "gen_ai.usage.cost.amount": ("mean", "sum"),
        },
        about="From the newest 200 traces, so a sample where traces are sampled; the version is on spans alone.",
    )
