"""What another process used counts towards the bound of the block that it is merged into."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from opentelemetry.instrumentation.dspy import BudgetExceededError, Usage, UsageScope, usage_scope

if TYPE_CHECKING:
    import dspy
    from conftest import StartTelemetry
    from model_server import ModelServer
    from recorded import Recorded


def test_a_merged_export_uses_up_a_bound(
    start_telemetry: StartTelemetry, lm: dspy.LM, model_server: ModelServer
) -> None:
    start_telemetry()
    elsewhere = UsageScope()
    elsewhere.add(Usage(lm_calls=3, input_tokens=10, output_tokens=5), "gpt-4o-mini")
    export = elsewhere.export()

    def ask_with_what_was_spent_elsewhere() -> None:
        with usage_scope(max_calls=3) as usage:
            usage.merge(export)
            lm("Where is the Nile?")

    with pytest.raises(BudgetExceededError) as raised:
        ask_with_what_was_spent_elsewhere()
    assert raised.value.bound == "max_calls"
    assert raised.value.under_way == 0
    assert model_server.requests == []


def used(cost: float | None, model: str = "gpt-4o-mini") -> tuple[Usage, str]:
    """Return what one call of a thousand tokens used."""
    unknown = int(cost is None)
    return Usage(lm_calls=1, input_tokens=900, output_tokens=100, cost=cost or 0.0, cost_unknown_calls=unknown), model


def test_of_a_model_that_another_process_could_not_always_price_the_unpriced_tokens_alone_are_assumed(
    telemetry: Recorded, lm: dspy.LM, model_server: ModelServer
) -> None:
    elsewhere = UsageScope()
    for cost in [0.01] * 99 + [None]:
        elsewhere.add(*used(cost))

    def ask_with_a_bound_of(max_cost: float) -> None:
        with usage_scope(max_cost=max_cost) as usage:
            usage.add(*used(0.01))
            usage.merge(elsewhere.export())
            assert usage.cost == pytest.approx(1.0)
            lm("Where is the Nile?")

    # The thousand tokens of the one call cost another cent, as those of the others do.
    ask_with_a_bound_of(1.015)
    assert len(model_server.requests) == 1
    with pytest.raises(BudgetExceededError):
        ask_with_a_bound_of(1.005)
    assert len(model_server.requests) == 1


def test_what_another_process_has_no_name_for_costs_what_its_language_models_cost(
    telemetry: Recorded, lm: dspy.LM, model_server: ModelServer
) -> None:
    elsewhere = UsageScope()
    for number in range(110):
        elsewhere.add(*used(0.01, f"model {number}"))
    elsewhere.add(Usage(embedding_calls=1, embedding_tokens=1_000_000, cost_unknown_calls=1), "an embedder")
    assert elsewhere.by_model["other"].embedding_calls == 1
    with usage_scope(max_cost=1.15) as usage:
        usage.merge(elsewhere.export())
        lm("Where is the Nile?")
    assert len(model_server.requests) == 1
