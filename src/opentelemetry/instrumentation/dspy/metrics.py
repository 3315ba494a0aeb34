"""DSPy's own metrics, and the proposed one of the conventions: all that util-genai has no instrument for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from opentelemetry.metrics import NoOpHistogram
from opentelemetry.semconv._incubating.attributes.gen_ai_attributes import GEN_AI_AGENT_NAME

from . import semconv
from .given_providers import unguarded

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.metrics import Counter, Histogram, Meter
    from opentelemetry.metrics import _Gauge as Gauge

    from .programs.agents import AgentRun

__all__ = ["Metrics"]

_DURATION_BUCKETS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)
_CALL_BUCKETS = (1, 2, 4, 8, 16, 32, 64, 128)
_SCORE_BUCKETS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
_COST_BUCKETS = (
    0.00001,
    0.0001,
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
)


@dataclass(frozen=True, slots=True)
class Metrics:
    """The instruments that util-genai does not have."""

    module_duration: Histogram
    agent_inference_calls: Histogram
    agent_tool_calls: Histogram
    operation_cost: Histogram
    cache_requests: Counter
    cache_saved_cost: Counter
    adapter_parse_errors: Counter
    adapter_fallbacks: Counter
    evaluate_score: Gauge
    evaluate_example_score: Histogram
    optimizer_best_score: Gauge
    lm_retries: Counter
    budget_exceeded: Counter

    @property
    def are_heard(self) -> bool:
        """Whether a provider takes the points; without one, nothing should be worked out for them."""
        histogram = self.operation_cost
        # The API hands out a stand-in until the application sets a provider.
        return type(histogram) is not NoOpHistogram and getattr(histogram, "_real_instrument", histogram) is not None

    @classmethod
    def create(cls, meter: Meter) -> Metrics:
        """Create the instruments of one meter.

        Those that each call records stand alone: what they raise costs nothing else, since they come last.
        """
        return cls(
            module_duration=unguarded(
                meter.create_histogram(
                    semconv.METRIC_DSPY_MODULE_DURATION,
                    unit="s",
                    description="Duration of DSPy module calls.",
                    explicit_bucket_boundaries_advisory=_DURATION_BUCKETS,
                )
            ),
            agent_inference_calls=meter.create_histogram(
                semconv.METRIC_GEN_AI_INVOKE_AGENT_INFERENCE_CALLS,
                unit="{inference_call}",
                description="Language model calls that one call of an agent made itself.",
                explicit_bucket_boundaries_advisory=_CALL_BUCKETS,
            ),
            agent_tool_calls=meter.create_histogram(
                semconv.METRIC_GEN_AI_INVOKE_AGENT_TOOL_CALLS,
                unit="{tool_call}",
                description="Tool calls that one call of an agent made itself.",
                explicit_bucket_boundaries_advisory=_CALL_BUCKETS,
            ),
            operation_cost=unguarded(
                meter.create_histogram(
                    semconv.METRIC_GEN_AI_CLIENT_OPERATION_COST,
                    unit="{cost}",
                    description="Cost of GenAI client operations.",
                    explicit_bucket_boundaries_advisory=_COST_BUCKETS,
                )
            ),
            cache_requests=unguarded(
                meter.create_counter(
                    semconv.METRIC_DSPY_CACHE_REQUESTS,
                    unit="{request}",
                    description="Language model calls by whether DSPy's cache answered them.",
                )
            ),
            cache_saved_cost=meter.create_counter(
                semconv.METRIC_DSPY_CACHE_SAVED_COST,
                unit="{cost}",
                description="What the calls that DSPy's cache answered would have cost.",
            ),
            adapter_parse_errors=meter.create_counter(
                semconv.METRIC_DSPY_ADAPTER_PARSE_ERRORS,
                unit="{error}",
                description="Replies that an adapter could not read.",
            ),
            adapter_fallbacks=meter.create_counter(
                semconv.METRIC_DSPY_ADAPTER_FALLBACKS,
                unit="{fallback}",
                description="Times that an adapter went on by another way after an error.",
            ),
            evaluate_score=meter.create_gauge(
                semconv.METRIC_DSPY_EVALUATE_SCORE, unit="{score}", description="Score of the last evaluation."
            ),
            evaluate_example_score=meter.create_histogram(
                semconv.METRIC_DSPY_EVALUATE_EXAMPLE_SCORE,
                unit="{score}",
                description="Score of each evaluated example.",
                explicit_bucket_boundaries_advisory=_SCORE_BUCKETS,
            ),
            optimizer_best_score=meter.create_gauge(
                semconv.METRIC_DSPY_OPTIMIZER_BEST_SCORE,
                unit="{score}",
                description="Best score of an optimizer run so far.",
            ),
            lm_retries=meter.create_counter(
                semconv.METRIC_DSPY_LM_RETRIES,
                unit="{retry}",
                description="Attempts of language model calls that failed and were followed by another.",
            ),
            budget_exceeded=meter.create_counter(
                semconv.METRIC_DSPY_BUDGET_EXCEEDED,
                unit="{budget}",
                description="Budgets that were used up, so that a call was not sent.",
            ),
        )

    def record_agent(self, agent: AgentRun, context: Context) -> None:
        """Record how many calls one call of an agent made itself."""
        point = {GEN_AI_AGENT_NAME: agent.name}
        self.agent_inference_calls.record(agent.inference_calls, point, context)
        self.agent_tool_calls.record(agent.tool_calls, point, context)
