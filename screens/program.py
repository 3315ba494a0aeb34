"""A lamp shop's support desk with all that DSPy has: it knows of no telemetry.

Retrieval with embeddings, an agent with tools, an evaluation with a judge, an optimizer, a stream, a picture, a retry,
a fallback and an error, always in the same order and with the same answers.
"""

from __future__ import annotations

import base64
import struct
import tempfile
import zlib
from typing import TYPE_CHECKING, Any

import dspy
from app import QUESTIONS, SupportDesk, answered_well, read_data

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

__all__ = [
    "EVALUATED",
    "PASSAGES",
    "SCORE",
    "SCRIPT",
    "SEARCHES",
    "TAUGHT",
    "TOOLS",
    "TRAINING",
    "TRIALS",
    "TURNS",
    "run",
]

TURNS = len(QUESTIONS)
"""Questions of one customer, asked in a conversation."""

TOOLS = ("look_up_order", "refund_policy")
"""Called once each by the agent."""

_EXAMPLES = read_data("evaluation.json")[:4]
EVALUATED, SCORE = [example["question"] for example in _EXAMPLES], 75.0
"""The questions of the evaluation; the answer to one of them lacks a fact."""

SEARCHES, PASSAGES = 6, 2
"""Questions that are looked up in the articles, those of the evaluation too, and what each of them finds."""

_HARD = "Order A-1090 came broken."
"""A question that the model gets wrong until it sees demonstrations."""

TRIALS = 4
"""Candidates that the optimizer scores: the program as it is, and with demonstrations chosen in three ways."""

TRAINING = {
    "Do you ship to Norway?": "general",
    "Where is my order A-1042?": "order",
    "Do you repair old lamps?": "general",
    _HARD: "order",
}

SCRIPT: dict[str, dict[str, Any]] = {
    **read_data("script.json"),
    **{question: {"reasoning": "It says so.", "kind": kind} for question, kind in TRAINING.items()},
    _HARD: {"reasoning": "It is about something broken.", "kind": "general"},
    "Tell me about yourselves": {"answer": "We are seven people who make lamps out of ash wood, one after the other."},
    "What is in the picture": {"caption": "A small red square."},
    "Is anybody there": {"answer": "Yes, from nine to five."},
}
"""What the model answers, by the question that it finds in a prompt."""

TAUGHT = {_HARD: {"reasoning": "It is about an order of their own.", "kind": "order"}}
"""What it answers instead where the prompt has demonstrations."""


def run(api_base: str, conversation: Callable[[], AbstractContextManager[object]]) -> None:
    """Run everything once; the customer's questions stand inside of a conversation."""
    with tempfile.TemporaryDirectory() as cache_directory:
        dspy.configure_cache(disk_cache_dir=cache_directory)
        dspy.configure(lm=dspy.LM("openai/gpt-4o-mini", api_base=api_base, api_key="not-needed", num_retries=2))
        desk = _desk(api_base)
        with conversation():
            for question in QUESTIONS:
                print(desk(question=question).answer)
        _evaluate(desk)
        _optimize()
        _stream()
        _describe_a_picture()
        print(dspy.Predict("question -> answer")(question="Is anybody there?").answer)
        print(dspy.Predict("question -> answer")(question="Which lamp is the brightest?").answer)
        _fail()


def _desk(api_base: str) -> SupportDesk:
    articles = [f"{article['title']}: {article['text']}" for article in read_data("articles.json")]
    desk = SupportDesk(articles)
    embedder = dspy.Embedder("openai/text-embedding-3-small", api_base=api_base, api_key="not-needed", caching=False)
    desk.search = dspy.Embeddings(articles, embedder, k=PASSAGES)
    return desk


def _evaluate(desk: SupportDesk) -> None:
    examples = [dspy.Example(**test).with_inputs("question") for test in _EXAMPLES]
    print(dspy.Evaluate(devset=examples, metric=answered_well, num_threads=1)(desk).score)


def _optimize() -> None:
    def right_kind(example: dspy.Example, prediction: dspy.Prediction, trace: object = None) -> bool:
        return bool(example.kind == prediction.kind)

    examples = [
        dspy.Example(question=question, kind=kind).with_inputs("question") for question, kind in TRAINING.items()
    ]
    optimizer = dspy.BootstrapFewShotWithRandomSearch(
        metric=right_kind, max_bootstrapped_demos=1, max_labeled_demos=1, num_candidate_programs=1, num_threads=2
    )
    optimizer.compile(dspy.ChainOfThought("question -> kind"), trainset=examples)


def _stream() -> None:
    predict = dspy.Predict("question -> answer")
    listener = dspy.streaming.StreamListener(signature_field_name="answer")
    streamed = dspy.streamify(predict, stream_listeners=[listener], async_streaming=False)
    print(
        sum(
            isinstance(piece, dspy.streaming.StreamResponse) for piece in streamed(question="Tell me about yourselves.")
        )
    )


def _describe_a_picture() -> None:
    picture = dspy.Image(f"data:image/png;base64,{base64.b64encode(_red_square(48)).decode()}")
    print(
        dspy.Predict("image: dspy.Image, question -> caption")(
            image=picture, question="What is in the picture?"
        ).caption
    )


def _fail() -> None:
    try:
        dspy.Predict("question -> years: int")(question="How old is the workshop?")
    except Exception as error:  # noqa: BLE001 - what an application would do
        print(type(error).__name__)


def _red_square(side: int) -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    rows = b"".join(b"\0" + b"\xd0\x20\x20" * side for _ in range(side))
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
