"""With consent everything that a model said stands in the messages, on every DSPy and both engines; without it nothing.

Replies as providers document them come over HTTP; what stands in the messages is the same whoever reads the reply.
"""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

import dspy
import pytest
from capabilities import RESPONSES, TYPED_REQUESTS
from documented_replies import BASE64, CASES, UNREADABLE, Case
from dspy.utils import DummyLM
from genai_messages import faults_of
from model_server import ModelServer, Reply
from provider_server import ProviderServer

if TYPE_CHECKING:
    from conftest import StartTelemetry
    from recorded import Recorded

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::FutureWarning", "ignore:Pydantic serializer warnings"
)

by_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


def ask(case: Case, engine: dict[str, Any]) -> bool:
    if case.settings.get("model_type") == "responses" and RESPONSES.is_missing():
        return False
    with ProviderServer(case.reply) as server:
        settings = {"api_base": server.url + case.path, "api_key": "test-key", "cache": False, "num_retries": 0}
        dspy.LM(case.model, **{**settings, **engine, **case.settings})("Where?")
    return True


def replies(telemetry: Recorded) -> list[dict[str, Any]]:
    [span] = telemetry.spans
    found: list[dict[str, Any]] = json.loads(str((span.attributes or {})["gen_ai.output.messages"]))
    assert faults_of(found, replies=True) == []
    return found


@by_case
def test_what_a_model_said_is_in_its_messages(
    start_telemetry: StartTelemetry, engine: dict[str, Any], case: Case
) -> None:
    telemetry = start_telemetry(capture="SPAN_ONLY")
    if ask(case, engine):
        [message] = replies(telemetry)
        assert tuple(part["type"] for part in message["parts"]) == case.types
        assert [said for said in case.said if said not in json.dumps(message)] == []
        assert BASE64 not in telemetry.everything()


@pytest.mark.parametrize("case", UNREADABLE, ids=lambda case: case.name)
def test_what_a_model_said_is_in_its_messages_though_dspy_cannot_read_it(
    start_telemetry: StartTelemetry, engine: dict[str, Any], case: Case
) -> None:
    telemetry = start_telemetry(capture="SPAN_ONLY")
    if RESPONSES.is_missing():
        return
    with contextlib.suppress(AttributeError, ValueError):  # of DSPy 3.1 and 3.3
        ask(case, engine)
    [message] = replies(telemetry)
    assert tuple(part["type"] for part in message["parts"]) == case.types
    assert [said for said in case.said if said not in json.dumps(message)] == []


@by_case
def test_without_consent_nothing_of_it_is_anywhere(telemetry: Recorded, engine: dict[str, Any], case: Case) -> None:
    if ask(case, engine):
        assert [said for said in (*case.said, BASE64) if said in telemetry.everything()] == []


@by_case
def test_the_redaction_sees_all_of_it(start_telemetry: StartTelemetry, engine: dict[str, Any], case: Case) -> None:
    telemetry = start_telemetry(capture="SPAN_ONLY", redact=lambda value, kind: "*")
    if ask(case, engine):
        assert len(replies(telemetry)) == 1
        assert [said for said in case.said if said in telemetry.everything()] == []


def test_the_provider_behind_a_gateway_is_told(start_telemetry: StartTelemetry, engine: dict[str, Any]) -> None:
    telemetry = start_telemetry()
    [case] = [case for case in CASES if case.path == "/api/v1"]
    ask(case, engine)
    [span] = telemetry.spans
    assert (span.attributes or {})["dspy.lm.upstream_provider"] == "Google AI Studio"
    assert (span.attributes or {})["gen_ai.provider.name"] == "openrouter"


def test_reasoning_and_names_that_go_in_are_in_the_messages(
    start_telemetry: StartTelemetry, model_server: ModelServer, engine: dict[str, Any]
) -> None:
    telemetry = start_telemetry(capture="SPAN_ONLY")
    given = [
        {"role": "user", "content": "Where?", "name": "ann"},
        {"role": "assistant", "content": "There.", "reasoning_content": "Pondered."},
        {"role": "user", "content": "And now?"},
    ]
    settings = {"api_base": model_server.url, "api_key": "test-key", "cache": False, "num_retries": 0}
    dspy.LM("openai/gpt-4o-mini", **{**settings, **engine})(messages=given)
    attributes = telemetry.attributes("chat gpt-4o-mini")
    asked, answered, again = json.loads(attributes["gen_ai.input.messages"])
    assert (asked["name"], asked["parts"]) == ("ann", [{"content": "Where?", "type": "text"}])
    assert answered["parts"] == [
        {"content": "Pondered.", "type": "reasoning"},
        {"content": "There.", "type": "text"},
    ]
    assert again["name"] is None


class Fixed(dspy.BaseLM):
    """Overrides ``__call__`` and ``acall`` altogether."""

    def __init__(self, reply: Any) -> None:
        super().__init__(model="fixed")
        self.reply = reply

    def __call__(self, prompt: Any = None, messages: Any = None, **settings: Any) -> Any:
        return self.reply

    async def acall(self, prompt: Any = None, messages: Any = None, **settings: Any) -> Any:
        return self.reply


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (["One.", "Two."], [["One."], ["Two."]]),
        ("One.", [["One."]]),
        ([{"text": "One.", "reasoning_content": "Pondered."}], [["Pondered.", "One."]]),
        ([{"answer": "One."}], [['{"answer":"One."}']]),
        (dspy.Prediction(answer="One."), [['{"answer":"One."}']]),
    ],
)
async def test_what_an_own_language_model_returns_is_its_reply(
    start_telemetry: StartTelemetry, reply: Any, expected: list[list[str]]
) -> None:
    telemetry = start_telemetry(capture="SPAN_ONLY")
    Fixed(reply)("Where?")
    await Fixed(reply).acall("Where?")
    for span in telemetry.named("chat fixed"):
        attributes = span.attributes or {}
        messages = json.loads(str(attributes["gen_ai.output.messages"]))
        assert faults_of(messages, replies=True) == []
        assert [[part["content"] for part in message["parts"]] for message in messages] == expected
        assert "gen_ai.response.finish_reasons" not in attributes


async def test_the_language_model_for_tests_has_its_replies(start_telemetry: StartTelemetry) -> None:
    telemetry = start_telemetry(capture="SPAN_ONLY")
    dummy = DummyLM([{"answer": "Here"}, {"answer": "There"}])
    dspy.configure(lm=dummy, adapter=dspy.ChatAdapter())
    dspy.Predict("question -> answer")(question="Where?")
    await dspy.Predict("question -> answer").acall(question="Where?")
    said = [
        json.loads(str((span.attributes or {})["gen_ai.output.messages"])) for span in telemetry.named("chat dummy")
    ]
    for [message], answer in zip(said, ["Here", "There"], strict=True):
        [part] = message["parts"]
        assert part["type"] == "text"
        assert f"[[ ## answer ## ]]\n{answer}" in part["content"]


@pytest.mark.parametrize("hands_on", [True, False])
def test_a_router_says_what_the_one_that_it_asked_last_said(
    start_telemetry: StartTelemetry, model_server: ModelServer, engine: dict[str, Any], hands_on: bool
) -> None:
    class Router(dspy.BaseLM):
        def __call__(self, prompt: Any = None, messages: Any = None, **options: Any) -> Any:
            first(prompt)
            said = second(prompt)
            return said if hands_on else ["Something else."]

    telemetry = start_telemetry(capture="SPAN_ONLY")
    model_server.reply = lambda request: Reply("Cut", finish_reason="length") if request.number == 2 else "Whole"
    settings = {"api_base": model_server.url, "api_key": "test-key", "cache": False, "num_retries": 0, **engine}
    first, second = dspy.LM("openai/gpt-4o-mini", **settings), dspy.LM("openai/gpt-4o", **settings)
    Router(model="router")("Where?")
    assert telemetry.tree() == "chat router"
    [message] = replies(telemetry)
    attributes = telemetry.attributes("chat router")
    assert [part["content"] for part in message["parts"]] == (["Cut"] if hands_on else ["Something else."])
    assert attributes.get("gen_ai.response.finish_reasons") == (["length"] if hands_on else None)
    assert message["finish_reason"] == ("length" if hands_on else "")


def test_a_refusal_that_a_router_hands_on_is_in_its_messages(
    start_telemetry: StartTelemetry, engine: dict[str, Any]
) -> None:
    class Router(dspy.BaseLM):
        def __call__(self, prompt: Any = None, messages: Any = None, **options: Any) -> Any:
            return inner(prompt)

    telemetry = start_telemetry(capture="SPAN_ONLY")
    [case] = [case for case in CASES if case.name == "refusal"]
    with ProviderServer(case.reply) as server:
        settings = {"api_base": f"{server.url}/v1", "api_key": "test-key", "cache": False, "num_retries": 0}
        inner = dspy.LM("openai/gpt-4o-mini", **{**settings, **engine})
        Router(model="router")("Where?")
    [message] = replies(telemetry)
    assert message["parts"] == [{"content": "I will not.", "type": "text"}]


def test_typed_parts_that_go_in_and_come_out_are_in_the_messages(start_telemetry: StartTelemetry) -> None:
    if TYPED_REQUESTS.is_missing():
        return
    from dspy.core import types

    class Typed(dspy.BaseLM):
        forward_contract = "typed_lm"

        def forward(self, request: Any) -> Any:
            parts = [
                types.LMThinkingPart(text="Pondered."),
                types.LMTextPart(text="The answer."),
                types.LMRefusalPart(text="I will not."),
                types.LMCitationPart(url="https://a.example"),
                types.LMImagePart(data=BASE64),
                types.LMToolCallPart(id="call_1", name="look", args={"at": "Nile"}),
            ]
            return types.LMResponse(model="typed", outputs=[types.LMOutput(parts=parts, finish_reason="stop")])

    telemetry = start_telemetry(capture="SPAN_ONLY")
    document = types.LMDocumentPart(source={"type": "text", "media_type": "text/plain", "data": "The Nile."})
    message = types.LMMessage(role="user", parts=[types.LMTextPart(text="Where?"), document])
    Typed(model="typed")(types.LMRequest(model="typed", messages=[message]))
    [asked] = json.loads(telemetry.attributes("chat typed")["gen_ai.input.messages"])
    assert [part["content"] for part in asked["parts"]] == ["Where?", "The Nile."]
    [answered] = replies(telemetry)
    assert [part["type"] for part in answered["parts"]] == ["reasoning", "text", "text", "text", "uri", "tool_call"]
    said = ("Pondered.", "The answer.", "I will not.", "https://a.example", "call_1", "Nile")
    assert [text for text in said if text not in json.dumps(answered)] == []
    assert BASE64 not in telemetry.everything()
