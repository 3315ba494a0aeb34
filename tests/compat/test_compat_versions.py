"""What some versions of DSPy have and others lack, and that the table of it is right."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import capabilities
import dspy
import pytest
from capabilities import (
    BILLED_FAILURES,
    DECISIONS,
    DECLARED_PROVIDERS,
    ENGINES,
    LM15_REQUESTS,
    RESOLVED_ADDRESS,
    TYPED_REQUESTS,
)
from model_server import Failure, Reply

if TYPE_CHECKING:
    from conftest import MakeLM
    from model_server import ModelServer, Request
    from recorded import Recorded

ROOT = Path(__file__).parent.parent.parent
CHAT = "chat gpt-4o-mini"


def test_the_table_in_the_documents_is_this_one() -> None:
    assert capabilities.table() in (ROOT / "docs" / "compatibility.md").read_text()


def test_every_capability_has_a_test() -> None:
    tests = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    named = {name for name, value in vars(capabilities).items() if isinstance(value, capabilities.Capability)}
    assert [name for name in sorted(named) if f"{name}." not in tests] == []


def test_this_dspy_has_what_the_table_says() -> None:
    wrong = [item.name for item in capabilities.ALL if item.probe is not None and item.probe() != item.given]
    assert wrong == []


def test_an_engine_of_the_application_is_one_span(telemetry: Recorded) -> None:
    if ENGINES.is_missing():
        return
    from dspy.lm15 import Message, Response, Usage

    class Parrot:
        def complete(self, request: Any) -> Any:
            usage = Usage(input_tokens=3, output_tokens=2)
            answer = Message.assistant("There.")
            return Response(id="p-1", model="parrot-2", message=answer, finish_reason="stop", usage=usage)

        def close(self) -> None:
            """Nothing is open."""

    class AsyncParrot(Parrot):
        async def complete(self, request: Any) -> Any:
            return super().complete(request)

    language_model = dspy.LM("parrot", engine=Parrot(), async_engine=AsyncParrot(), cache=False)
    assert language_model("Where?") == asyncio.run(language_model.acall("Where?")) == ["There."]
    assert telemetry.tree() == "chat parrot\nchat parrot"
    for span in telemetry.spans:
        attributes = dict(span.attributes or {})
        assert attributes["gen_ai.provider.name"] == "Parrot"
        assert attributes["gen_ai.response.id"] == "p-1"
        assert attributes["gen_ai.response.model"] == "parrot-2"
        assert attributes["gen_ai.usage.input_tokens"] == 3
        assert attributes["gen_ai.usage.output_tokens"] == 2


def test_a_request_of_dspys_own_form_has_its_own_parameters(
    telemetry: Recorded, model_server: ModelServer, make_lm: MakeLM
) -> None:
    if LM15_REQUESTS.is_missing():
        return
    from dspy.lm15 import Config, Message, Request

    language_model = make_lm(temperature=0.9)
    config = Config(temperature=0.1, max_tokens=30, stop=("END",), seed=4, top_p=0.5)
    language_model(Request(model=language_model.model, messages=(Message.user("Where?"),), config=config))
    attributes = telemetry.attributes(CHAT)
    parameters = {
        name.removeprefix("gen_ai.request."): value
        for name, value in attributes.items()
        if name.startswith("gen_ai.request.")
    }
    assert parameters == {
        "model": "gpt-4o-mini",
        "temperature": 0.1,
        "max_tokens": 30,
        "stop_sequences": ["END"],
        "seed": 4,
        "top_p": 0.5,
    }
    assert attributes["gen_ai.usage.input_tokens"] == model_server.requests[0].usage["prompt_tokens"]


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
async def test_the_typed_path_of_dspy_3_3_is_recorded_like_the_other(
    telemetry: Recorded, model_server: ModelServer, make_lm: MakeLM, asynchronous: bool
) -> None:
    if TYPED_REQUESTS.is_missing():
        return

    class Typed(dspy.BaseLM):
        forward_contract = "typed_lm"

        def forward(self, request: Any) -> Any:
            return dspy.LMResponse.from_text("There.", model="typed-2", usage={"input_tokens": 4, "output_tokens": 2})

        async def aforward(self, request: Any) -> Any:
            return self.forward(request)

    async def call(language_model: Any, *items: Any) -> Any:
        return await language_model.acall(*items) if asynchronous else language_model(*items)

    language_model = make_lm()
    request = dspy.LMRequest.from_call(model=language_model.model, prompt="Where?", temperature=0.25)
    assert isinstance(await call(language_model, request), dspy.LMResponse)
    with dspy.context(experimental=True):
        assert isinstance(await call(language_model, "Where?"), dspy.LMResponse)
    assert await call(Typed(model="typed"), "Where?") == ["There."]
    assert telemetry.tree() == f"{CHAT}\n{CHAT}\nchat typed"
    for span, asked in zip(telemetry.named(CHAT), model_server.requests, strict=True):
        attributes = dict(span.attributes or {})
        assert asked.usage is not None
        assert attributes["gen_ai.usage.input_tokens"] == asked.usage["prompt_tokens"]
        assert attributes["gen_ai.usage.output_tokens"] == asked.usage["completion_tokens"]
        assert attributes["gen_ai.response.id"] == asked.reply_id
        assert attributes["gen_ai.response.finish_reasons"] == ("stop",)
        assert attributes["gen_ai.usage.cost.amount"] > 0
    assert (telemetry.named(CHAT)[0].attributes or {})["gen_ai.request.temperature"] == 0.25
    typed = telemetry.attributes("chat typed")
    assert (typed["gen_ai.usage.input_tokens"], typed["gen_ai.usage.output_tokens"]) == (4, 2)
    assert typed["gen_ai.response.model"] == "typed-2"


def test_a_declared_provider_has_its_own_name_and_address(
    telemetry: Recorded, model_server: ModelServer, engine: dict[str, Any]
) -> None:
    if DECLARED_PROVIDERS.is_missing():
        return
    from dspy.lm15 import AccessPolicy, OpenAIChatCompat, ProviderDefinition, register_provider, unregister_provider

    access = AccessPolicy(provider="our-house", base_url=model_server.url, env_keys=("OUR_HOUSE_KEY",))
    register_provider(ProviderDefinition.chat(access, compat=OpenAIChatCompat()))
    try:
        dspy.LM("our-house/our-model", api_key="test-key", cache=False, **engine)("Where?")
    finally:
        unregister_provider("our-house")
    attributes = telemetry.attributes("chat our-model")
    assert attributes["gen_ai.provider.name"] == "our-house"
    assert RESOLVED_ADDRESS.given
    assert (attributes["server.address"], attributes["server.port"]) == (model_server.host, model_server.port)


def test_an_address_that_litellm_alone_knows_is_not_told(
    telemetry: Recorded, model_server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DSPy leaves a gateway of the environment to LiteLLM, also where it has a client of its own."""
    monkeypatch.setenv("OPENAI_API_BASE", model_server.url)
    monkeypatch.setenv("OPENAI_BASE_URL", model_server.url)
    dspy.LM("openai/gpt-4o-mini", api_key="test-key", cache=False)("Where?")
    assert len(model_server.requests) == 1
    attributes = telemetry.attributes(CHAT)
    assert [name for name in attributes if name.startswith("server.")] == []


def test_a_decision_client_is_a_call_like_any_other(telemetry: Recorded) -> None:
    if DECISIONS.is_missing():
        return
    # Its service is played in tests/recorders/test_lm_decisions.py; here is that it is recorded at all.
    from dspy.experimental import TypeSafe

    client = TypeSafe(base_url="http://127.0.0.1:1", api_key="test-key", cache=False, timeout=0.2)
    with pytest.raises(Exception, match=r".+"):
        client({"text": "Where?"}, {"asks": {"type": "noul", "prompt": "Is it a question?"}})
    attributes = telemetry.attributes("chat jev-latest")
    assert attributes["gen_ai.provider.name"] == "typesafe"
    assert (attributes["server.address"], attributes["server.port"]) == ("127.0.0.1", 1)


def test_an_answer_that_was_billed_counts_although_the_call_failed(
    telemetry: Recorded, model_server: ModelServer, make_lm: MakeLM, engine: dict[str, Any]
) -> None:
    """DSPy's own client asks for each of several replies; here the second request fails."""

    def first_one_only(request: Request) -> Reply | Failure:
        return Reply(text="There.") if request.number == 1 else Failure(400, "no")

    model_server.reply = first_one_only
    if engine.get("engine") != "auto":
        # LiteLLM asks for all at once: there is no first answer.
        model_server.reply = lambda request: Failure(400, "no")
    with pytest.raises(Exception, match="no"):
        make_lm()("Where?", n=2, temperature=1.0)
    attributes = telemetry.attributes(CHAT)
    billed = BILLED_FAILURES.given and engine.get("engine") == "auto"
    assert attributes.get("gen_ai.usage.input_tokens") == (4 if billed else None)
    assert attributes.get("gen_ai.usage.output_tokens") == (1 if billed else None)
    assert ("gen_ai.usage.cost.amount" in attributes) is billed
    assert "error.type" in attributes
