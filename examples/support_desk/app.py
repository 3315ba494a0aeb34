"""A lamp shop's support desk: articles answer general questions, an agent with tools those about an order."""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
import time
import zlib
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import dspy
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

DATA = Path(__file__).parent / "data"
DEFAULT_MODEL = "openai/gpt-4o-mini"
LOCAL = os.environ.get("DEMO_MODEL") == "local"
# One processor takes a minute for what a provider's machines do in a second.
AGENT_TURNS, TEST_QUESTIONS = (2, 2) if LOCAL else (5, 8)
QUESTIONS = (
    "How long does a parcel to Norway take?",
    "Has order A-1042 arrived, and can I still send it back?",
    "How long does a parcel to Norway take?",
)
REFUND_POLICIES = {
    "standard": "Unused lamps: the full price within 30 days after delivery.",
    "outlet": "Unused lamps: 90 percent of the price within 30 days after delivery.",
    "made to measure": "No refund, unless the lamp is faulty.",
}


def read_data(name: str) -> Any:
    return json.loads((DATA / name).read_text(encoding="utf-8"))


class TriageQuestion(dspy.Signature):
    """Decide whether a customer asks about an order of their own, or something that holds for everybody."""

    question: str = dspy.InputField()
    kind: Literal["general", "order"] = dspy.OutputField()


class DraftAnswer(dspy.Signature):
    """Answer a customer's question from the articles alone, in two or three friendly sentences."""

    articles: list[str] = dspy.InputField()
    question: str = dspy.InputField()
    answer: str = dspy.OutputField()


class ResolveOrderQuestion(dspy.Signature):
    """Answer a customer's question about an order; look up the order and its refund policy."""

    question: str = dspy.InputField()
    answer: str = dspy.OutputField()


class JudgeAnswer(dspy.Signature):
    """Say whether an answer of the support desk is friendly and answers what was asked."""

    question: str = dspy.InputField()
    answer: str = dspy.InputField()
    helpful: bool = dspy.OutputField()


def look_up_order(order_number: str) -> dict[str, Any]:
    """The lamp, category, price and status of an order; order numbers look like A-1000."""
    return read_data("orders.json").get(order_number, {"status": "there is no order with this number"})


def refund_policy(category: Literal["standard", "outlet", "made to measure"]) -> str:
    """What a customer gets back for a lamp of this category."""
    return REFUND_POLICIES[category]


def embed(texts: list[str]) -> np.ndarray:
    """Count each text's words in 512 buckets: enough to tell seven articles apart, without any service."""
    vectors = np.zeros((len(texts), 512), dtype=np.float32)
    for row, text in enumerate(texts):
        for word in re.findall(r"[a-z]{4,}", text.lower()):
            vectors[row, zlib.crc32(word[:6].encode()) % 512] += 1
    return vectors


class SupportDesk(dspy.Module):
    def __init__(self, articles: list[str]) -> None:
        super().__init__()
        self.triage = dspy.Predict(TriageQuestion)
        self.search = dspy.Embeddings(articles, dspy.Embedder(embed, caching=False), k=2)
        self.draft = dspy.ChainOfThought(DraftAnswer)
        tools = [look_up_order, refund_policy]
        self.agent = dspy.ReAct(ResolveOrderQuestion, tools=tools, max_iters=AGENT_TURNS)

    def forward(self, question: str) -> dspy.Prediction:
        if self.triage(question=question).kind == "order":
            return self.agent(question=question)
        return self.draft(articles=self.search(question).passages, question=question)


judge = dspy.Predict(JudgeAnswer)


def answered_well(example: dspy.Example, prediction: dspy.Prediction, trace: object = None) -> bool:
    """All the facts are in the answer, and the judge finds it helpful."""
    has_facts = all(fact.lower() in prediction.answer.lower() for fact in example.facts)
    return judge(question=example.question, answer=prediction.answer).helpful and has_facts


@contextmanager
def language_model() -> Iterator[dspy.LM]:
    """The model that DEMO_MODEL and DEMO_API_BASE name; the scripted one if they name none, a real one for `local`."""
    model = os.environ.get("DEMO_MODEL") or DEFAULT_MODEL
    if LOCAL:
        with local_language_model() as lm:
            yield lm
    elif os.environ.get("DEMO_API_BASE"):
        yield dspy.LM(model, api_base=os.environ["DEMO_API_BASE"])
    elif os.environ.get("DEMO_MODEL"):
        yield dspy.LM(model)
    else:
        # The server that all examples share lies beside the folder of this one.
        sys.path.append(str(DATA.parents[1]))
        from scripted_model import ScriptedModel

        with ScriptedModel(read_data("script.json")) as server:
            yield dspy.LM(model, api_base=server.url, api_key="not-needed")


@contextmanager
def local_language_model() -> Iterator[dspy.LM]:
    """A real model in this process, and the adapter that makes a model so small keep to DSPy's layout."""
    # Not above: only whoever asks for this model has its packages.
    from local_model import NAME, GrammarAdapter, LocalModel

    with LocalModel() as server:
        print(f"{NAME} runs on this machine: what it writes is nonsense, its tokens and times are real.\n")
        dspy.configure(adapter=GrammarAdapter())
        yield dspy.LM(server.model, api_base=server.url, api_key="not-needed")


def main() -> None:
    articles = [f"{article['title']}: {article['text']}" for article in read_data("articles.json")]
    tests = read_data("evaluation.json")[:TEST_QUESTIONS]
    examples = [dspy.Example(**test).with_inputs("question") for test in tests]

    # A cache of its own: each run begins without any answer, and has the third question's from the first.
    with language_model() as lm, tempfile.TemporaryDirectory() as cache_directory:
        dspy.configure_cache(disk_cache_dir=cache_directory)
        dspy.configure(lm=lm)
        desk = SupportDesk(articles)

        for question in QUESTIONS:
            started = time.perf_counter()
            answer = desk(question=question).answer
            print(f"Customer: {question}\nDesk:     {answer} ({time.perf_counter() - started:.2f} s)\n")

        evaluate = dspy.Evaluate(devset=examples, metric=answered_well, num_threads=4)
        result = evaluate(desk)
        print(f"{result.score} % of {len(examples)} test questions are answered well. Those that are not:")
        for example, prediction, good in result.results:
            if not good:
                print(f"  {example.question}\n  {prediction.answer}")


if __name__ == "__main__":
    main()
