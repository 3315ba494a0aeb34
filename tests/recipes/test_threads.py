"""docs/recipes/threads.md: threads of one's own, with a copied context or with the instrumentation of threads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.instrumentation.threading import ThreadingInstrumentor
from recorded import attributes_of

from opentelemetry.instrumentation.dspy import usage_scope

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from recorded import Recorded

QUESTIONS = """\
invoke_workflow Questions
  Predict question -> answer
    chat gpt-4o-mini
  Predict question -> answer
    chat gpt-4o-mini"""

LOOP = """\
Predict question -> answer
  chat gpt-4o-mini
Predict question -> answer
  chat gpt-4o-mini"""


def test_a_copied_context_carries_the_trace_the_conversation_and_the_count(
    telemetry: Recorded, run_here: Callable[[str], dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    run_here("threads")

    assert capsys.readouterr().out == "4 calls\n"
    assert telemetry.tree() == f"{QUESTIONS}\n{LOOP}"
    assert {attributes_of(span).get("gen_ai.conversation.id") for span in telemetry.spans} == {"c-42"}


@pytest.fixture
def threads_instrumented() -> Iterator[None]:
    ThreadingInstrumentor().instrument()
    yield
    ThreadingInstrumentor().uninstrument()


def test_the_instrumentation_of_threads_carries_it_without_a_change(
    telemetry: Recorded, lm: object, threads_instrumented: None
) -> None:
    from concurrent.futures import ThreadPoolExecutor

    import dspy

    answerer = dspy.Predict("question -> answer")

    class Questions(dspy.Module):
        def forward(self, questions: list[str]) -> list[str]:
            with ThreadPoolExecutor(2) as pool:
                return [reply.answer for reply in pool.map(lambda question: answerer(question=question), questions)]

    with usage_scope() as usage:
        Questions()(questions=["Where?", "When?"])

    assert telemetry.tree() == QUESTIONS
    assert usage.lm_calls == 2


def test_a_thread_without_either_is_a_trace_of_its_own(telemetry: Recorded, lm: object) -> None:
    from concurrent.futures import ThreadPoolExecutor

    import dspy

    answerer = dspy.Predict("question -> answer")
    with usage_scope() as usage, ThreadPoolExecutor(1) as pool:
        pool.submit(answerer, question="Where?").result()

    assert usage.lm_calls == 0
