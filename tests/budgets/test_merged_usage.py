"""What another process used counts towards the bound of the block that it is merged into."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from opentelemetry.instrumentation.dspy import BudgetExceededError, Usage, UsageScope, usage_scope

if TYPE_CHECKING:
    import dspy
    from conftest import StartTelemetry
    from model_server import ModelServer


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
