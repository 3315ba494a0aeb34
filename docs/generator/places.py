"""Where names stand, in words: the kinds of spans in the order of the reference, and which names each of them has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .convention_names import CONTENT, OPENINFERENCE_NAMES
from .semconv_names import names

if TYPE_CHECKING:
    from .emitted import Emitted

__all__ = ["SPANS", "SpanKind", "is_content", "title_of", "types_of", "where"]


@dataclass(frozen=True, slots=True)
class SpanKind:
    """A kind of span: what it is called in the pages, its name, and what of DSPy it stands for."""

    title: str
    name: str
    stands_for: str


SPANS: dict[str, SpanKind] = {
    "invoke_workflow": SpanKind(
        "workflow", "invoke_workflow {class}", "a module of the application, also inside of another one"
    ),
    "invoke_agent": SpanKind(
        "agent", "invoke_agent {agent}", "`ReAct`, `ReActV2`, `CodeAct`, `RLM`, `Avatar` and their subclasses"
    ),
    "module": SpanKind(
        "module", "{class} {signature}", "any other module of DSPy: `Predict`, `ChainOfThought`, `BestOfN`, …"
    ),
    "Parallel": SpanKind("Parallel", "Parallel", "`dspy.Parallel`, `Module.batch`"),
    "KNN": SpanKind("KNN", "KNN", "`dspy.KNN`"),
    "Unbatchify": SpanKind("Unbatchify", "Unbatchify", "one batch that serves several callers"),
    "adapter": SpanKind(
        "adapter", "{adapter} {signature}", "an adapter call, with `OTEL_INSTRUMENTATION_DSPY_ADAPTER_SPANS=true`"
    ),
    "chat": SpanKind(
        "chat",
        "chat {model}, text_completion {model}",
        'one call of any `dspy.BaseLM`; `text_completion` for `model_type="text"`',
    ),
    "embeddings": SpanKind("embeddings", "embeddings {model}", "`dspy.Embedder`"),
    "retrieval": SpanKind(
        "retrieval",
        "retrieval {data source}, retrieval",
        "`dspy.Retrieve`, `Embeddings`, `ColBERTv2` and their like",
    ),
    "execute_tool": SpanKind(
        "tool", "execute_tool {tool}", "`dspy.Tool`, of MCP and LangChain too; a code interpreter's `execute`"
    ),
    "evaluate": SpanKind("evaluation", "evaluate {metric}", "`dspy.Evaluate`"),
    "evaluate_example": SpanKind("example", "evaluate_example", "the program and the metric on one example"),
    "optimize": SpanKind("optimizer run", "optimize {optimizer}", "`Teleprompter.compile`"),
    "optimize_trial": SpanKind("trial", "optimize_trial", "one candidate, or one iteration, of an optimizer"),
}

_OWN_CONTENT = frozenset(name.value for name in names() if "Content, off by default" in name.meaning)


def is_content(name: str) -> bool:
    """Whether an attribute is there with content on alone."""
    return name in CONTENT or name in _OWN_CONTENT


def title_of(place: str) -> str:
    """Return what a place is called in a cell of a table."""
    kind, _, name = place.partition(" ")
    if kind == "span" and not name.startswith("event "):
        return SPANS[name].title
    return f"`{name.removeprefix('event ')}`"


def where(name: str, emitted: Emitted, kinds: tuple[str, ...]) -> str:
    """Return the places of some kinds where a name stands, those where it always does in bold."""
    order = [f"span {span}" for span in SPANS]
    places = [place for place in emitted.places if place.startswith(kinds)]
    places.sort(key=lambda place: (place not in order, order.index(place) if place in order else 0, place))
    found = []
    for place in places:
        seen = emitted.places[place]
        if name in seen["names"]:
            title = title_of(place)
            found.append(f"**{title}**" if name in seen["always"] and name not in OPENINFERENCE_NAMES else title)
    return ", ".join(found)


def types_of(name: str, emitted: Emitted) -> str:
    """Return the types that a name has, wherever it stands."""
    return ", ".join(sorted({kind for seen in emitted.places.values() for kind in seen["names"].get(name, [])}))
