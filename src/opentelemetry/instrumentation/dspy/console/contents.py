"""What a span says of prompts, replies and values, in a few short texts."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.semconv._incubating.attributes.gen_ai_attributes import (
    GEN_AI_INPUT_MESSAGES,
    GEN_AI_OPERATION_NAME,
    GEN_AI_OUTPUT_MESSAGES,
    GEN_AI_RETRIEVAL_DOCUMENTS,
    GEN_AI_RETRIEVAL_QUERY_TEXT,
    GEN_AI_TOOL_CALL_ARGUMENTS,
    GEN_AI_TOOL_CALL_RESULT,
    GenAiOperationNameValues,
)

from ..amounts import count_words
from ..semconv import (
    DSPY_DOCUMENTS_COUNT,
    DSPY_EVALUATE_METRIC,
    DSPY_EXAMPLE_FEEDBACK,
    DSPY_EXAMPLE_INPUTS,
    DSPY_EXAMPLE_LABELS,
    DSPY_EXAMPLE_PREDICTION,
    DSPY_MODULE_INPUTS,
    DSPY_MODULE_NAME,
    DSPY_MODULE_OUTPUTS,
    DSPY_OPTIMIZER_BEST_INSTRUCTIONS,
    DSPY_OPTIMIZER_NAME,
    DSPY_OPTIMIZER_TRIAL_INSTRUCTIONS,
)
from .examples import is_example
from .said import Said, plain, said_before, said_in_reply, texts_of
from .tree import Node, attributes_of, is_lm_call, number_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from opentelemetry.util.types import AttributeValue

__all__ = ["Said", "content_of", "has_content", "is_module"]


_CONTENT: Final = (
    GEN_AI_INPUT_MESSAGES,
    GEN_AI_OUTPUT_MESSAGES,
    GEN_AI_RETRIEVAL_DOCUMENTS,
    GEN_AI_RETRIEVAL_QUERY_TEXT,
    GEN_AI_TOOL_CALL_ARGUMENTS,
    GEN_AI_TOOL_CALL_RESULT,
    DSPY_EXAMPLE_INPUTS,
    DSPY_MODULE_INPUTS,
    DSPY_MODULE_OUTPUTS,
)
_MODULES: Final = (GenAiOperationNameValues.INVOKE_WORKFLOW.value, GenAiOperationNameValues.INVOKE_AGENT.value)

_TRAJECTORY: Final = "trajectory"
_MOST_FIELDS: Final = 4
_MOST_DOCUMENTS: Final = 3
_VALUE_LINES: Final = 2
_OUTPUT_LINES: Final = 3
_WITHOUT_NAME: Final = "input"
"""What a text is called that has no field: the one text that a workflow or an agent was asked, for instance."""


def is_module(node: Node) -> bool:
    """Whether a span is a call of a DSPy module."""
    attributes = attributes_of(node.span)
    if attributes.get(GEN_AI_OPERATION_NAME) in _MODULES:
        return True
    # An evaluation names the module that it evaluates, and an optimizer run may.
    return DSPY_MODULE_NAME in attributes and not {DSPY_EVALUATE_METRIC, DSPY_OPTIMIZER_NAME} & attributes.keys()


def has_content(node: Node) -> bool:
    """Whether a span says anything of prompts, replies or values."""
    attributes = attributes_of(node.span)
    return any(name in attributes for name in _CONTENT)


def content_of(node: Node, *, in_module: bool, example: Node | None) -> list[Said]:
    """Return what there is to say, in the order of the call.

    A module tells its inputs and outputs if no other module is around it; what an example around it tells is not told
    again: the inputs, and what the program answered. The others' are in the prompts and replies below them.
    """
    attributes = attributes_of(node.span)
    if is_lm_call(node.span):
        return [
            *said_before(_value_of(attributes, GEN_AI_INPUT_MESSAGES)),
            *said_in_reply(_value_of(attributes, GEN_AI_OUTPUT_MESSAGES)),
        ]
    if is_example(node):
        return list(_of_example(attributes))
    if is_module(node):
        return [] if in_module else list(_of_module(node, attributes, example))
    return [*_of_tool(attributes), *_of_retrieval(node, attributes), *_of_optimizer(attributes)]


def _of_example(attributes: Mapping[str, AttributeValue]) -> Iterator[Said]:
    yield from _fields(_value_of(attributes, DSPY_EXAMPLE_INPUTS), "{}")
    yield from _fields(_value_of(attributes, DSPY_EXAMPLE_LABELS), "expected {}")
    yield from _fields(_value_of(attributes, DSPY_EXAMPLE_PREDICTION), "→ {}", _OUTPUT_LINES)
    if DSPY_EXAMPLE_FEEDBACK in attributes:
        yield Said("feedback", str(attributes[DSPY_EXAMPLE_FEEDBACK]), _VALUE_LINES)


def _of_optimizer(attributes: Mapping[str, AttributeValue]) -> Iterator[Said]:
    yield from _fields(_value_of(attributes, DSPY_OPTIMIZER_TRIAL_INSTRUCTIONS), "tried {}")
    yield from _fields(_value_of(attributes, DSPY_OPTIMIZER_BEST_INSTRUCTIONS), "best {}")


def _of_module(node: Node, attributes: Mapping[str, AttributeValue], example: Node | None) -> Iterator[Said]:
    outputs = _module_value(attributes, DSPY_MODULE_OUTPUTS, GEN_AI_OUTPUT_MESSAGES)
    if example is None:
        yield from _fields(_module_value(attributes, DSPY_MODULE_INPUTS, GEN_AI_INPUT_MESSAGES), "{}")
    elif _program_of(example) is node:
        outputs = _without(outputs, _value_of(attributes_of(example.span), DSPY_EXAMPLE_PREDICTION))
    yield from _fields(outputs, "→ {}", _OUTPUT_LINES)


def _program_of(example: Node) -> Node | None:
    """Return the module that an example was given to: those after it are the metric's."""
    waiting = example.children[::-1]
    while waiting:
        node = waiting.pop()
        if is_module(node):
            return node
        waiting.extend(reversed(node.children))
    return None


def _without(outputs: Any, told: Any) -> Any:
    """Return what a module answered without what is told already; the text of one field may stand without its name."""
    answers = [*told.values()] if isinstance(told, dict) else [told]
    answers = [_read(answer) if isinstance(answer, str) else answer for answer in answers]
    if answers == [outputs]:
        return None
    if not isinstance(outputs, dict) or not isinstance(told, dict):
        return outputs
    return {name: value for name, value in outputs.items() if name not in told or told[name] != value}


def _module_value(attributes: Mapping[str, AttributeValue], own: str, messages: str) -> Any:
    """Return the fields of a module; workflows and agents have theirs as the texts of messages."""
    if own in attributes:
        return _value_of(attributes, own)
    texts = texts_of(_value_of(attributes, messages))
    return _read("\n".join(texts)) if texts else None


def _of_tool(attributes: Mapping[str, AttributeValue]) -> Iterator[Said]:
    yield from _fields(_value_of(attributes, GEN_AI_TOOL_CALL_ARGUMENTS), "{}")
    if GEN_AI_TOOL_CALL_RESULT in attributes:
        yield Said("→", plain(_value_of(attributes, GEN_AI_TOOL_CALL_RESULT)), _VALUE_LINES)


def _of_retrieval(node: Node, attributes: Mapping[str, AttributeValue]) -> Iterator[Said]:
    if GEN_AI_RETRIEVAL_QUERY_TEXT in attributes:
        yield Said("query", plain(_value_of(attributes, GEN_AI_RETRIEVAL_QUERY_TEXT)), _VALUE_LINES)
    documents = _value_of(attributes, GEN_AI_RETRIEVAL_DOCUMENTS)
    if not isinstance(documents, list):
        return
    count = number_of(node.span, DSPY_DOCUMENTS_COUNT)
    label = count_words(len(documents) if count is None else int(count), "document")
    for document in documents[:_MOST_DOCUMENTS]:
        text = document.get("content", document) if isinstance(document, dict) else document
        yield Said(label, plain(text), 1)
        label = ""


def _fields(values: Any, label: str, lines: int = _VALUE_LINES) -> Iterator[Said]:
    """Give out one text for each field; a value that has no fields is one text."""
    if values is None or values == {}:
        return
    if not isinstance(values, dict):
        yield Said(label.format("").strip() or _WITHOUT_NAME, plain(values), lines, tail=True)
        return
    # What an agent did is told by the spans below it.
    names = [name for name in values if name != _TRAJECTORY or len(values) == 1]
    for name in names[:_MOST_FIELDS]:
        yield Said(label.format(name), plain(values[name]), lines, tail=True)
    if names[_MOST_FIELDS:]:
        yield Said("…", f"{len(names) - _MOST_FIELDS} more: {', '.join(names[_MOST_FIELDS:])}", 1)


def _value_of(attributes: Mapping[str, AttributeValue], name: str) -> Any:
    value = attributes.get(name)
    return _read(value) if isinstance(value, str) else value


def _read(text: str) -> Any:
    """Return what a JSON text holds; a text that is none, or was cut by a limit, is itself."""
    if not text.lstrip().startswith(("{", "[")):
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
