"""Language models that go to DSPy's own by ``super()``, or to another one's ``forward``: told as those they go to."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import dspy
import pytest
from capabilities import ENGINES
from model_server import Failure, Reply
from recorded import attributes_of

from opentelemetry.instrumentation.dspy import usage_scope

if TYPE_CHECKING:
    from pathlib import Path

    from model_server import ModelServer, Request
    from recorded import Recorded

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

CHAT = "chat gpt-4o-mini"
IDENTIFIERS = ("gen_ai.response.id",)


class Metered(dspy.LM):
    """Counts its calls."""

    asked = 0

    def forward(self, *arguments: Any, **settings: Any) -> Any:
        self.asked += 1
        return super().forward(*arguments, **settings)

    async def aforward(self, *arguments: Any, **settings: Any) -> Any:
        self.asked += 1
        return await super().aforward(*arguments, **settings)


class Polite(dspy.LM):
    """Overrides the call itself."""

    def __call__(self, *arguments: Any, **settings: Any) -> Any:
        return super().__call__(*arguments, **settings)

    async def acall(self, *arguments: Any, **settings: Any) -> Any:
        return await super().acall(*arguments, **settings)


class Both(Metered, Polite):
    """Overrides everything."""


class Wrapping(dspy.BaseLM):
    """Goes to the ``forward`` of another language model, as DSPy's own documentation wraps one."""

    def __init__(self, model: str, **settings: Any) -> None:
        self.inner = dspy.LM(model, **settings)
        super().__init__(model=model)

    def forward(self, prompt: Any = None, messages: Any = None, **settings: Any) -> Any:
        return self.inner.forward(prompt=prompt, messages=messages, **settings)

    async def aforward(self, prompt: Any = None, messages: Any = None, **settings: Any) -> Any:
        return await self.inner.aforward(prompt=prompt, messages=messages, **settings)


def settings_for(server: ModelServer, engine: dict[str, Any], **others: Any) -> dict[str, Any]:
    return {"api_base": server.url, "api_key": "test-key", "num_retries": 0, "temperature": 1.0, **engine, **others}


def ten_and_three(request: Request) -> Reply:
    """A reply of ten tokens in and three out."""
    return Reply(text="Egypt", usage_update={"prompt_tokens": 10, "completion_tokens": 3, "total_tokens": 13})


async def ask(language_model: Any, asynchronous: bool, **settings: Any) -> Any:
    if asynchronous:
        return await language_model.acall("Where?", **settings)
    return language_model("Where?", **settings)


def told(telemetry: Recorded) -> list[dict[str, Any]]:
    """What the spans say so far, without what is new in each reply."""
    found = [
        {name: value for name, value in attributes_of(span).items() if name not in IDENTIFIERS}
        for span in telemetry.spans
    ]
    telemetry.collector.clear()
    return found


@pytest.mark.parametrize("choices", [1, 2])
@pytest.mark.parametrize("stored", ["memory", "disk"])
@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("kind", [Metered, Polite, Both])
async def test_a_subclass_is_told_as_the_class_itself(
    telemetry: Recorded,
    model_server: ModelServer,
    engine: dict[str, Any],
    tmp_path: Path,
    kind: type[dspy.LM],
    asynchronous: bool,
    stored: str,
    choices: int,
) -> None:
    model_server.reply = lambda request: Reply(text="Egypt, as far as is known", finish_reason="length")
    spans: list[list[dict[str, Any]]] = []
    totals: list[tuple[Any, ...]] = []
    for made in (dspy.LM, kind):
        dspy.configure_cache(
            enable_disk_cache=stored == "disk",
            enable_memory_cache=stored == "memory",
            disk_cache_dir=str(tmp_path / made.__name__),
        )
        language_model = made("openai/gpt-4o-mini", **settings_for(model_server, engine, cache=True))
        asked_before = len(model_server.requests)
        with usage_scope() as usage:
            await ask(language_model, asynchronous, n=choices)
            asked = len(model_server.requests) - asked_before
            await ask(language_model, asynchronous, n=choices)
        assert len(model_server.requests) - asked_before == asked > 0
        spans.append(told(telemetry))
        numbers = (usage.lm_calls, usage.cache_hits, usage.input_tokens, usage.output_tokens)
        totals.append((*numbers, usage.cost, usage.saved_cost, usage.cost_unknown_calls))
    paid, hit = spans[0]
    assert paid["gen_ai.usage.cost.amount"] > 0
    assert paid["gen_ai.response.finish_reasons"] == ["length"] * choices
    assert (paid["dspy.cache.hit"], hit["dspy.cache.hit"]) == (False, True)
    assert hit["dspy.cache.saved_cost"] == paid["gen_ai.usage.cost.amount"]
    assert spans[1] == spans[0]
    assert totals[1] == totals[0]


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
async def test_one_that_wraps_another_is_told_as_that_other(
    telemetry: Recorded, model_server: ModelServer, engine: dict[str, Any], asynchronous: bool
) -> None:
    language_model = Wrapping("openai/gpt-4o-mini", **settings_for(model_server, engine, cache=True))
    with usage_scope() as usage:
        await ask(language_model, asynchronous)
        await ask(language_model, asynchronous)
    assert len(model_server.requests) == 1
    counted = model_server.requests[0].usage
    assert counted is not None
    paid, hit = told(telemetry)
    assert paid["gen_ai.usage.input_tokens"] == usage.input_tokens == counted["prompt_tokens"]
    assert paid["gen_ai.usage.output_tokens"] == usage.output_tokens == counted["completion_tokens"]
    assert hit["dspy.cache.hit"] is True
    assert paid["gen_ai.usage.cost.amount"] == usage.cost == hit["dspy.cache.saved_cost"] == usage.saved_cost > 0
    assert (usage.lm_calls, usage.cache_hits, usage.cost_unknown_calls) == (2, 1, 0)


class Twice(dspy.LM):
    """Asks twice and answers once."""

    def forward(self, *arguments: Any, **settings: Any) -> Any:
        super().forward(*arguments, **{**settings, "temperature": 0.1})
        return super().forward(*arguments, **settings)

    async def aforward(self, *arguments: Any, **settings: Any) -> Any:
        asked = (super(Twice, self).aforward(*arguments, **{**settings, "temperature": heat}) for heat in (0.1, 0.2))
        return (await asyncio.gather(*asked))[-1]


class CalledTwice(dspy.LM):
    """Overrides the call itself with two."""

    def __call__(self, *arguments: Any, **settings: Any) -> Any:
        super().__call__(*arguments, **{**settings, "temperature": 0.1})
        return super().__call__(*arguments, **settings)

    async def acall(self, *arguments: Any, **settings: Any) -> Any:
        await super().acall(*arguments, **{**settings, "temperature": 0.1})
        return await super().acall(*arguments, **settings)


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("kind", [Twice, CalledTwice])
async def test_a_call_that_asks_twice_used_and_paid_for_both(
    telemetry: Recorded, model_server: ModelServer, engine: dict[str, Any], kind: type[dspy.LM], asynchronous: bool
) -> None:
    language_model = kind("openai/gpt-4o-mini", **settings_for(model_server, engine, cache=True))
    model_server.reply = ten_and_three
    with usage_scope() as usage:
        await ask(language_model, asynchronous)
    one = 10 * 0.15e-6 + 3 * 0.6e-6
    assert len(model_server.requests) == 2
    assert (usage.lm_calls, usage.input_tokens, usage.output_tokens) == (1, 20, 6)
    assert usage.cost == pytest.approx(2 * one)
    attributes = told(telemetry)[0]
    assert (attributes["gen_ai.usage.input_tokens"], attributes["gen_ai.usage.output_tokens"]) == (20, 6)
    assert attributes["gen_ai.usage.cost.amount"] == usage.cost
    with usage_scope() as usage:
        await ask(language_model, asynchronous)
    assert len(model_server.requests) == 2
    assert (usage.lm_calls, usage.cache_hits, usage.input_tokens, usage.cost) == (1, 1, 0, 0)
    assert usage.saved_cost == pytest.approx(2 * one)


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
async def test_a_call_of_which_one_half_was_stored_paid_for_the_other(
    telemetry: Recorded, model_server: ModelServer, engine: dict[str, Any], asynchronous: bool
) -> None:
    model_server.reply = ten_and_three
    settings = settings_for(model_server, engine, cache=True)
    await ask(dspy.LM("openai/gpt-4o-mini", **settings), asynchronous, temperature=0.1)
    telemetry.collector.clear()
    with usage_scope() as usage:
        await ask(Twice("openai/gpt-4o-mini", **settings), asynchronous)
    assert len(model_server.requests) == 2
    [attributes] = told(telemetry)
    assert attributes["dspy.cache.hit"] is False
    assert attributes["gen_ai.usage.input_tokens"] == usage.input_tokens == 10
    assert attributes["gen_ai.usage.cost.amount"] == usage.cost == pytest.approx(10 * 0.15e-6 + 3 * 0.6e-6)


class Thorough(dspy.LM):
    """Has its answer judged by another language model."""

    judge: Any = None

    def forward(self, *arguments: Any, **settings: Any) -> Any:
        reply = super().forward(*arguments, **settings)
        self.judge("Is that so?")
        return reply


class ThoroughCall(dspy.LM):
    """The same, in the call itself."""

    judge: Any = None

    def __call__(self, *arguments: Any, **settings: Any) -> Any:
        reply = super().__call__(*arguments, **settings)
        self.judge("Is that so?")
        return reply


@pytest.mark.parametrize("kind", [Thorough, ThoroughCall])
def test_a_call_that_asks_another_beside_used_and_paid_for_both(
    telemetry: Recorded, model_server: ModelServer, engine: dict[str, Any], kind: Any
) -> None:
    model_server.reply = ten_and_three
    settings = settings_for(model_server, engine, cache=False)
    language_model = kind("openai/gpt-4o-mini", **settings)
    language_model.judge = dspy.LM("openai/gpt-4o", **settings)
    with usage_scope() as usage:
        language_model("Where?")
    assert len(model_server.requests) == 2
    assert (usage.lm_calls, usage.input_tokens, usage.output_tokens, usage.cost_unknown_calls) == (1, 20, 6, 0)
    assert usage.cost == pytest.approx(10 * 0.15e-6 + 3 * 0.6e-6 + 10 * 2.5e-6 + 3 * 10e-6)
    assert telemetry.attributes(CHAT)["gen_ai.usage.cost.amount"] == usage.cost


class Undecided(dspy.LM):
    """Fails after it was answered."""

    def forward(self, *arguments: Any, **settings: Any) -> Any:
        super().forward(*arguments, **settings)
        raise ValueError("not good enough")


class UndecidedCall(dspy.LM):
    """The same, in the call itself."""

    def __call__(self, *arguments: Any, **settings: Any) -> Any:
        super().__call__(*arguments, **settings)
        raise ValueError("not good enough")


@pytest.mark.parametrize("kind", [Undecided, UndecidedCall])
def test_a_call_that_fails_after_an_answer_paid_for_it(
    telemetry: Recorded, model_server: ModelServer, engine: dict[str, Any], kind: Any
) -> None:
    model_server.reply = ten_and_three
    language_model = kind("openai/gpt-4o-mini", **settings_for(model_server, engine, cache=False))
    with usage_scope() as usage, pytest.raises(ValueError, match="good enough"):
        language_model("Where?")
    assert (usage.lm_calls, usage.input_tokens, usage.output_tokens) == (1, 10, 3)
    assert usage.cost == pytest.approx(10 * 0.15e-6 + 3 * 0.6e-6)
    assert telemetry.attributes(CHAT)["gen_ai.response.finish_reasons"] == ["error"]


class Persistent(dspy.LM):
    """Asks again when the first request fails."""

    def forward(self, *arguments: Any, **settings: Any) -> Any:
        try:
            return super().forward(*arguments, **settings)
        except Exception:  # noqa: BLE001 - as applications do
            return super().forward(*arguments, **settings)


def test_a_request_that_failed_leaves_nothing_in_the_one_that_did_not(
    telemetry: Recorded, model_server: ModelServer, engine: dict[str, Any]
) -> None:
    model_server.reply = ten_and_three
    model_server.fail_next(Failure(400, "no"))
    language_model = Persistent("openai/gpt-4o-mini", **settings_for(model_server, engine, cache=False))
    with usage_scope() as usage:
        language_model("Where?")
    assert (usage.lm_calls, usage.input_tokens, usage.cost_unknown_calls) == (1, 10, 0)
    assert "error.type" not in telemetry.attributes(CHAT)


class Direct(dspy.LM):
    """Makes its own list of answers of what ``forward`` returns."""

    def __call__(self, prompt: Any = None, messages: Any = None, **settings: Any) -> Any:
        reply = self.forward(prompt=prompt, messages=messages, **settings)
        return [choice.message.content for choice in reply.choices]


def test_an_override_that_leaves_out_dspys_call_is_told_all_the_same(
    telemetry: Recorded, model_server: ModelServer
) -> None:
    model_server.reply = ten_and_three
    engine = {"engine": "litellm"} if ENGINES.given else {}
    language_model = Direct("openai/gpt-4o-mini", **settings_for(model_server, engine, cache=True))
    with usage_scope() as usage:
        assert language_model("Where?") == language_model("Where?") == ["Egypt"]
    assert (usage.lm_calls, usage.cache_hits, usage.input_tokens, usage.output_tokens) == (2, 1, 10, 3)
    assert usage.cost == usage.saved_cost == pytest.approx(10 * 0.15e-6 + 3 * 0.6e-6)
    paid, hit = told(telemetry)
    assert (paid["dspy.cache.hit"], hit["dspy.cache.hit"]) == (False, True)
