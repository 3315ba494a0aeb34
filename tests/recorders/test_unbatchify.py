"""``Unbatchify``: one thread does the work of many callers, and its batches are linked to them."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import dspy
import pytest
from broken import where_it_broke
from dspy.utils.unbatchify import Unbatchify
from recorded import attributes_of

from opentelemetry.instrumentation.dspy import DSPyInstrumentor, telemetry_context, usage_scope

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from opentelemetry.sdk.trace import ReadableSpan
    from recorded import Recorded


class Answers(dspy.Module):
    """A program that answers a batch of questions with one call."""

    def __init__(self) -> None:
        super().__init__()
        self.predict = dspy.Predict("questions: list[str] -> answers: list[str]")

    def forward(self, questions: list[str]) -> list[str]:
        self.predict(questions=questions)
        return [f"{question}!" for question in questions]


ANSWERS = """\
  invoke_workflow Answers
    Predict predict
      chat gpt-4o-mini"""


@pytest.fixture
def unbatchify() -> Iterator[Unbatchify]:
    """It waits until it has three items; its thread is told to stop, and not waited for."""
    made = Unbatchify(lambda batch: Answers()(questions=batch), max_batch_size=3, max_wait_time=10)
    yield made
    made.stop_event.set()


@pytest.fixture
def of_two() -> Iterator[Callable[[Callable[[list[Any]], list[Any]]], Unbatchify]]:
    """Makes one for a function, which waits until it has two items."""
    made: list[Unbatchify] = []

    def make(function: Callable[[list[Any]], list[Any]]) -> Unbatchify:
        made.append(Unbatchify(function, max_batch_size=2, max_wait_time=10))
        return made[-1]

    yield make
    for unbatchify in made:
        unbatchify.stop_event.set()


def callers_of(span: ReadableSpan) -> set[int]:
    return {link.context.span_id for link in span.links}


def ask_at_once(unbatchify: Unbatchify, telemetry: Recorded, *questions: str) -> list[str]:
    """Ask from one thread each, every one in a trace of its own."""
    tracer = telemetry.tracer_provider.get_tracer("app")

    def ask(question: str) -> str:
        with tracer.start_as_current_span(f"GET {question}"):
            return str(unbatchify(question))

    with ThreadPoolExecutor(len(questions)) as pool:
        return list(pool.map(ask, questions))


def test_a_batch_of_several_traces_is_a_trace_of_its_own_with_links_to_its_callers(
    telemetry: Recorded, lm: dspy.LM, unbatchify: Unbatchify
) -> None:
    with usage_scope() as usage:
        assert ask_at_once(unbatchify, telemetry, "a", "b", "c") == ["a!", "b!", "c!"]
    batch = telemetry.span("Unbatchify")
    requests = [span for span in telemetry.spans if span.name.startswith("GET")]
    assert f"Unbatchify\n{ANSWERS}" in telemetry.tree()
    assert batch.parent is None
    assert callers_of(batch) == {span.context.span_id for span in requests}
    assert attributes_of(batch)["dspy.batch.size"] == 3
    assert attributes_of(batch)["dspy.usage.lm_calls"] == 1
    assert usage.lm_calls == 0  # the standard pool of this test carries no scope to the callers


def test_a_batch_of_one_trace_stays_in_it(telemetry: Recorded, lm: dspy.LM, unbatchify: Unbatchify) -> None:
    class Ask(dspy.Module):
        def forward(self, question: str) -> str:
            return str(unbatchify(question))

    Ask().batch(
        [dspy.Example(question=question).with_inputs("question") for question in ("a", "b", "c")],
        num_threads=3,
        disable_progress_bar=True,
    )
    assert len({span.context.trace_id for span in telemetry.spans}) == 1
    batch = telemetry.span("Unbatchify")
    callers = telemetry.named("invoke_workflow Ask")
    assert callers_of(batch) == {span.context.span_id for span in callers}
    assert batch.parent is not None
    assert batch.parent.span_id in callers_of(batch)
    assert telemetry.attributes("Parallel")["dspy.usage.lm_calls"] == 1


def test_what_is_done_for_one_caller_alone_is_in_its_tree_as_its_own(telemetry: Recorded, lm: dspy.LM) -> None:
    with (
        Unbatchify(lambda batch: Answers()(questions=batch), max_batch_size=1) as alone,
        telemetry.tracer_provider.get_tracer("app").start_as_current_span("request"),
    ):
        assert alone("a") == "a!"
    assert telemetry.tree() == f"request\n{ANSWERS}"


def test_its_usage_counts_for_that_caller(telemetry: Recorded, lm: dspy.LM) -> None:
    with Unbatchify(lambda batch: Answers()(questions=batch), max_batch_size=1) as alone, usage_scope() as usage:

        class Ask(dspy.Module):
            def forward(self, question: str) -> str:
                return str(alone(question))

        assert Ask()(question="a") == "a!"
        assert usage.lm_calls == 1
    assert telemetry.attributes("invoke_workflow Ask")["dspy.usage.lm_calls"] == 1
    assert len({span.context.trace_id for span in telemetry.spans}) == 1


def test_callers_that_come_one_after_the_other_have_no_batch(telemetry: Recorded) -> None:
    with Unbatchify(list, max_batch_size=8, max_wait_time=0.001) as waiting:
        assert [waiting(letter) for letter in "abc"] == ["a", "b", "c"]
    assert telemetry.spans == []


def test_a_scope_around_callers_of_several_traces_counts_their_batch(
    telemetry: Recorded, lm: dspy.LM, unbatchify: Unbatchify
) -> None:
    """Two threads of DSPy's carry the scope; the application gives each of them a trace of its own."""
    tracer = telemetry.tracer_provider.get_tracer("app")
    scopes = []

    class Ask(dspy.Module):
        def forward(self, question: str) -> str:
            return str(unbatchify(question))

    def ask(question: str) -> Any:
        from opentelemetry.context import get_current
        from opentelemetry.trace import INVALID_SPAN, set_span_in_context

        outside = set_span_in_context(INVALID_SPAN, get_current())
        with tracer.start_as_current_span(f"GET {question}", outside), usage_scope() as usage:
            scopes.append(usage)
            return Ask()(question=question)

    with usage_scope() as around:
        parallel = dspy.Parallel(num_threads=3, disable_progress_bar=True)
        parallel([(ask, (question,)) for question in ("a", "b", "c")])
    assert telemetry.span("Unbatchify").parent is None
    assert around.lm_calls == 1
    assert [usage.lm_calls for usage in scopes] == [0, 0, 0]


class Incomparable:
    """Something of the application's that can be printed, and not compared."""

    def __eq__(self, other: object) -> bool:
        raise ValueError("no truth")

    __hash__ = None  # type: ignore[assignment]


def ask_for_tenants(unbatchify: Unbatchify) -> list[int]:
    """Ask for three tenants at once, each in a block of its own, and return what the blocks counted."""

    def ask(number: int) -> int:
        attributes = {"tenant": f"t{number}", "flag": bool(number), "region": "eu", "odd": Incomparable()}
        with (
            telemetry_context(conversation_id=f"c{number}", attributes=attributes),  # type: ignore[arg-type]
            telemetry_context(attributes={"plan": "free"}),
            usage_scope() as usage,
        ):
            unbatchify(f"question {number}")
        return usage.lm_calls

    with ThreadPoolExecutor(3) as pool:
        return list(pool.map(ask, range(3)))


SHARED_ATTRIBUTES = {"region": "eu", "plan": "free"}
OWN_ATTRIBUTES = {"tenant", "flag", "odd", "gen_ai.conversation.id"}


def test_callers_in_no_trace_share_no_trace_and_none_of_them_has_it_all(
    telemetry: Recorded, lm: dspy.LM, unbatchify: Unbatchify
) -> None:
    assert ask_for_tenants(unbatchify) == [0, 0, 0]
    assert telemetry.tree() == f"Unbatchify\n{ANSWERS}"
    for span in telemetry.spans:
        attributes = attributes_of(span)
        assert attributes.items() >= SHARED_ATTRIBUTES.items()
        assert not OWN_ATTRIBUTES & set(attributes)


def test_what_one_caller_of_a_trace_has_alone_is_not_said_of_the_batch(
    telemetry: Recorded, lm: dspy.LM, unbatchify: Unbatchify
) -> None:
    scopes: list[Any] = []

    class Ask(dspy.Module):
        def forward(self, question: str) -> str:
            block = telemetry_context(conversation_id=question, attributes={"tenant": question, "plan": "free"})
            with block, usage_scope() as usage:
                scopes.append(usage)
                return str(unbatchify(question))

    with telemetry_context(attributes={"region": "eu"}), usage_scope() as around:
        examples = [dspy.Example(question=question).with_inputs("question") for question in ("a", "b", "c")]
        Ask().batch(examples, num_threads=3, disable_progress_bar=True)
    assert len({span.context.trace_id for span in telemetry.spans}) == 1
    for name in ("Unbatchify", "invoke_workflow Answers", "Predict predict", "chat gpt-4o-mini"):
        attributes = telemetry.attributes(name)
        assert attributes.items() >= SHARED_ATTRIBUTES.items()
        assert not OWN_ATTRIBUTES & set(attributes)
    assert ([usage.lm_calls for usage in scopes], around.lm_calls) == ([0, 0, 0], 1)
    assert [attributes_of(span).get("dspy.usage.lm_calls") for span in telemetry.named("invoke_workflow Ask")] == [
        None
    ] * 3
    assert telemetry.attributes("Parallel")["dspy.usage.lm_calls"] == 1


def test_callers_of_one_conversation_have_a_batch_of_that_conversation(
    telemetry: Recorded, lm: dspy.LM, unbatchify: Unbatchify
) -> None:
    def ask(question: str) -> str:
        with telemetry_context(conversation_id="".join(["c", "-42"])):
            return str(unbatchify(question))

    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(ask, "abc")) == ["a!", "b!", "c!"]
    assert telemetry.attributes("chat gpt-4o-mini")["gen_ai.conversation.id"] == "c-42"


def fail(batch: list[Any]) -> list[Any]:
    raise ValueError(f"no answer to {batch}")


def test_a_batch_that_fails_is_an_error_of_its_own_span(telemetry: Recorded, of_two: Any) -> None:
    failing = of_two(fail)
    with ThreadPoolExecutor(2) as pool:
        calls = [pool.submit(failing, letter) for letter in "ab"]
        assert [type(call.exception()) for call in calls] == [ValueError, ValueError]
    assert telemetry.tree() == "Unbatchify [ERROR ValueError: no answer to ['…', '…']]"


def test_what_fails_for_one_caller_alone_is_that_callers_error(telemetry: Recorded) -> None:
    with Unbatchify(fail, max_batch_size=1) as failing:

        class Ask(dspy.Module):
            def forward(self, question: str) -> str:
                return str(failing(question))

        with pytest.raises(ValueError, match="no answer"):
            Ask()(question="a")
    assert telemetry.tree() == "invoke_workflow Ask [ERROR ValueError: no answer to ['…']]"


def test_the_function_of_an_unbatchify_is_handed_out_and_kept_as_it_was(telemetry: Recorded) -> None:
    def double(batch: list[int]) -> list[int]:
        return [2 * item for item in batch]

    with Unbatchify(double) as doubling:
        assert vars(doubling)["batch_fn"] is double
        assert doubling.batch_fn == double
        assert doubling.batch_fn([1, 2]) == [2, 4]
        assert telemetry.spans == []
        doubling.batch_fn = list
        assert doubling(7) == 7
        DSPyInstrumentor().uninstrument()
        assert doubling.batch_fn is list
        assert doubling(8) == 8
    assert "batch_fn" not in vars(Unbatchify)


def test_one_that_was_made_before_the_instrumentation_is_recorded_too(start_telemetry: Any, of_two: Any) -> None:
    earlier, telemetry = of_two(list), start_telemetry()
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(earlier, "ab")) == ["a", "b"]
        assert threading.current_thread() is not earlier.worker_thread
    assert telemetry.tree() == "Unbatchify"


def test_a_batch_that_fails_is_told_on_its_own_span_and_on_none_of_its_callers(telemetry: Recorded) -> None:
    class Asking(dspy.Module):
        def __init__(self, failing: Any) -> None:
            super().__init__()
            self.failing = [failing]

        def forward(self, question: str) -> Any:
            return self.failing[0](question)

    def fail(batch: list[str]) -> list[str]:
        raise ValueError(f"no answer to {len(batch)}")

    class Whole(dspy.Module):
        def forward(self) -> None:
            pairs = [(Asking(failing), {"question": str(number)}) for number in range(3)]
            dspy.Parallel(num_threads=3, max_errors=10)(pairs)

    with Unbatchify(fail, max_batch_size=3, max_wait_time=10) as failing:
        Whole()()
    assert len(telemetry.named("invoke_workflow Asking")) == 3
    assert [span for span, _ in where_it_broke(telemetry)] == ["Unbatchify"]
