"""A tree as rows: which children are shown, which are folded into one row, and what each row says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from opentelemetry.semconv._incubating.attributes.gen_ai_attributes import (
    GEN_AI_OPERATION_NAME,
    GEN_AI_USAGE_INPUT_TOKENS,
    GEN_AI_USAGE_OUTPUT_TOKENS,
    GenAiOperationNameValues,
)

from .console_tree import Node, Summary, attributes_of, is_lm_call, number_of
from .console_words import Part, cost_words, count_words, duration_words, error_words, note_words, tidy
from .semconv import DSPY_MODULE_PATH

__all__ = ["Row", "rows_of"]

_LONGEST_NAME: Final = 120
_NAME_STYLES: Final = {
    GenAiOperationNameValues.CHAT.value: "cyan",
    GenAiOperationNameValues.TEXT_COMPLETION.value: "cyan",
    GenAiOperationNameValues.GENERATE_CONTENT.value: "cyan",
    GenAiOperationNameValues.EMBEDDINGS.value: "blue",
    GenAiOperationNameValues.RETRIEVAL.value: "blue",
    GenAiOperationNameValues.EXECUTE_TOOL.value: "magenta",
    GenAiOperationNameValues.INVOKE_AGENT.value: "bold",
    GenAiOperationNameValues.INVOKE_WORKFLOW.value: "bold",
}


@dataclass(slots=True)
class Row:
    """One span, or a fold of many: cells that stand under those of the other rows.

    ``guides`` are the tree's lines in front of the name, ``guides_below`` those of a continuation of this row.
    """

    guides: str
    guides_below: str
    name: list[Part]
    duration: str = ""
    calls: str = ""
    tokens_in: str = ""
    tokens_out: str = ""
    cost: str = ""
    style: str = ""
    notes: list[Part] = field(default_factory=list)
    error: str = ""


@dataclass(slots=True)
class _Fold:
    """Siblings that are shown as one row."""

    nodes: list[Node]


_Branch = Node | _Fold | Summary


@dataclass(slots=True)
class _Place:
    """A branch on its way to a row: where it hangs, and what its row has to know of the rows above."""

    branch: _Branch
    guides: str = ""
    guides_below: str = ""
    path: str = ""
    survived: bool = False


def rows_of(roots: list[Node], *, max_children: int, under_header: bool) -> list[Row]:
    """Return the rows from top to bottom; with ``under_header`` the roots hang from a line that comes before them."""
    if under_header:
        places = _hang(_fold(roots, max_children), "", "", survived=False)
    else:
        places = [_Place(root) for root in roots]
    rows = []
    waiting = places[::-1]
    while waiting:
        place = waiting.pop()
        node = place.branch
        if isinstance(node, Node):
            branches = _branches(node, max_children)
            rows.append(_span_row(place, node, has_branches=bool(branches)))
            path = _path_of(node) or place.path
            below = _hang(branches, place.guides_below, path, survived=node.error is None)
            waiting.extend(reversed(below))
        elif isinstance(node, _Fold):
            rows.append(_fold_row(place, node))
        else:
            rows.append(_summary_row(place, f"… {count_words(node.spans, 'span')} printed above", node))
    return rows


def _branches(node: Node, max_children: int) -> list[_Branch]:
    branches = _fold(node.children, max_children)
    return branches if node.printed_above is None else [*branches, node.printed_above]


def _fold(nodes: list[Node], max_children: int) -> list[_Branch]:
    """Of too many siblings keep the first few and those with errors, failed ones before those that only contain one."""
    if len(nodes) <= max_children:
        return list(nodes)
    few = max(1, max_children // 4)
    with_errors = [index for index in range(few, len(nodes)) if nodes[index].summary.errors]
    with_errors.sort(key=lambda index: nodes[index].error is None)
    shown = {*range(few), *with_errors[: max(1, max_children - few)]}
    return [
        *(node for index, node in enumerate(nodes) if index in shown),
        _Fold([node for index, node in enumerate(nodes) if index not in shown]),
    ]


def _hang(branches: list[_Branch], guides: str, path: str, *, survived: bool) -> list[_Place]:
    places = [_Place(branch, f"{guides}├─ ", f"{guides}│  ", path, survived) for branch in branches]
    if places:
        places[-1].guides = f"{guides}└─ "
        places[-1].guides_below = f"{guides}   "
    return places


def _path_of(node: Node) -> str:
    return str(attributes_of(node.span).get(DSPY_MODULE_PATH, ""))


def _span_row(place: _Place, node: Node, *, has_branches: bool) -> Row:
    row = Row(
        guides=place.guides,
        guides_below=place.guides_below + ("│  " if has_branches else "   "),
        name=_name(node, place.path),
        duration=duration_words(node.duration),
        notes=list(note_words(node)),
    )
    _put_figures(row, node)
    if node.error is not None:
        # The message stands where the error came up; the parents that it went through show its type alone.
        from_below = any(child.error == node.error for child in node.children)
        row.error = error_words(node.error, with_message=not from_below)
        row.error += " (survived)" if place.survived else ""
    return row


def _name(node: Node, parent_path: str) -> list[Part]:
    operation = str(attributes_of(node.span).get(GEN_AI_OPERATION_NAME, ""))
    style = "red" if node.error is not None else _NAME_STYLES.get(operation, "")
    parts = [Part(tidy(node.span.name, _LONGEST_NAME), style)]
    path = _path_of(node)
    if path and path != parent_path:
        # Below `first` the path `first.predict` is `.predict`: the tree says the rest.
        shown = path.removeprefix(parent_path) if path.startswith(f"{parent_path}.") else path
        parts.append(Part(f" {tidy(shown, _LONGEST_NAME)}", "dim"))
    return parts


def _put_figures(row: Row, node: Node) -> None:
    usage = node.summary.usage
    tokens_in: float = usage.input_tokens
    tokens_out: float = usage.output_tokens
    if is_lm_call(node.span):
        row.cost = cost_words(usage) if node.error is None or usage.cost > 0 else ""
    elif usage.lm_calls:
        _put_rolled_up(row, node.summary)
        return
    else:
        tokens_in = number_of(node.span, GEN_AI_USAGE_INPUT_TOKENS) or 0
        tokens_out = number_of(node.span, GEN_AI_USAGE_OUTPUT_TOKENS) or 0
    if tokens_in or tokens_out:
        row.tokens_in, row.tokens_out = f"{tokens_in:,.0f}", f"{tokens_out:,.0f}"


def _put_rolled_up(row: Row, summary: Summary) -> None:
    usage = summary.usage
    row.style = "dim"
    row.cost = cost_words(usage)
    if usage.lm_calls:
        # The space keeps the word `call` under the word `call`.
        row.calls = f"Σ {count_words(usage.lm_calls, 'call ', 'calls')}"
    if usage.input_tokens or usage.output_tokens:
        row.tokens_in, row.tokens_out = f"{usage.input_tokens:,}", f"{usage.output_tokens:,}"


def _summary_row(place: _Place, words: str, summary: Summary) -> Row:
    row = Row(place.guides, place.guides_below, [Part(words, "dim")])
    _put_rolled_up(row, summary)
    row.notes.extend(_counted(summary))
    return row


def _counted(summary: Summary) -> Iterator[Part]:
    if summary.usage.cache_hits:
        yield Part(f"{summary.usage.cache_hits:,} cached", "green")
    if summary.errors:
        yield Part(count_words(summary.errors, "error"), "red")


def _fold_row(place: _Place, fold: _Fold) -> Row:
    summary = Summary()
    for node in fold.nodes:
        summary.add(node.summary)
    names = {node.span.name for node in fold.nodes}
    of_what = f" {tidy(names.pop(), _LONGEST_NAME)}" if len(names) == 1 else ""
    row = _summary_row(place, f"… {len(fold.nodes):,} more{of_what}", summary)
    durations = [node.duration for node in fold.nodes]
    row.notes.insert(0, Part(f"{duration_words(min(durations))} – {duration_words(max(durations))} each", "dim"))
    return row
