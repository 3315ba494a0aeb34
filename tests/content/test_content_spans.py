"""How much content a whole program leaves on its spans: bounded on each, and on those alone that are to have any."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import dspy
import pytest
from genai_messages import faults_of
from recorded import attributes_of

if TYPE_CHECKING:
    from conftest import StartTelemetry
    from model_server import ModelServer
    from recorded import Recorded

DETAILS = "gen_ai.client.inference.operation.details"
LIMIT = 262_144
CHAT = "chat gpt-4o-mini"


class Answer(dspy.Signature):
    """Answer from the documents."""

    history: dspy.History = dspy.InputField()
    documents: list[str] = dspy.InputField()
    question: str = dspy.InputField()
    answer: str = dspy.OutputField()


class Desk(dspy.Module):
    """A workflow around ``ChainOfThought``, around ``Predict``, around a language model."""

    def __init__(self) -> None:
        super().__init__()
        self.answer = dspy.ChainOfThought(Answer)

    def forward(self, **inputs: Any) -> Any:
        return self.answer(**inputs)

    async def aforward(self, **inputs: Any) -> Any:
        return await self.answer.acall(**inputs)


def long_text(number: int, length: int) -> str:
    return f"{number:02d} " + "word " * (length // 5)


def conversation() -> dict[str, Any]:
    """Fifty turns and fifty documents: 1.4 million characters, which stood on four spans."""
    turns = [{"question": long_text(turn, 500), "answer": long_text(turn, 11_000)} for turn in range(50)]
    return {
        "history": dspy.History(messages=turns),
        "documents": [long_text(number, 16_000) for number in range(50)],
        "question": "Where is the parcel?",
    }


def characters(telemetry: Recorded) -> dict[str, int]:
    """How many characters the texts on each span have."""
    return {
        span.name: sum(len(value) for value in attributes_of(span).values() if isinstance(value, str))
        for span in telemetry.spans
    }


@pytest.mark.parametrize("way", ["sync", "async", "stream"])
def test_a_long_conversation_over_many_documents(
    start_telemetry: StartTelemetry, model_server: ModelServer, lm: dspy.LM, way: str
) -> None:
    async def stream() -> None:
        async for _ in dspy.streamify(Desk())(**conversation()):
            pass

    telemetry = start_telemetry(capture="SPAN_AND_EVENT")
    if way == "stream":
        asyncio.run(stream())
    elif way == "async":
        asyncio.run(Desk().acall(**conversation()))
    else:
        Desk()(**conversation())
    sizes = characters(telemetry)
    assert len(sizes) == 4
    # JSON's own signs, names and roles are not counted, nor the marks in the place of what is left out.
    assert all(100_000 < size < LIMIT for size in sizes.values()), sizes
    [record] = [record for record in telemetry.logs if record.log_record.event_name == DETAILS]
    assert len(json.dumps(dict(record.log_record.attributes or {}), default=str)) < LIMIT * 1.1
    inputs = json.loads(telemetry.attributes("Predict Answer")["dspy.module.inputs"])
    assert inputs["question"] == "Where is the parcel?"
    newest = inputs["history"]["messages"][-1]
    assert newest == {"question": long_text(49, 500), "answer": long_text(49, 11_000)}
    assert inputs["documents"][0] == long_text(0, 16_000)[:16_384]
    outputs = json.loads(telemetry.attributes("Predict Answer")["dspy.module.outputs"])
    assert {*outputs} == {"reasoning", "answer"}


def test_the_messages_of_a_long_conversation_keep_their_roles(
    start_telemetry: StartTelemetry, model_server: ModelServer, lm: dspy.LM
) -> None:
    telemetry = start_telemetry(capture="SPAN_ONLY")
    Desk()(**conversation())
    sent = model_server.requests[-1].body["messages"]
    attributes = telemetry.attributes(CHAT)
    messages = json.loads(attributes["gen_ai.input.messages"])
    assert faults_of(messages, replies=False) == []
    assert faults_of(json.loads(attributes["gen_ai.output.messages"]), replies=True) == []
    left_out = len(sent) - len(messages) + 1
    assert [message["role"] for message in messages[2:]] == [message["role"] for message in sent[1 + left_out :]]
    texts = ["".join(part["content"] for part in message["parts"]) for message in messages]
    # The system's and the newest are there, of the oldest the length.
    assert texts[0] == sent[0]["content"]
    assert texts[-2].startswith(str(sent[-2]["content"])[:10_000])
    assert texts[1] == f"… [{left_out} more messages]"
    assert texts[2] == f"… [{len(sent[1 + left_out]['content'])} more characters]"


def test_a_bound_of_ones_own(start_telemetry: StartTelemetry, monkeypatch: pytest.MonkeyPatch, lm: dspy.LM) -> None:
    monkeypatch.setenv("OTEL_INSTRUMENTATION_DSPY_CONTENT_SPAN_MAX_LENGTH", "4000")
    telemetry = start_telemetry(capture="SPAN_ONLY")
    dspy.Predict("question -> answer")(question="word " * 10_000)
    inputs = json.loads(telemetry.attributes("Predict question -> answer")["dspy.module.inputs"])
    assert inputs["question"].startswith("word word")
    assert inputs["question"].endswith(" more characters]")
    assert len(inputs["question"]) < 4_000
    assert json.loads(telemetry.attributes(CHAT)["gen_ai.output.messages"])[0]["parts"][0]["content"]


def test_what_is_beyond_the_bound_is_not_even_given_to_the_redaction(
    start_telemetry: StartTelemetry, lm: dspy.LM
) -> None:
    def note(text: str, kind: str) -> str:
        seen.append(len(text))
        return text

    seen: list[int] = []
    start_telemetry(capture="SPAN_ONLY", redact=note)
    Desk()(**conversation())
    # Four spans of at most a quarter of a million each, and the text that is cut on each.
    assert sum(seen) < 4 * LIMIT + 4 * 800_000


def whole_program(telemetry: Recorded) -> None:
    """An agent with a tool, a search, and an evaluation."""

    class Searching(dspy.Retrieve):  # type: ignore[misc]
        def forward(self, query: str, k: int | None = None) -> Any:
            return dspy.Prediction(passages=["a secret passage"])

    def look_up(city: str) -> str:
        """Look something up."""
        return f"secret of {city}"

    class Whole(dspy.Module):
        def __init__(self) -> None:
            super().__init__()
            self.answer = dspy.Predict("question -> answer")

        def forward(self, question: str) -> Any:
            dspy.Tool(look_up)(city="Ravenna")
            Searching()("Where is the secret?")
            dspy.Parallel(num_threads=1)([(self.answer, {"question": question})])
            return self.answer(question=question)

    example = dspy.Example(question="What is the secret?", answer="none").with_inputs("question")
    dspy.Evaluate(devset=[example], metric=lambda *_: True, num_threads=1)(Whole())
    assert len(telemetry.named(CHAT)) == 2


CONTENT = (
    *("gen_ai.input.messages", "gen_ai.output.messages", "dspy.module.inputs", "dspy.module.outputs"),
    *("gen_ai.tool.call.arguments", "gen_ai.tool.call.result", "gen_ai.retrieval.query.text"),
    *("gen_ai.retrieval.documents", "dspy.example.inputs", "dspy.example.labels"),
)


def with_content(telemetry: Recorded) -> set[str]:
    return {span.name for span in telemetry.spans if any(name in (span.attributes or {}) for name in CONTENT)}


@pytest.mark.parametrize("spans", ["", "all", "chat"])
def test_content_stands_on_all_spans_or_on_those_of_language_models_alone(
    start_telemetry: StartTelemetry, monkeypatch: pytest.MonkeyPatch, lm: dspy.LM, spans: str
) -> None:
    monkeypatch.setenv("OTEL_INSTRUMENTATION_DSPY_CONTENT_SPANS", spans)
    telemetry = start_telemetry(capture="SPAN_ONLY")
    whole_program(telemetry)
    chats, others = {CHAT}, with_content(telemetry) - {CHAT}
    assert with_content(telemetry) >= chats
    everywhere = {
        *("evaluate_example", "invoke_workflow Whole", "execute_tool look_up", "retrieval"),
        "Predict answer",
    }
    assert others == (set() if spans == "chat" else everywhere)
    if spans == "chat":
        assert "a secret passage" not in telemetry.everything()
        assert "Ravenna" not in telemetry.everything()


def test_an_agent_keeps_the_names_of_its_tools_where_its_span_has_no_content(
    start_telemetry: StartTelemetry, monkeypatch: pytest.MonkeyPatch, lm: dspy.LM
) -> None:
    def look_up(city: str) -> str:
        """Tell a secret."""
        return city

    monkeypatch.setenv("OTEL_INSTRUMENTATION_DSPY_CONTENT_SPANS", "chat")
    telemetry = start_telemetry(capture="SPAN_ONLY")
    dspy.ReAct("question -> answer", tools=[look_up], max_iters=1)(question="Where?")
    definitions = json.loads(telemetry.attributes("invoke_agent ReAct")["gen_ai.tool.definitions"])
    assert definitions == [{"name": "look_up", "type": "function"}]
    assert "gen_ai.input.messages" not in telemetry.attributes("invoke_agent ReAct")


def test_the_details_event_of_a_call_has_content_with_either_choice(
    start_telemetry: StartTelemetry, monkeypatch: pytest.MonkeyPatch, lm: dspy.LM
) -> None:
    monkeypatch.setenv("OTEL_INSTRUMENTATION_DSPY_CONTENT_SPANS", "chat")
    telemetry = start_telemetry(capture="EVENT_ONLY")
    dspy.Predict("question -> answer")(question="Where?")
    [record] = [record for record in telemetry.logs if record.log_record.event_name == DETAILS]
    assert "gen_ai.input.messages" in (record.log_record.attributes or {})
    assert with_content(telemetry) == set()
