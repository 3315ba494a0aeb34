"""The budget of a whole process, of a program that knows nothing of it: in real processes."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dspy
import pytest
from desk import Desk, examples, is_answered
from model_server import ModelServer
from stopped import QUESTIONS, ask, wait_for_workers

from opentelemetry.instrumentation.dspy import BudgetExceededError, BudgetStop, usage_scope

if TYPE_CHECKING:
    from conftest import StartTelemetry

pytestmark = pytest.mark.timeout(110)

BUDGET = "OTEL_INSTRUMENTATION_DSPY_BUDGET_USD"
BOUND = 0.0001
"""US dollars; about four calls of a small program cost it."""

PROGRAM = """
import os, sys
import dspy

lm = dspy.LM("openai/gpt-4o-mini", api_base=os.environ["MODEL_URL"], api_key="test-key", cache=False)
dspy.configure(lm=lm)
desk = dspy.Predict("question -> answer")
answered = 0
for number in range(20):
    try:
        desk(question=f"Question {number}?")
        answered += 1
    except Exception as error:
        print(type(error).__module__, type(error).__name__, answered, flush=True)
        if "go-on" not in sys.argv:
            raise
"""

EVALUATION = """
import os
import dspy

lm = dspy.LM("openai/gpt-4o-mini", api_base=os.environ["MODEL_URL"], api_key="test-key", cache=False)
dspy.configure(lm=lm)
devset = [dspy.Example(question=f"Question {number}?").with_inputs("question") for number in range(60)]
dspy.Evaluate(devset=devset, metric=lambda *_: True, num_threads=8)(dspy.Predict("question -> answer"))
"""


def run(
    folder: Path, program: str, server: ModelServer, dollars: str, *arguments: str
) -> subprocess.CompletedProcess[str]:
    script = folder / "program.py"
    script.write_text(program)
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("OTEL_")},
        "DSPY_CACHEDIR": str(folder / "cache"),
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "MODEL_URL": server.url,
        "OTEL_TRACES_EXPORTER": "none",
        "OTEL_METRICS_EXPORTER": "none",
        "OTEL_LOGS_EXPORTER": "none",
        BUDGET: dollars,
    }
    launcher = Path(sys.executable).with_name("opentelemetry-instrument")
    command = [str(launcher), sys.executable, str(script), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=110, check=False)


def test_a_program_ends_with_the_error_where_its_budget_is_used_up(tmp_path: Path) -> None:
    with ModelServer() as server:
        ended = run(tmp_path, PROGRAM, server, "0.00005")
        sent = len(server.requests)
        assert 2 <= sent < 10
        assert sum_of_costs(server) >= 0.00005 > sum_of_costs(server, but=1)
    assert ended.returncode == 1
    first, *_ = ended.stderr.splitlines()
    assert first.removeprefix("opentelemetry-instrumentation-dspy: ").startswith(
        f"{BUDGET} is set: once this process has spent $0.0000500 on language models"
    )
    assert "The budget of this process is used up. The budget of $0.0000500 (max_cost) is used up" in ended.stderr
    last = ended.stderr.rstrip().splitlines()[-1]
    assert last.startswith(
        "opentelemetry.instrumentation.dspy.BudgetExceededError: The budget of $0.0000500 (max_cost) is used up, "
        "so no further call was sent. Spent: $0.0000"
    )
    assert f" on {sent} calls and " in last
    assert ended.stdout == f"opentelemetry.instrumentation.dspy BudgetExceededError {sent}\n"


def test_a_program_that_catches_it_gets_it_again_for_every_call_and_sends_nothing(tmp_path: Path) -> None:
    with ModelServer() as server:
        ended = run(tmp_path, PROGRAM, server, "0.00005", "go-on")
        sent = len(server.requests)
    assert ended.returncode == 0
    assert len(ended.stdout.splitlines()) == 20 - sent
    assert ended.stderr.count("The budget of this process is used up.") == 1


def test_an_evaluation_ends_and_so_does_the_interpreter(tmp_path: Path) -> None:
    with ModelServer() as server:
        ended = run(tmp_path, EVALUATION, server, "0.0002")
        assert len(server.requests) < 40
    assert ended.returncode == 1
    assert "BudgetExceededError: The budget of $0.000200 (max_cost) is used up" in ended.stderr.splitlines()[-1]
    assert "Execution cancelled due to errors" not in ended.stderr


def test_what_is_no_number_is_told_loudly_and_bounds_nothing(tmp_path: Path) -> None:
    with ModelServer() as server:
        ended = run(tmp_path, PROGRAM, server, "five")
        assert len(server.requests) == 20
    assert ended.returncode == 0
    assert f"{BUDGET}='five' is not valid: it takes a number of US dollars from zero up." in ended.stderr
    assert "This process has NO budget." in ended.stderr


def sum_of_costs(server: ModelServer, but: int = 0) -> float:
    """What the requests cost, all but the last ones."""
    usages = [request.usage or {} for request in server.requests[: len(server.requests) - but]]
    return sum(usage["prompt_tokens"] * 0.15e-6 + usage["completion_tokens"] * 0.6e-6 for usage in usages)


@pytest.mark.complaints
def test_in_the_process_itself_a_block_inside_has_its_own_bound_and_both_hold(
    monkeypatch: pytest.MonkeyPatch, start_telemetry: StartTelemetry, lm: dspy.LM, model_server: ModelServer
) -> None:
    monkeypatch.setenv(BUDGET, "0.000101")
    start_telemetry()
    with pytest.raises(BudgetExceededError) as caught, usage_scope(max_calls=2):
        ask(Desk())
    assert caught.value.bound == "max_calls"
    # Outside of any block the outermost call of DSPy is where the error comes out.
    with pytest.raises(BudgetExceededError) as caught:
        dspy.Evaluate(devset=examples(*QUESTIONS), metric=is_answered, num_threads=4)(Desk())
    assert (caught.value.bound, caught.value.limit) == ("max_cost", 0.000101)
    wait_for_workers()
    sent = len(model_server.requests)
    with usage_scope() as usage, pytest.raises(BudgetExceededError):
        ask(Desk())
    assert (usage.exceeded, len(model_server.requests)) == ("max_cost", sent)


def evaluate_in_child(url: str) -> str:
    """What a worker does that evaluates: there is no reason to go on with each example."""
    many = examples(*(f"{number}?" for number in range(100)))
    evaluate = dspy.Evaluate(devset=many, metric=is_answered, num_threads=2, max_errors=1000)
    try:
        evaluate(Desk())
    except BudgetExceededError as error:
        return f"error {error.spent.lm_calls}"
    return "end"


def work_in_child(url: str) -> str:
    """What a worker of a pool does: it has the context of the process that it was forked from."""
    desk = Desk()
    try:
        ask(desk, QUESTIONS)
    except BudgetStop:
        return "stop"
    except BudgetExceededError as error:
        return f"error {error.spent.lm_calls}"
    return "end"


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("workers", [1, 2])
def test_the_worker_of_a_pool_that_was_forked_inside_a_block_ends_with_an_ordinary_error(
    start_telemetry: StartTelemetry, lm: dspy.LM, model_server: ModelServer, workers: int
) -> None:
    start_telemetry()
    with usage_scope(max_calls=3), multiprocessing.get_context("fork").Pool(workers) as pool:
        found: list[Any] = pool.map_async(work_in_child, [model_server.url] * 4, chunksize=1).get(timeout=110)
    # However often a worker comes back to the bound, what was refused there is no call.
    assert set(found) == {"error 3"}
    assert len(model_server.requests) in {3, 3 * workers}


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_an_evaluation_in_a_forked_worker_ends_at_once(
    start_telemetry: StartTelemetry, lm: dspy.LM, model_server: ModelServer
) -> None:
    start_telemetry()
    with usage_scope(max_calls=3), multiprocessing.get_context("fork").Pool(1) as pool:
        found: list[Any] = pool.map_async(evaluate_in_child, [model_server.url] * 2, chunksize=1).get(timeout=110)
    assert found[1] == "error 3"
    assert len(model_server.requests) == 3


def costs_in_child(connection: Any) -> None:
    """What a forked worker could spend, and what it is told then."""
    with pytest.raises(BudgetExceededError) as caught:
        ask(Desk())
    connection.send((caught.value.spent.lm_calls, caught.value.spent.cost))


@pytest.mark.complaints
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("used_up", [False, True])
def test_a_forked_worker_counts_from_zero_whatever_its_parent_has_spent(
    monkeypatch: pytest.MonkeyPatch,
    start_telemetry: StartTelemetry,
    lm: dspy.LM,
    model_server: ModelServer,
    *,
    used_up: bool,
) -> None:
    monkeypatch.setenv(BUDGET, str(BOUND))
    start_telemetry()
    if used_up:
        with pytest.raises(BudgetExceededError):
            ask(Desk())
    else:
        ask(Desk(), QUESTIONS[:2])
    before = len(model_server.requests)
    processes = multiprocessing.get_context("fork")
    for _ in range(2):
        here, there = processes.Pipe()
        child = processes.Process(target=costs_in_child, args=(there,))
        child.start()
        assert here.poll(60)
        calls, cost = here.recv()
        child.join(30)
        assert calls == len(model_server.requests) - before
        assert 3 <= calls <= 5
        assert cost >= BOUND > cost * (calls - 1.5) / calls
        before = len(model_server.requests)
    with usage_scope() as usage:
        if not used_up:
            Desk()(question=QUESTIONS[0])
    assert usage.lm_calls == (0 if used_up else 1)
