"""A program with a span of every kind in it, for tests of what all spans have in common."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import dspy
from agent_replies import step
from dspy.utils import DummyLM

if TYPE_CHECKING:
    from model_server import Request, Scripted

__all__ = ["FIRST_WORDS", "TRAINSET", "exact", "letters", "run_every_kind", "script"]

FIRST_WORDS = {
    *(
        "invoke_workflow",
        "ChainOfThought",
        "Predict",
        "Parallel",
        "KNN",
        "ChatAdapter",
        "JSONAdapter",
        "chat",
        "invoke_agent",
    ),
    *("execute_tool", "retrieval", "embeddings", "evaluate", "evaluate_example", "optimize", "optimize_trial"),
}
"""The first words of the names of all spans."""

TRAINSET = [
    dspy.Example(question=f"{number}?", answer=answer).with_inputs("question")
    for number, answer in enumerate(["here", "there"])
]


def exact(example: dspy.Example, prediction: dspy.Prediction, trace: Any = None) -> bool:
    return bool(example.answer == prediction.answer)


def letters(texts: list[str]) -> list[list[float]]:
    """Embed texts by how often some letters occur in them."""
    return [[float(text.count(letter)) for letter in "aeiou"] for text in texts]


def search(topic: str) -> str:
    """Look a topic up."""
    return f"All about {topic}."


class Desk(dspy.Module):
    """Searches, remembers, and asks an agent."""

    def __init__(self, retriever: dspy.ColBERTv2) -> None:
        super().__init__()
        self.retriever = retriever
        self.agent = dspy.ReAct("question -> answer", tools=[search])
        self.answer = dspy.ChainOfThought("question -> answer")

    def forward(self, question: str) -> Any:
        with dspy.context(rm=self.retriever):
            dspy.Retrieve(k=2)(question)
        dspy.KNN(k=1, trainset=TRAINSET, vectorizer=dspy.Embedder(letters, caching=False))(question=question)
        dspy.Parallel(num_threads=2, disable_progress_bar=True)([(self.answer, {"question": question})])
        return self.agent(question=question)


def script() -> Any:
    """The model: its agent looks one thing up; everything else has the server's defaults."""
    steps = iter([step("search", topic="rivers"), step("finish")])

    def reply(request: Request) -> Scripted:
        return next(steps) if "next_tool_name" in [field.name for field in request.prompt.fields] else None

    return reply


def run_every_kind(retriever: dspy.ColBERTv2) -> None:
    """Run it all, with the language model that DSPy is configured with; one predictor fails."""
    Desk(retriever)(question="Where is the Nile?")
    program = dspy.Predict("question -> answer")
    with dspy.context(lm=DummyLM([{"answer": "here"}] * 20)):
        dspy.Evaluate(devset=TRAINSET, metric=exact, num_threads=2)(program)
        dspy.BootstrapFewShot(metric=exact, max_bootstrapped_demos=1).compile(program, trainset=TRAINSET)
    with dspy.context(lm=DummyLM([{"age": "about six"}] * 4)), contextlib.suppress(Exception):
        dspy.Predict("question -> age: int")(question="How old?")
