"""What a call without a known price is to a bound in dollars: as the application says."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import dspy
import pytest
from desk import Desk
from stopped import QUESTIONS, ask, stopped

from opentelemetry.instrumentation.dspy import usage_scope

if TYPE_CHECKING:
    from model_server import ModelServer
    from recorded import Recorded


@pytest.fixture
def nameless(model_server: ModelServer) -> dspy.LM:
    """A deployment of one's own, which no table has a price of."""
    return dspy.LM("openai/my-deployment", api_base=model_server.url, api_key="test-key", cache=False)


def test_their_tokens_count_at_the_price_of_the_others(
    telemetry: Recorded, lm: dspy.LM, nameless: dspy.LM, model_server: ModelServer
) -> None:
    with usage_scope() as priced:
        ask(Desk(), QUESTIONS[:1])
    desk = Desk()

    def ask_both() -> None:
        ask(desk, QUESTIONS[:1])
        with dspy.context(lm=nameless):
            ask(desk, [QUESTIONS[0]] * 9)

    before = len(model_server.requests)
    error = stopped(ask_both, max_cost=2.5 * priced.cost)
    assert (error.bound, error.spent.cost_unknown_calls) == ("max_cost", 2)
    assert error.spent.cost == priced.cost
    assert len(model_server.requests) - before == 3
    assert "; 2 calls of unknown price not in it" in str(error)


def test_where_nothing_shows_what_a_token_costs_a_warning_says_so_once(
    telemetry: Recorded, nameless: dspy.LM, caplog: pytest.LogCaptureFixture
) -> None:
    dspy.configure(lm=nameless)
    with usage_scope(max_cost=0.000001) as usage:
        ask(Desk(), QUESTIONS[:4])
    assert usage.exceeded is None
    [warning] = [record.getMessage() for record in caplog.records if "budgets" in record.name]
    assert warning.startswith("max_cost=1e-06 does not see what calls of these models cost")
    assert "my-deployment" in warning
    caplog.clear()


def test_max_tokens_bounds_them(telemetry: Recorded, nameless: dspy.LM, model_server: ModelServer) -> None:
    dspy.configure(lm=nameless)
    with usage_scope() as one:
        ask(Desk(), QUESTIONS[:1])
    tokens = one.input_tokens + one.output_tokens
    error = stopped(lambda: ask(Desk(), [QUESTIONS[0]] * 9), max_cost=1.0, max_tokens=2 * tokens)
    assert (error.bound, error.limit, error.spent.lm_calls) == ("max_tokens", 2 * tokens, 2)


def test_they_can_be_refused(telemetry: Recorded, nameless: dspy.LM, model_server: ModelServer) -> None:
    dspy.configure(lm=nameless)
    error = stopped(lambda: ask(Desk()), max_cost=1.0, on_unknown="refuse")
    assert (error.bound, error.limit, len(model_server.requests)) == ("unknown_price", 1.0, 1)
    assert str(error).startswith("A call has no known price, and on_unknown is 'refuse' (max_cost $1.00)")


@pytest.mark.parametrize("others", [{}, {"max_calls": 9}, {"max_tokens": 10**6}])
def test_they_can_be_refused_without_a_bound_in_dollars(
    telemetry: Recorded, lm: dspy.LM, nameless: dspy.LM, model_server: ModelServer, others: dict[str, int]
) -> None:
    with usage_scope(on_unknown="refuse", **others):
        ask(Desk(), QUESTIONS[:2])
    dspy.configure(lm=nameless)
    error = stopped(lambda: ask(Desk()), on_unknown="refuse", **others)
    assert (error.bound, error.limit, len(model_server.requests)) == ("unknown_price", None, 3)
    assert str(error).startswith("A call has no known price, and on_unknown is 'refuse', so no further call was sent")


def test_they_can_be_refused_where_the_dollars_are_not_bounded(
    telemetry: Recorded, nameless: dspy.LM, model_server: ModelServer
) -> None:
    dspy.configure(lm=nameless)
    error = stopped(lambda: ask(Desk()), max_cost=math.inf, on_unknown="refuse")
    assert (error.bound, error.limit, len(model_server.requests)) == ("unknown_price", math.inf, 1)
    assert "(max_cost $inf)" in str(error)


def test_they_can_be_passed_over(telemetry: Recorded, lm: dspy.LM, nameless: dspy.LM) -> None:
    with usage_scope() as priced:
        ask(Desk(), QUESTIONS[:1])
    with usage_scope(max_cost=1.5 * priced.cost, on_unknown="ignore") as usage:
        ask(Desk(), QUESTIONS[:1])
        with dspy.context(lm=nameless):
            ask(Desk(), QUESTIONS[:5])
    assert (usage.exceeded, usage.cost_unknown_calls) == (None, 5)
