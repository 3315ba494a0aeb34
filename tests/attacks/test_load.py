"""Under load no call is lost or counted twice, all sums are exact, and memory does not grow with the calls."""

from __future__ import annotations

import gc
import tracemalloc
from time import perf_counter
from typing import TYPE_CHECKING, Any

import dspy
import pytest
from numbered_calls import NumberedModel, Tally, expected_tokens, price
from sizes import SIZE
from workers import WAYS

from opentelemetry.instrumentation.dspy import DSPyInstrumentor, usage_scope

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from model_server import ModelServer

pytestmark = pytest.mark.filterwarnings("ignore")
"""pytest would keep each of DSPy's own warnings, and memory would grow."""

AT_ONCE = {"threads": SIZE.threads, "tasks": SIZE.tasks}

KEPT_NOTHING = {"disable_history": True, "max_trace_size": 0}
"""DSPy keeps the last ten thousand calls otherwise, and memory would grow with them."""

GROWTH = 16
"""Bytes for each call: far less than what is kept where anything at all is kept of a call."""
NOISE = 128 * 1024
"""Bytes that come and go with the interpreter's own caches, for both halves."""


@pytest.fixture
def tally() -> Iterator[Tally]:
    tally = Tally(max(SIZE.calls, SIZE.calls_over_http))
    providers = {"tracer_provider": tally.tracer_provider, "meter_provider": tally.meter_provider}
    DSPyInstrumentor().instrument(**providers, prices=price)
    yield tally
    DSPyInstrumentor().uninstrument()


@pytest.fixture
def program(tally: Tally) -> dspy.Predict:
    """A predictor with a model that tells the tokens of each call."""
    dspy.configure(lm=NumberedModel(model="numbered"), **KEPT_NOTHING)
    return dspy.Predict("question -> answer")


def traced_memory() -> tuple[int, int]:
    gc.collect()
    now, peak = tracemalloc.get_traced_memory()
    tracemalloc.reset_peak()
    return now, peak


@pytest.mark.parametrize("way", WAYS)
def test_no_call_is_lost_or_doubled_sums_are_exact_and_memory_is_flat(
    tally: Tally, program: dspy.Predict, way: str, tell: Callable[..., None]
) -> None:
    ask, at_once, half = WAYS[way], AT_ONCE[way], SIZE.calls // 2
    tracemalloc.start()
    try:
        with usage_scope() as usage:
            began = perf_counter()
            ask(program, range(1, half + 1), at_once)
            at_half, peak_to_half = traced_memory()
            ask(program, range(half + 1, SIZE.calls + 1), at_once)
            at_end, peak_to_end = traced_memory()
            seconds = perf_counter() - began
    finally:
        tracemalloc.stop()

    sums = [expected_tokens(number) for number in range(1, SIZE.calls + 1)]
    tokens_in, tokens_out = map(sum, zip(*sums, strict=True))
    cost = (tokens_in + 4 * tokens_out) / 1024
    assert (tally.lost(SIZE.calls), tally.doubled(SIZE.calls)) == (0, 0)
    assert tally.started == tally.ended == 2 * SIZE.calls == 2 * tally.predictors
    assert (tally.tokens_in, tally.tokens_out, tally.cost) == (tokens_in, tokens_out, cost)
    assert (tally.rolled_up_calls, tally.rolled_up_in, tally.rolled_up_out) == (SIZE.calls, tokens_in, tokens_out)
    assert tally.rolled_up_cost == cost
    assert (usage.lm_calls, usage.input_tokens, usage.output_tokens, usage.cost) == (
        *(SIZE.calls, tokens_in, tokens_out),
        cost,
    )
    points = {kind: tally.points("gen_ai.client.token.usage", **{"gen_ai.token.type": kind}) for kind in KINDS}
    assert points == {"input": (SIZE.calls, tokens_in), "output": (SIZE.calls, tokens_out)}
    assert tally.points("gen_ai.client.operation.cost") == (SIZE.calls, cost)
    assert tally.points("gen_ai.client.operation.duration")[0] == SIZE.calls
    assert tally.points("dspy.module.duration")[0] == SIZE.calls
    assert at_end - at_half < NOISE + GROWTH * (SIZE.calls - half)
    tell(
        f"{SIZE.calls:,} calls in {at_once:,} {way}",
        spans=f"{tally.ended:,}",
        points=f"{sum(count for count, _ in points.values()):,} of tokens, {usage.lm_calls:,} of cost",
        lost=tally.lost(SIZE.calls),
        doubled=tally.doubled(SIZE.calls),
        tokens=f"{usage.input_tokens + usage.output_tokens:,}",
        dollars=f"{usage.cost:,}",
        memory_at_the_half=f"{at_half / 1024:,.0f} KiB, peak {peak_to_half / 1024:,.0f}",
        memory_at_the_end=f"{at_end / 1024:,.0f} KiB, peak {peak_to_end / 1024:,.0f}",
        seconds=f"{seconds:.0f}",
    )


KINDS = ("input", "output")


def test_a_processor_that_keeps_its_spans_would_be_noticed(tally: Tally, program: dspy.Predict) -> None:
    """Else the bound of the test above might be one that nothing reaches."""
    kept: list[Any] = []
    counted = tally.on_end
    tally.on_end = lambda span: (kept.append(span), counted(span))  # type: ignore[method-assign]
    WAYS["threads"](program, range(1, 101), SIZE.threads)
    kept.clear()
    tracemalloc.start()
    try:
        at_half, _ = traced_memory()
        WAYS["threads"](program, range(101, 401), SIZE.threads)
        at_end, _ = traced_memory()
    finally:
        tracemalloc.stop()
    assert len(kept) == 600
    assert at_end - at_half > NOISE + GROWTH * 300


@pytest.mark.parametrize("engine", ["lm15", "litellm"])
@pytest.mark.parametrize("way", WAYS)
def test_each_request_over_http_is_one_call(
    tally: Tally, model_server: ModelServer, way: str, engine: str, tell: Callable[..., None]
) -> None:
    calls = SIZE.calls_over_http
    connection = {"api_base": model_server.url, "api_key": "test-key", "cache": False}
    dspy.configure(lm=dspy.LM("openai/gpt-4o-mini", engine=engine, **connection), **KEPT_NOTHING)
    began = perf_counter()
    with usage_scope() as usage:
        WAYS[way](dspy.Predict("question -> answer"), range(1, calls + 1), min(AT_ONCE[way], 100))
    seconds = perf_counter() - began

    reported = [request.usage or {} for request in model_server.requests]
    tokens_in = sum(each["prompt_tokens"] for each in reported)
    tokens_out = sum(each["completion_tokens"] for each in reported)
    assert len(reported) == usage.lm_calls == calls
    assert (tally.lost(calls), tally.doubled(calls)) == (0, 0)
    assert tally.started == tally.ended == 2 * calls
    assert (usage.input_tokens, usage.output_tokens) == (tokens_in, tokens_out) == (tally.tokens_in, tally.tokens_out)
    assert usage.cost == tally.cost == tally.rolled_up_cost == (tokens_in + 4 * tokens_out) / 1024
    tell(
        f"{calls:,} calls over HTTP in {min(AT_ONCE[way], 100)} {way}, engine {engine}",
        spans=f"{tally.ended:,}",
        requests=f"{len(reported):,}",
        lost=tally.lost(calls),
        doubled=tally.doubled(calls),
        tokens=f"{usage.input_tokens + usage.output_tokens:,}",
        dollars=f"{usage.cost:,}",
        seconds=f"{seconds:.0f}",
    )
