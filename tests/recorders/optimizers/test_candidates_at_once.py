"""Candidates of SIMBA that run side by side: each is one trial, and none waits for the span of another."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import dspy
from opentelemetry.sdk.trace import SpanProcessor
from runs import of_this_version
from scripted_task import Sums, data, is_right, quiet

from opentelemetry.instrumentation.dspy.locks import ForkSafeLock
from opentelemetry.instrumentation.dspy.recorders import candidates

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest
    from recorded import Recorded

pytestmark = of_this_version

SECONDS = 60
"""How long to wait for what comes at once, unless something is wrong."""

TRAJECTORIES = 0
"""The number of the trial that SIMBA begins with; those of its candidates come after it."""


class ByTurn(dspy.BaseLM):
    """Answers half of the copies of itself that SIMBA asks the same wrongly, so that it has something to learn."""

    def forward(self, prompt: Any = None, messages: Any = None, **options: Any) -> Any:
        text = messages[-1]["content"]
        if "module_advice" in text:
            fields = {"discussion": "The sum was wrong.", "module_advice": '{"add": "Add the numbers."}'}
        else:
            fields = {"answer": "no idea" if (options.get("rollout_id") or 0) % 2 else "42"}
        content = "".join(f"[[ ## {name} ## ]]\n{value}\n\n" for name, value in fields.items())
        message = SimpleNamespace(content=f"{content}[[ ## completed ## ]]", tool_calls=None)
        choice = SimpleNamespace(message=message, finish_reason="stop", index=0)
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        return SimpleNamespace(id="reply", model="by-turn", choices=[choice], usage=usage)


class AtStart(SpanProcessor):
    """Tells the number of each trial that begins, in the thread that begins it."""

    def __init__(self, tell: Callable[[int], None]) -> None:
        self._tell = tell

    def on_start(self, span: Any, parent_context: Any = None) -> None:
        if span.name == "optimize_trial":
            self._tell(span.attributes["dspy.optimizer.trial"])


def compile_with_simba(threads: int) -> None:
    dspy.configure(lm=ByTurn(model="by-turn"))
    optimizer = dspy.SIMBA(metric=is_right, bsize=2, num_candidates=2, max_steps=1, max_demos=0, num_threads=threads)
    with quiet():
        optimizer.compile(Sums(), trainset=data(4))


def trials(telemetry: Recorded, kind: str) -> list[int]:
    """The numbers of the trials of a kind, in order."""
    told: list[Any] = [span.attributes for span in telemetry.named("optimize_trial")]
    return sorted(each["dspy.optimizer.trial"] for each in told if each["dspy.optimizer.trial.kind"] == kind)


def test_examples_of_one_candidate_that_begin_at_once_are_one_trial(
    telemetry: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[int] = []
    came: set[int] = set()
    another_came, was_waited_for = threading.Event(), []

    class Watched(ForkSafeLock):
        """Tells that a second thread is about to wait for it."""

        def __enter__(self) -> None:
            came.add(threading.get_ident())
            if len(came) > 1:
                another_came.set()
            super().__enter__()

    def wait_for_another(number: int) -> None:
        begun.append(number)
        if len(begun) == 1:
            was_waited_for.append(another_came.wait(SECONDS))
        another_came.set()

    candidate = candidates._Candidate
    monkeypatch.setattr(candidates, "_Candidate", lambda *given: candidate(*given, lock=Watched()))
    telemetry.tracer_provider.add_span_processor(AtStart(wait_for_another))
    compile_with_simba(threads=2)
    assert was_waited_for == [True]
    assert trials(telemetry, "bootstrap") == [TRAJECTORIES]
    assert len(begun) == len(set(begun)) == len(telemetry.named("optimize_trial"))


def test_a_candidate_whose_span_takes_long_to_begin_keeps_no_other_waiting(telemetry: Recorded) -> None:
    begun: list[int] = []
    another_began, was_waited_for = threading.Event(), []

    def wait_for_another(number: int) -> None:
        if number == TRAJECTORIES:
            return
        begun.append(number)
        if len(begun) == 1:
            was_waited_for.append(another_began.wait(SECONDS))
        another_began.set()

    telemetry.tracer_provider.add_span_processor(AtStart(wait_for_another))
    compile_with_simba(threads=4)
    assert len(trials(telemetry, "minibatch")) > 1
    assert was_waited_for == [True]
