"""Which children of a span are shown, and which are folded into one row."""

from __future__ import annotations

from dataclasses import dataclass

from .examples import is_example, is_scored, passed_examples, worst_first
from .tree import Node, Summary

__all__ = ["Branch", "Fold", "View", "branches_of", "fold"]


@dataclass(frozen=True, slots=True)
class View:
    """What of a tree is shown.

    A parent shows at most ``max_children`` children. ``content`` is for prompts, replies and values, ``passed`` for
    all examples of an evaluation, those that passed too, and ``times`` for durations and trace ids, which are others in
    each run.
    """

    max_children: int = 12
    content: bool = False
    passed: bool = False
    times: bool = True


@dataclass(slots=True)
class Fold:
    """Siblings that are shown as one row, the only one of its level if they are ``all``."""

    nodes: list[Node]
    passed: bool = False
    all: bool = False


Branch = Node | Fold | Summary


def branches_of(node: Node, view: View) -> list[Branch]:
    branches = fold(node.children, view)
    return branches if node.printed_above is None else [*branches, node.printed_above]


def fold(nodes: list[Node], view: View) -> list[Branch]:
    """Fold examples that passed; of too many others keep the first and those with errors, or the worst examples."""
    passed = [] if view.passed else passed_examples(nodes)
    folded = {id(node) for node in passed}
    others = [node for node in nodes if id(node) not in folded]
    shown = others if view.passed and any(map(is_example, others)) else _kept(others, view.max_children)
    kept = {id(node) for node in shown}
    rest = [node for node in others if id(node) not in kept]
    branches: list[Branch] = [*shown]
    if rest:
        branches.append(Fold(rest))
    if passed:
        branches.append(Fold(passed, passed=True, all=len(passed) == len(nodes)))
    return branches


def _kept(nodes: list[Node], max_children: int) -> list[Node]:
    if len(nodes) <= max_children:
        return nodes
    if any(map(is_scored, nodes)):
        order = sorted(range(len(nodes)), key=lambda index: worst_first(nodes[index]))
        shown = {*order[:max_children]}
    else:
        few = max(1, max_children // 4)
        # Those with errors of their own before those with errors below.
        with_errors = [index for index in range(few, len(nodes)) if nodes[index].summary.errors]
        with_errors.sort(key=lambda index: nodes[index].error is None)
        shown = {*range(few), *with_errors[: max(1, max_children - few)]}
    return [node for index, node in enumerate(nodes) if index in shown]
