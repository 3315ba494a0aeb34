"""Language model calls with a number each, and what tells of each of them: so none is lost or doubled unseen."""

from __future__ import annotations

import re
from threading import Lock
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import dspy
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

    from opentelemetry.instrumentation.dspy import PricedCall

__all__ = ["PREDICTOR", "NumberedModel", "Tally", "expected_tokens", "price"]

PREDICTOR = "Predict question -> answer"

_QUESTION = re.compile(r"number (\d+)")


def expected_tokens(number: int) -> tuple[int, int]:
    """The tokens of one call: two neighbours never have the same."""
    return number % 97 + 1, number % 89 + 1


def price(call: PricedCall) -> float:
    """A price whose sums are exact: a floating-point number holds every one of them."""
    return ((call.input_tokens or 0) + 4 * (call.output_tokens or 0)) / 1024


class NumberedModel(dspy.BaseLM):
    """Answers the question of a number under that number, and with its tokens."""

    def forward(self, prompt: Any = None, messages: Any = None, **options: Any) -> Any:
        number = int(_QUESTION.findall(messages[-1]["content"])[-1])
        tokens_in, tokens_out = expected_tokens(number)
        message = SimpleNamespace(content="[[ ## answer ## ]]\nhere\n\n[[ ## completed ## ]]", tool_calls=None)
        return SimpleNamespace(
            id=f"reply-{number}",
            model="numbered",
            choices=[SimpleNamespace(message=message, finish_reason="stop", index=0)],
            usage={
                "prompt_tokens": tokens_in,
                "completion_tokens": tokens_out,
                "total_tokens": tokens_in + tokens_out,
            },
        )

    async def aforward(self, prompt: Any = None, messages: Any = None, **options: Any) -> Any:
        import asyncio

        await asyncio.sleep(0)
        return self.forward(prompt, messages, **options)


class Tally(SpanProcessor):
    """Counts the spans that end by their numbers and adds up what they tell; it keeps none of them."""

    def __init__(self, calls: int) -> None:
        self._lock = Lock()
        self.started = self.ended = self.predictors = self.tokens_in = self.tokens_out = self.wrong = 0
        self.rolled_up_calls = self.rolled_up_in = self.rolled_up_out = 0
        self.cost = self.rolled_up_cost = 0.0
        self.ends_of_call = bytearray(calls + 1)
        self.reader = InMemoryMetricReader()
        self.tracer_provider = TracerProvider(shutdown_on_exit=False)
        self.tracer_provider.add_span_processor(self)
        self.meter_provider = MeterProvider([self.reader], shutdown_on_exit=False)

    def on_start(self, span: Any, parent_context: Any = None) -> None:
        with self._lock:
            self.started += 1

    def on_end(self, span: ReadableSpan) -> None:
        told: Any = span.attributes or {}
        with self._lock:
            self.ended += 1
            if span.name == PREDICTOR:
                self.predictors += 1
                self.rolled_up_calls += told["dspy.usage.lm_calls"]
                self.rolled_up_in += told["dspy.usage.input_tokens"]
                self.rolled_up_out += told["dspy.usage.output_tokens"]
                self.rolled_up_cost += told.get("dspy.usage.cost", 0.0)
            else:
                number = int(told["gen_ai.response.id"].rpartition("-")[2])
                self.ends_of_call[number] += 1
                self.tokens_in += told["gen_ai.usage.input_tokens"]
                self.tokens_out += told["gen_ai.usage.output_tokens"]
                self.cost += told.get("gen_ai.usage.cost.amount", 0.0)

    def lost(self, calls: int) -> int:
        """How many of the calls with the numbers from 1 have no span."""
        return self.ends_of_call[1 : calls + 1].count(0)

    def doubled(self, calls: int) -> int:
        """How many of them have more than one."""
        return calls - self.lost(calls) - self.ends_of_call[1 : calls + 1].count(1)

    def points(self, name: str, **attributes: str) -> tuple[int, float]:
        """How often a histogram was told a value, and the sum of them, over the points that have the attributes."""
        data = self.reader.get_metrics_data()
        found: list[Any] = [
            point
            for resource in (data.resource_metrics if data else ())
            for scope in resource.scope_metrics
            for metric in scope.metrics
            if metric.name == name
            for point in metric.data.data_points
            if attributes.items() <= dict(point.attributes or {}).items()
        ]
        return sum(point.count for point in found), sum(point.sum for point in found)
