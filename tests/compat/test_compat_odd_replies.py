"""Replies that say what no provider should: what is not a count, a price or a name is not recorded, all else is."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import dspy
import pytest
from model_server import Reply

from opentelemetry.instrumentation.dspy import usage_scope

if TYPE_CHECKING:
    from conftest import MakeLM
    from model_server import ModelServer
    from recorded import Recorded

CHAT = "chat gpt-4o-mini"
NO_PRICES = ["NaN", "inf", "-Infinity", -3, -0.001, True, False, 10**400, "a lot", [0.1], {"total_cost": -1}, 1e300]
NO_COUNTS = ["12", "NaN", True, -7, 1.5, 10**30, [3], {"tokens": 3}]
NO_NAMES = [5, 2.5, True, ["gpt"], {"name": "gpt"}, ""]


def ask(server: ModelServer, **body: Any) -> None:
    """Call the model as an application does; DSPy or LiteLLM may refuse the reply."""
    server.reply = lambda request: Reply(text="Egypt", **body)
    try:
        dspy.settings.lm("Where?")
    except Exception:  # noqa: BLE001 - the same with us and without us; here it is about what we make of it
        return


def rolled_up_is_sound(usage: Any) -> bool:
    numbers = (usage.cost, usage.saved_cost, usage.input_tokens, usage.output_tokens)
    return all(math.isfinite(number) and number >= 0 for number in numbers)


@pytest.mark.parametrize("cost", NO_PRICES, ids=repr)
def test_what_is_no_price_is_not_recorded_as_one(
    telemetry: Recorded, model_server: ModelServer, make_lm: MakeLM, cost: Any
) -> None:
    make_lm()
    with usage_scope() as usage:
        ask(model_server, usage_update={"cost": cost})
    assert usage.lm_calls == 1
    assert rolled_up_is_sound(usage)
    attributes = telemetry.attributes(CHAT)
    if "error.type" not in attributes:
        # The price is that of the counted tokens, from the table.
        assert attributes["gen_ai.usage.input_tokens"] == usage.input_tokens > 0
        assert attributes.get("gen_ai.usage.cost.source", "local") == "local"
        assert 0 < attributes.get("gen_ai.usage.cost.amount", 1e-9) < 0.01


@pytest.mark.parametrize("count", NO_COUNTS, ids=repr)
@pytest.mark.parametrize("name", ["prompt_tokens", "completion_tokens"])
def test_what_is_no_count_is_not_recorded_as_one(
    telemetry: Recorded, model_server: ModelServer, make_lm: MakeLM, name: str, count: Any
) -> None:
    make_lm()
    with usage_scope() as usage:
        ask(model_server, usage_update={name: count})
    assert usage.lm_calls == 1
    assert rolled_up_is_sound(usage)
    [span] = telemetry.named(CHAT)
    for attribute, value in (span.attributes or {}).items():
        if attribute.startswith("gen_ai.usage.") and attribute.endswith("tokens"):
            assert type(value) is int
            assert 0 <= value < 10**12


@pytest.mark.parametrize("name", NO_NAMES, ids=repr)
@pytest.mark.parametrize("where", ["model", "id", "system_fingerprint"])
def test_what_is_no_name_is_not_recorded_as_one(
    telemetry: Recorded, model_server: ModelServer, make_lm: MakeLM, where: str, name: Any
) -> None:
    make_lm()
    with usage_scope() as usage:
        ask(model_server, body_update={where: name})
    assert usage.lm_calls == 1
    attributes = telemetry.attributes(CHAT)
    for attribute in ("gen_ai.response.model", "gen_ai.response.id"):
        assert isinstance(attributes.get(attribute, ""), str)
    if "error.type" not in attributes:
        assert attributes["gen_ai.usage.input_tokens"] == usage.input_tokens > 0
        assert attributes["gen_ai.response.finish_reasons"] == ["stop"]


@pytest.mark.parametrize("reason", [None, "", 7, ["stop"]], ids=repr)
def test_a_finish_reason_that_did_not_come_is_absent(
    telemetry: Recorded, model_server: ModelServer, make_lm: MakeLM, reason: Any
) -> None:
    make_lm()
    choice = {"index": 0, "message": {"role": "assistant", "content": "Egypt"}, "finish_reason": reason}
    ask(model_server, body_update={"choices": [choice]})
    attributes = telemetry.attributes(CHAT)
    if "error.type" in attributes:
        assert attributes["gen_ai.response.finish_reasons"] == ["error"]
    else:
        # DSPy's clients fill in what they take for it.
        assert attributes.get("gen_ai.response.finish_reasons") in (None, ["stop"])


def test_a_call_that_failed_has_the_reason_error(
    telemetry: Recorded, model_server: ModelServer, make_lm: MakeLM
) -> None:
    from model_server import Failure

    make_lm()
    model_server.fail_when(lambda request: True, Failure(400))
    with pytest.raises(Exception, match=r".+"):
        dspy.settings.lm("Where?")
    assert telemetry.attributes(CHAT)["gen_ai.response.finish_reasons"] == ["error"]
