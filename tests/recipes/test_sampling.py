"""docs/recipes/sampling.md: the caller's decision holds, and metrics and totals count what is not sampled."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from recipes.running import run, tree

if TYPE_CHECKING:
    from otlp_receiver import OtlpReceiver


def test_the_callers_trace_is_kept_and_all_ten_calls_are_counted(
    receiver: OtlpReceiver, settings: dict[str, str]
) -> None:
    # The ratio of the page, but for chance.
    settings |= {"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0"}
    output = run(["opentelemetry-instrument", "python", "examples/recipes/sampling.py"], settings).stdout

    assert tree(receiver.spans) == "Predict question -> answer\n  chat gpt-4o-mini"
    assert {span.trace_id for span in receiver.spans} == {"0af7651916cd43dd8448eb211c80319c"}
    points = {point.name: point for point in receiver.metrics}
    cost = points["gen_ai.client.operation.cost"]
    assert output == f"10 calls ${cost.sum:.7f}\n"
    assert (cost.count, points["gen_ai.client.operation.duration"].count) == (10, 10)
    [chat] = [span for span in receiver.spans if span.kind == "CLIENT"]
    assert cost.sum == pytest.approx(10 * float(str(chat.attributes["gen_ai.usage.cost.amount"])))
