"""Everywhere in a program where the library walks what the program has there."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import dspy
from dspy.teleprompt import Teleprompter
from numbered_calls import NumberedModel

from opentelemetry.instrumentation.dspy import telemetry_context

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["PLACES", "WRITTEN_BY_DSPY"]


class Replying(NumberedModel):
    """Has a value somewhere in each of its replies."""

    def __init__(self, where: str, value: Any) -> None:
        super().__init__(model="numbered")
        self.where, self.value = where, value

    def forward(self, prompt: Any = None, messages: Any = None, **options: Any) -> Any:
        reply = super().forward(prompt, messages, **options)
        message = reply.choices[0].message
        if self.where == "arguments":
            function = SimpleNamespace(name="find", arguments=self.value)
            message.tool_calls = [SimpleNamespace(id="1", type="function", function=function)]
        elif self.where in ("citations", "choices"):
            setattr(reply, self.where, self.value)
        else:
            setattr(message, self.where, self.value)
        return reply


class Own(dspy.BaseLM):
    """Returns what it holds, whatever it is asked, and fails where that is an error."""

    def __init__(self, returned: Any = ("here",), **options: Any) -> None:
        super().__init__(model="own", **options)
        self.returned = returned

    def __call__(self, *_: Any, **__: Any) -> Any:
        if isinstance(self.returned, Exception):
            raise self.returned
        return self.returned


class Handing(dspy.Module):
    """Takes a value and hands one out."""

    def forward(self, value: Any) -> Any:
        return value


class Holding(dspy.Module):
    """Holds a value as an attribute and in a list."""

    def __init__(self, value: Any) -> None:
        super().__init__()
        self.value, self.several = value, [value]
        self.answer = dspy.Predict("question -> answer")

    def forward(self) -> Any:
        return self.answer(question="number 1")


class Failing(dspy.Module):
    """Raises an error that holds a value, and one that it was given."""

    def forward(self, value: Any, *, in_error: bool = True) -> Any:
        error = LookupError(value) if in_error else LookupError("it is broken")
        error.__notes__ = value
        raise error


class Compiling(Teleprompter):  # type: ignore[misc]
    """Takes whatever it is given."""

    def compile(self, student: Any, *, trainset: Any, teacher: Any = None, **_: Any) -> Any:
        return student


def ask(**options: Any) -> Any:
    return dspy.Predict("question -> answer")(question="number 1", **options)


def in_reply(where: str) -> Callable[[Any], Any]:
    def run(value: Any) -> Any:
        with dspy.context(lm=Replying(where, value)):
            return ask()

    return run


def found(passages: Callable[[Any], Any]) -> Callable[[Any], Any]:
    class Retriever(dspy.Retrieve):
        def forward(self, query: Any) -> Any:
            return passages(query)

    return lambda value: Retriever()(value)


def with_attributes(value: Any) -> Any:
    class Retriever(dspy.Retrieve):
        def forward(self, query: Any) -> Any:
            return [query]

    retriever = Retriever()
    retriever.client = retriever.index = retriever.retriever = value
    return retriever("Where?")


def evaluated(example: Callable[[Any], Any], score: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def run(value: Any) -> Any:
        made = dspy.Example(**example(value)).with_inputs("value")
        evaluate = dspy.Evaluate(
            devset=[made],
            metric=lambda *_: score(value),
            num_threads=1,
            display_progress=False,
            provide_traceback=False,
        )
        return evaluate(Handing()).score

    return run


def optimized(value: Any) -> Any:
    compiling = Compiling()
    compiling.teacher_settings = compiling.prompt_model = compiling.rules = value
    return compiling.compile(value, trainset=[dspy.Example(value=value)], teacher=value, valset=value)


def with_demonstration(**fields: Any) -> Any:
    predictor = dspy.Predict("question -> answer")
    predictor.demos = [dspy.Example(**fields)]
    return predictor(question="number 1")


def with_history(value: Any) -> Any:
    history = dspy.History(messages=[{"question": "Where?", "answer": value}])
    return dspy.Predict("question, history: dspy.History -> answer")(question="number 1", history=history)


def in_context(value: Any) -> Any:
    with telemetry_context(attributes={"value": value}):
        return ask()


def embedded_as(value: Any) -> Any:
    def embed(texts: Any) -> Any:
        return value

    return dspy.Embedder(embed, caching=False)(["Where?"])


def tool(value: Any) -> Any:
    return value


PLACES: dict[str, Callable[[Any], Any]] = {
    "argument and result": lambda value: Handing()(value),
    "named argument in a list": lambda value: Handing()(value=[value, {"key": value}]),
    "field of a prediction": lambda value: Handing()(dspy.Prediction(answer=value)),
    "attribute": lambda value: Holding(value)(),
    "error": lambda value: Failing()(value),
    "argument of a failing module": lambda value: Failing()(value, in_error=False),
    "tool": lambda value: dspy.Tool(tool, name="tool", args={"value": {}}, arg_types={"value": Any})(value=value),
    "input of a predictor": lambda value: dspy.Predict("question, more -> answer")(question="number 1", more=value),
    "demonstration": lambda value: ask(demos=[value]),
    "demonstrations": lambda value: ask(demos=value),
    "field of a demonstration": lambda value: with_demonstration(question="a", answer=value),
    "beside the fields of a demonstration": lambda value: with_demonstration(question="a", answer="b", beside=value),
    "option of a call": lambda value: ask(config={"n": value}),
    "history": with_history,
    **{
        f"reply: {where}": in_reply(where)
        for where in (
            *("content", "reasoning_content", "reasoning_details", "tool_calls", "arguments", "annotations", "images"),
            *("provider_specific_fields", "citations", "beside"),
        )
    },
    "returned by a model": lambda value: Own(value)("Where?"),
    "prompt": lambda value: Own()(value),
    "messages": lambda value: Own()(messages=value),
    "message": lambda value: Own()(messages=[value]),
    "content of a message": lambda value: Own()(messages=[{"role": "user", "content": value}]),
    "role of a message": lambda value: Own()(messages=[{"role": value, "content": "Where?"}]),
    "type of a part": lambda value: Own()(messages=[{"role": "user", "content": [{"type": value, "text": "Where?"}]}]),
    "result of a tool": lambda value: Own()(messages=[{"role": "tool", "tool_call_id": value, "content": value}]),
    "tools": lambda value: Own()("Where?", tools=value),
    "parameters of a tool": lambda value: Own()("Where?", tools=[{"name": "find", "parameters": value}]),
    "settings of a model": lambda value: Own(extra_body=value, headers=value, response_format=value)("Where?"),
    "settings of a failing model": lambda value: Own(LookupError("broken"), extra_body=value, stop=value)("Where?"),
    "query": found(lambda _: ["here"]),
    "passages": found(lambda value: value),
    "metadata of a passage": found(lambda value: [{"text": "here", "metadata": value, "beside": value}]),
    "columns of passages": found(lambda value: dspy.Prediction(passages=value, doc_ids=value, titles=value)),
    "attributes of a retriever": with_attributes,
    "texts to embed": lambda value: dspy.Embedder(lambda texts: [[1.0]] * len(texts), caching=False)(value),
    "embeddings": embedded_as,
    "example": evaluated(lambda value: {"value": value, "label": value}, lambda _: 1.0),
    "score": evaluated(lambda _: {"value": 1}, lambda value: {"score": value, "feedback": value}),
    "optimizer": optimized,
    "attributes of spans": in_context,
}

_BY_TEXT = frozenset({"input of a predictor", "field of a demonstration", "history"})
_BY_ARRAY = frozenset({"embeddings"})

WRITTEN_BY_DSPY = {
    **dict.fromkeys(_BY_TEXT, ("doubled", "a wide")),
    **dict.fromkeys(_BY_ARRAY, ("doubled",)),
    "demonstrations": ("a wide", "a long"),
    "example": ("doubled", "a wide", "deep"),
    "reply: content": ("doubled mappings", "a long"),
    "tool": ("doubled models",),
}
"""Where DSPy itself goes wherever it can, or takes minutes, so that there is nothing to compare with."""
