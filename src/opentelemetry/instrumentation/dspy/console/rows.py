"""A tree as rows: which children are shown, which are folded into one row, and what each row says."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from opentelemetry.semconv._incubating.attributes.gen_ai_attributes import (
    GEN_AI_OPERATION_NAME,
    GEN_AI_USAGE_INPUT_TOKENS,
    GEN_AI_USAGE_OUTPUT_TOKENS,
    GenAiOperationNameValues,
)

from ..amounts import count_words
from ..semconv import (
    DSPY_ATTEMPT_INDEX,
    DSPY_EXAMPLE_INDEX,
    DSPY_MODULE_PATH,
    DSPY_OPTIMIZER_TRIAL,
)
from .contents import Said, content_of, is_module
from .examples import is_example
from .folds import Fold, branches_of, fold
from .tree import Node, Summary, attributes_of, is_embedding, is_lm_call, number_of
from .words import Part, cost_words, duration_words, error_words, note_words, tidy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .folds import Branch, View

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
_SELF_EVIDENT: Final = (".module", ".predict")
"""Where DSPy's own modules keep the module that does their work."""
_INDEXES: Final = (DSPY_EXAMPLE_INDEX, DSPY_ATTEMPT_INDEX, DSPY_OPTIMIZER_TRIAL)


@dataclass(slots=True)
class Row:
    """One span, or a fold of many: cells that stand under those of the other rows.

    ``guides`` are the tree's lines in front of the name, ``guides_below`` those of a continuation of the row;
    ``is_rolled_up`` tells sums over what is below from a span's own figures.
    """

    guides: str
    guides_below: str
    name: list[Part]
    duration: str = ""
    calls: int = 0
    tokens_in: str = ""
    tokens_out: str = ""
    cost: str = ""
    is_rolled_up: bool = False
    notes: list[Part] = field(default_factory=list)
    error: Part | None = None
    contents: list[Said] = field(default_factory=list)


@dataclass(slots=True)
class _Place:
    """A branch on its way to a row: where it hangs, and what its row has to know of the rows above."""

    branch: Branch | None
    guides: str = ""
    guides_below: str = ""
    path: str = ""
    survived: bool = False
    in_module: bool = False
    example: Node | None = None


def rows_of(roots: list[Node], view: View, *, under_header: bool) -> list[Row]:
    """Return the rows from top to bottom; with ``under_header`` the roots hang from a line before them."""
    if under_header:
        places = _hang(fold(roots, view), _Place(None), "", survived=False)
    else:
        places = [_Place(root) for root in roots]
    rows = []
    waiting = places[::-1]
    while waiting:
        place = waiting.pop()
        node = place.branch
        if isinstance(node, Node):
            branches = branches_of(node, view)
            row = _span_row(place, node, has_branches=bool(branches))
            if not view.times:
                row.duration = ""
            if view.content:
                row.contents = content_of(node, in_module=place.in_module, example=place.example)
            rows.append(row)
            below = _hang(branches, place, _path_of(node) or place.path, survived=node.error is None)
            waiting.extend(reversed(below))
        elif isinstance(node, Fold):
            rows.append(_fold_row(place, node, times=view.times))
        elif node is not None:
            rows.append(_summary_row(place, f"… {count_words(node.spans, 'span')} printed above", node))
    return rows


def _hang(branches: list[Branch], parent: _Place, path: str, *, survived: bool) -> list[_Place]:
    guides, node = parent.guides_below, parent.branch
    in_module = parent.in_module or (isinstance(node, Node) and is_module(node))
    example = node if isinstance(node, Node) and is_example(node) else parent.example
    places = [_Place(branch, f"{guides}├─ ", f"{guides}│  ", path, survived, in_module, example) for branch in branches]
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
        name=_name(node, place.path, is_root=not place.guides),
        duration=duration_words(node.duration),
        notes=list(note_words(node)),
    )
    _put_figures(row, node)
    if node.error is not None:
        # The message stands where the error came up; the parents that it went through show its type alone.
        from_below = any(child.error == node.error for child in node.children)
        words = error_words(node.error, with_message=not from_below, survived=place.survived)
        row.error = Part(words, "red")
    return row


def _name(node: Node, parent_path: str, *, is_root: bool) -> list[Part]:
    operation = str(attributes_of(node.span).get(GEN_AI_OPERATION_NAME, ""))
    style = "red" if node.error is not None else _NAME_STYLES.get(operation, "bold" if is_root else "")
    parts = [Part(tidy(node.span.name, _LONGEST_NAME), style)]
    place = _place_words(node, parent_path)
    if place:
        parts.append(Part(f" {tidy(place, _LONGEST_NAME)}", "dim"))
    for name in _INDEXES:
        index = number_of(node.span, name)
        if index is not None:
            parts.append(Part(f" #{index:.0f}", "dim"))
    return parts


def _place_words(node: Node, parent_path: str) -> str:
    """Return what the row has to say of the node's path: what neither the row above nor the span's name says."""
    path, word = _path_of(node), node.span.name.partition(" ")[2]
    if not path or path == parent_path:
        return ""
    # Below `first` the path `first.predict` is `.predict`: the tree says the rest.
    is_below = path.startswith(f"{parent_path}.")
    shown = path.removeprefix(parent_path) if is_below else path
    if shown.removeprefix(".") == word or (is_below and shown in _SELF_EVIDENT and _ends_with(parent_path, word)):
        return ""
    # `Predict steps` at `steps[2]` is `Predict steps [2]`.
    index = shown.removeprefix(".").removeprefix(word)
    return index if word and index.startswith("[") else f"({shown})"


def _ends_with(path: str, word: str) -> bool:
    while path.endswith(_SELF_EVIDENT):
        path = path.rpartition(".")[0]
    return path.rpartition(".")[2].partition("[")[0] == word


def _put_figures(row: Row, node: Node) -> None:
    usage = node.summary.usage
    tokens_in: float = usage.input_tokens
    tokens_out: float = usage.output_tokens
    if is_lm_call(node.span):
        row.cost = cost_words(usage) if node.error is None or usage.cost > 0 else ""
    elif is_embedding(node.span):
        row.cost = cost_words(usage)
        tokens_in += usage.embedding_tokens
    elif usage.lm_calls or usage.embedding_tokens or usage.cost_unknown_calls:
        _put_rolled_up(row, node.summary)
        return
    else:
        tokens_in = number_of(node.span, GEN_AI_USAGE_INPUT_TOKENS) or 0
        tokens_out = number_of(node.span, GEN_AI_USAGE_OUTPUT_TOKENS) or 0
    if tokens_in or tokens_out:
        row.tokens_in, row.tokens_out = f"{tokens_in:,.0f}", f"{tokens_out:,.0f}"


def _put_rolled_up(row: Row, summary: Summary) -> None:
    """Put the sums over what is below; what was embedded is among what went in, as in the rows below."""
    usage = summary.usage
    row.is_rolled_up = True
    row.cost = cost_words(usage)
    row.calls = usage.lm_calls
    if usage.tokens:
        row.tokens_in = f"{usage.input_tokens + usage.embedding_tokens:,}"
        row.tokens_out = f"{usage.output_tokens:,}"


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


def _fold_row(place: _Place, folded: Fold, *, times: bool) -> Row:
    summary = Summary()
    for node in folded.nodes:
        summary.add(node.summary)
    names = {node.span.name for node in folded.nodes}
    of_what = f" {tidy(names.pop(), _LONGEST_NAME)}" if len(names) == 1 else ""
    if folded.passed:
        of_what = " passed"
    row = _summary_row(place, f"… {len(folded.nodes):,}{'' if folded.all else ' more'}{of_what}", summary)
    shortest = duration_words(min(node.duration for node in folded.nodes))
    longest = duration_words(max(node.duration for node in folded.nodes))
    words = longest if shortest == longest else f"{shortest} to {longest}"
    if times:
        row.notes.insert(0, Part(f"{words} each", "dim"))
    return row
