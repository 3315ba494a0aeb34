"""docs/recipes/cost.md: what a user, a tenant and a day cost is the same in the program, on spans and in metrics."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from recipes.running import run

if TYPE_CHECKING:
    from otlp_receiver import OtlpReceiver


def test_users_tenants_and_days_are_billed_what_their_calls_cost(
    receiver: OtlpReceiver, settings: dict[str, str]
) -> None:
    output = run(["opentelemetry-instrument", "python", "examples/recipes/cost.py"], settings).stdout

    spent: Counter[Any] = Counter()
    for span in receiver.spans:
        if span.name == "chat gpt-4o-mini":
            for key in ("user.id", "tenant", "gen_ai.request.model"):
                spent[span.attributes[key]] += span.attributes["gen_ai.usage.cost.amount"]
    assert output.splitlines() == [
        f"u-7 ${spent['u-7']:.7f}",
        f"u-8 ${spent['u-8']:.7f}",
        f"gpt-4o-mini 3 calls ${spent['gpt-4o-mini']:.7f}",
    ]
    assert spent["u-8"] > 0
    paid = [point for point in receiver.metrics if point.name == "gen_ai.client.operation.cost"]
    assert {point.attributes["tenant"]: (point.count, point.sum) for point in paid} == {
        "north": (2, pytest.approx(spent["north"])),
        "south": (1, pytest.approx(spent["south"])),
    }
    assert {point.attributes["dspy.program"] for point in paid} == {"question -> answer"}
    assert all("user.id" not in point.attributes for point in paid)
