"""What a call of a language model or an embedder inside an optimizer run is for, and what each role used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import semconv
from ..programs.running_modules import MODULE
from .optimizer_runs import OPTIMIZER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..context import Call
    from ..usage import UsageScope
    from ..usage_sums import Usage
    from .optimizer_runs import ExamplePlace, OptimizerRun, Role

__all__ = ["add_by_role", "role_attributes", "role_of", "total_of_role"]

_NAMES: dict[Role, tuple[str, ...]] = {
    "task": (
        semconv.DSPY_USAGE_TASK_LM_CALLS,
        semconv.DSPY_USAGE_TASK_INPUT_TOKENS,
        semconv.DSPY_USAGE_TASK_OUTPUT_TOKENS,
        semconv.DSPY_USAGE_TASK_EMBEDDING_CALLS,
        semconv.DSPY_USAGE_TASK_EMBEDDING_TOKENS,
        semconv.DSPY_USAGE_TASK_COST,
    ),
    "judge": (
        semconv.DSPY_USAGE_JUDGE_LM_CALLS,
        semconv.DSPY_USAGE_JUDGE_INPUT_TOKENS,
        semconv.DSPY_USAGE_JUDGE_OUTPUT_TOKENS,
        semconv.DSPY_USAGE_JUDGE_EMBEDDING_CALLS,
        semconv.DSPY_USAGE_JUDGE_EMBEDDING_TOKENS,
        semconv.DSPY_USAGE_JUDGE_COST,
    ),
    "proposal": (
        semconv.DSPY_USAGE_PROPOSAL_LM_CALLS,
        semconv.DSPY_USAGE_PROPOSAL_INPUT_TOKENS,
        semconv.DSPY_USAGE_PROPOSAL_OUTPUT_TOKENS,
        semconv.DSPY_USAGE_PROPOSAL_EMBEDDING_CALLS,
        semconv.DSPY_USAGE_PROPOSAL_EMBEDDING_TOKENS,
        semconv.DSPY_USAGE_PROPOSAL_COST,
    ),
}


def role_of(call: Call) -> Role | None:
    """Return what a call is for, ``None`` outside of an optimizer run.

    Around an example stand the program under evaluation and the metric, and no DSPy callable marks where the one ends
    and the other begins. What tells them apart is the running modules: below the program they are the task.
    """
    place = OPTIMIZER.of(call)
    if place is None:
        return None
    if place.example is None:
        return "proposal"
    running = list(_running_modules(call))
    if place.example.program is None:
        return "judge"
    if hasattr(type(place.example.program), "named_predictors"):
        return "task" if any(_is_program(module, place.example) for module in running) else "judge"
    # The program is a plain function, which leaves no mark; a metric that is a module does.
    return "judge" if any(module is place.example.metric for module in running) else "task"


def total_of_role(call: Call) -> UsageScope | None:
    """Return the total of a call's role in the run around it, ``None`` outside of an optimizer run."""
    role = role_of(call)
    place = OPTIMIZER.of(call)
    return None if role is None or place is None else place.run.roles[role]


def add_by_role(call: Call, usage: Usage, model: str) -> None:
    """Add the usage of a call to its role's total in the run around it and in those around that."""
    total = total_of_role(call)
    if total is not None:
        total.add_sound(usage, model)


def role_attributes(run: OptimizerRun) -> dict[str, Any]:
    """Return what each role used as span attributes, none for a role without a call; unknown costs are no cost."""
    attributes: dict[str, Any] = {}
    for role, (calls, input_tokens, output_tokens, embedding_calls, embedding_tokens, cost) in _NAMES.items():
        usage = run.roles[role].total()
        if not usage.is_used:
            continue
        attributes[calls] = usage.lm_calls
        if usage.input_tokens:
            attributes[input_tokens] = usage.input_tokens
        if usage.output_tokens:
            attributes[output_tokens] = usage.output_tokens
        if usage.embedding_calls:
            attributes[embedding_calls] = usage.embedding_calls
        if usage.embedding_tokens:
            attributes[embedding_tokens] = usage.embedding_tokens
        if usage.has_known_cost:
            attributes[cost] = usage.cost
    return attributes


def _running_modules(call: Call) -> Iterator[object]:
    module = MODULE.of(call)
    while module is not None:
        yield module.instance
        module = module.caller


def _is_program(module: object, example: ExamplePlace) -> bool:
    if example.is_copied:
        return type(module) is type(example.program)
    return module is example.program
