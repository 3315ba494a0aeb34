"""What DSPy's cache answers is shown as such: nothing was used or paid, and something was saved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dspy
import pytest
from capabilities import RESPONSES, SAVED_TOKENS
from model_server import Reply

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import MakeLM
    from model_server import ModelServer
    from recorded import Recorded

USAGE = ("gen_ai.usage.", "gen_ai.usage.cost.")


def assert_is_a_hit(attributes: dict[str, Any], first: dict[str, Any]) -> None:
    """The second span of a pair says what the first one, which paid, had used."""
    assert first["dspy.cache.hit"] is False
    assert first["gen_ai.usage.cost.amount"] > 0
    assert attributes["dspy.cache.hit"] is True
    assert [name for name in attributes if name.startswith("gen_ai.usage.")] == []
    assert attributes["dspy.cache.saved_cost"] == first["gen_ai.usage.cost.amount"]
    saved = (attributes.get("dspy.cache.saved_input_tokens"), attributes.get("dspy.cache.saved_output_tokens"))
    used = (first["gen_ai.usage.input_tokens"], first["gen_ai.usage.output_tokens"])
    assert saved == (used if SAVED_TOKENS.given else (None, None))
    assert attributes["gen_ai.response.id"] == first["gen_ai.response.id"]
    assert attributes["gen_ai.response.finish_reasons"] == first["gen_ai.response.finish_reasons"]


def pair(telemetry: Recorded, name: str = "chat gpt-4o-mini") -> tuple[dict[str, Any], dict[str, Any]]:
    first, second = telemetry.named(name)
    return (
        {name: list(value) if isinstance(value, tuple) else value for name, value in (second.attributes or {}).items()},
        {name: list(value) if isinstance(value, tuple) else value for name, value in (first.attributes or {}).items()},
    )


def test_a_reply_from_memory_costs_nothing_and_saves_what_it_once_cost(
    telemetry: Recorded, model_server: ModelServer, make_lm: MakeLM
) -> None:
    language_model = make_lm(cache=True)
    assert language_model("Where?") == language_model("Where?")
    assert len(model_server.requests) == 1
    assert_is_a_hit(*pair(telemetry))


async def test_an_async_reply_from_memory_is_shown_the_same(
    telemetry: Recorded, model_server: ModelServer, make_lm: MakeLM
) -> None:
    language_model = make_lm(cache=True)
    await language_model.acall("Where?")
    await language_model.acall("Where?")
    assert len(model_server.requests) == 1
    assert_is_a_hit(*pair(telemetry))


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
async def test_a_reply_from_disk_is_shown_the_same(
    telemetry: Recorded, model_server: ModelServer, make_lm: MakeLM, tmp_path: Path, asynchronous: bool
) -> None:
    dspy.configure_cache(enable_disk_cache=True, enable_memory_cache=False, disk_cache_dir=str(tmp_path))
    language_model = make_lm(cache=True)
    for _ in range(2):
        if asynchronous:
            await language_model.acall("Where?")
        else:
            language_model("Where?")
    assert len(model_server.requests) == 1
    assert_is_a_hit(*pair(telemetry))


def test_several_replies_from_the_cache_save_the_tokens_of_all(
    telemetry: Recorded, model_server: ModelServer, make_lm: MakeLM
) -> None:
    language_model = make_lm(cache=True, temperature=1.0)
    language_model("Where?", n=2)
    requests = len(model_server.requests)
    language_model("Where?", n=2)
    assert len(model_server.requests) == requests
    hit, first = pair(telemetry)
    assert hit["gen_ai.response.finish_reasons"] == ["stop", "stop"]
    hit["gen_ai.response.id"] = first["gen_ai.response.id"] = None  # several requests have no id in common
    assert_is_a_hit(hit, first)


def test_a_text_completion_from_the_cache_is_shown_the_same(telemetry: Recorded, make_lm: MakeLM) -> None:
    language_model = make_lm("openai/gpt-3.5-turbo-instruct", model_type="text", cache=True)
    language_model("Where?")
    language_model("Where?")
    assert_is_a_hit(*pair(telemetry, "text_completion gpt-3.5-turbo-instruct"))


def test_a_reply_of_the_responses_api_from_the_cache_is_shown_the_same(telemetry: Recorded, make_lm: MakeLM) -> None:
    if RESPONSES.is_missing():
        return
    language_model = make_lm(model_type="responses", cache=True)
    language_model("Where?")
    language_model("Where?")
    assert_is_a_hit(*pair(telemetry))


def test_hits_and_misses_are_counted_with_what_they_saved(telemetry: Recorded, make_lm: MakeLM) -> None:
    make_lm(cache=True)
    predictor = dspy.Predict("question -> answer")
    for _ in range(3):
        predictor(question="Where?")
    first, second, third = telemetry.named("Predict question -> answer")
    price = (first.attributes or {})["dspy.usage.cost"]
    assert [(span.attributes or {}).get("dspy.usage.cache_hits") for span in (first, second, third)] == [None, 1, 1]
    assert (second.attributes or {})["dspy.usage.saved_cost"] == price
    assert (second.attributes or {})["dspy.usage.cost"] == 0.0
    assert "dspy.usage.cost_unknown_calls" not in (second.attributes or {})
    counted = {
        (point.attributes or {})["dspy.cache.hit"]: point.value
        for point in telemetry.metric_points("dspy.cache.requests")
    }
    assert counted == {False: 1, True: 2}
    [saved] = telemetry.metric_points("dspy.cache.saved_cost")
    assert saved.value == pytest.approx(2 * price)
    [cost] = telemetry.metric_points("gen_ai.client.operation.cost")
    assert (cost.count, cost.sum) == (1, price)


def test_the_duration_of_a_hit_can_be_left_out_of_latencies(telemetry: Recorded, make_lm: MakeLM) -> None:
    language_model = make_lm(cache=True)
    language_model("Where?")
    language_model("Where?")
    counted = {
        (point.attributes or {}).get("dspy.cache.hit"): point.count
        for point in telemetry.metric_points("gen_ai.client.operation.duration")
    }
    assert counted == {None: 1, True: 1}


def test_what_the_provider_had_cached_is_not_a_hit(
    telemetry: Recorded, model_server: ModelServer, make_lm: MakeLM
) -> None:
    model_server.reply = lambda request: Reply(text="There.", prompt_details={"cached_tokens": 4})
    make_lm(cache=True)("Where?")
    attributes = telemetry.attributes("chat gpt-4o-mini")
    assert attributes["dspy.cache.hit"] is False
    assert attributes["gen_ai.usage.cache_read.input_tokens"] == 4
    assert attributes["gen_ai.usage.input_tokens"] == 4


def test_without_history_a_hit_is_still_a_hit(telemetry: Recorded, make_lm: MakeLM) -> None:
    language_model = make_lm(cache=True)
    with dspy.context(disable_history=True):
        language_model("Where?")
        language_model("Where?")
    assert_is_a_hit(*pair(telemetry))
