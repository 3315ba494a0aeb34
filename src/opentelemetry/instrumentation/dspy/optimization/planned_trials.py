"""How many trials an optimizer run is going to have, where its settings tell before it begins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ..programs.predictors import predictors_of
from ..reading import read

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["planned_trials"]


def planned_trials(optimizer: object, arguments: Mapping[str, Any]) -> int | None:
    """Return the number of trials, ``None`` where it is not known; a run may end before it."""
    for kind in type(optimizer).__mro__:
        plan = _PLANS.get(kind.__name__)
        if plan is not None:
            return plan(optimizer, arguments)
    return None


def _of_random_search(optimizer: object, arguments: Mapping[str, Any]) -> int | None:
    candidates = _count(optimizer, "num_candidate_sets")
    if candidates is None:
        return None
    seeds = range(-3, candidates)  # without demonstrations, with labelled ones, unshuffled: random_search.py
    restrict = arguments.get("restrict")
    return len(seeds) if restrict is None else sum(seed in restrict for seed in seeds)


def _of_optuna(optimizer: object, arguments: Mapping[str, Any]) -> int | None:
    return _count(optimizer, "num_candidate_sets")


def _of_copro(optimizer: object, arguments: Mapping[str, Any]) -> int | None:
    breadth, depth = _count(optimizer, "breadth"), _count(optimizer, "depth")
    if breadth is None or depth is None or len(predictors_of(arguments.get("student"))) != 1:
        return None
    return breadth * depth


def _of_infer_rules(optimizer: object, arguments: Mapping[str, Any]) -> int | None:
    candidates = _count(optimizer, "num_candidates")
    return None if candidates is None else 1 + candidates  # the first bootstraps


def _of_mipro(optimizer: object, arguments: Mapping[str, Any]) -> int | None:
    trials, steps = arguments.get("num_trials"), arguments.get("minibatch_full_eval_steps", 5)
    if not isinstance(trials, int) or not isinstance(steps, int) or read(optimizer, "auto") is not None:
        return None
    if not arguments.get("minibatch", True):
        return 1 + trials
    # In full come the first, one after each so many minibatches, and one at the end: mipro_optimizer_v2.py
    return trials + trials // steps + 1 + (trials % steps != 0) if steps > 0 else None


_PLANS: Final[dict[str, Callable[[object, Mapping[str, Any]], int | None]]] = {
    "BootstrapFewShotWithRandomSearch": _of_random_search,
    "BootstrapFewShotWithOptuna": _of_optuna,
    "COPRO": _of_copro,
    "InferRules": _of_infer_rules,
    "MIPROv2": _of_mipro,
}


def _count(optimizer: object, name: str) -> int | None:
    value = read(optimizer, name)
    return value if isinstance(value, int) and not isinstance(value, bool) else None
