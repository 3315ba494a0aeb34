"""What Phoenix, Arize and MLflow read on every kind of span, with content and without."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import dspy
import pytest
from dspy.utils import DummyLM
from every_kind import FIRST_WORDS, TRAINSET, exact, letters, run_every_kind, script
from model_server import Failure
from recorded import attributes_of
from search_server import PASSAGES, SearchServer

from opentelemetry.instrumentation.dspy import telemetry_context
from opentelemetry.instrumentation.dspy.amounts import money_words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import StartTelemetry
    from model_server import ModelServer
    from recorded import Recorded

KINDS = {
    "invoke_workflow": "CHAIN",
    "invoke_agent": "AGENT",
    "chat": "LLM",
    "execute_tool": "TOOL",
    "retrieval": "RETRIEVER",
    "embeddings": "EMBEDDING",
    "evaluate": "EVALUATOR",
    "evaluate_example": "EVALUATOR",
}
OPENINFERENCE = ("openinference.", "input.", "output.", "retrieval.", "embedding.", "evaluations.", "llm.", "session.")


@pytest.fixture
def colbert() -> Iterator[dspy.ColBERTv2]:
    with SearchServer() as server:
        yield dspy.ColBERTv2(url=f"{server.url}/wiki17_abstracts")


def mirrored(attributes: dict[str, Any]) -> dict[str, Any]:
    """What the mirror added to a span."""
    return {name: value for name, value in attributes.items() if name.startswith(OPENINFERENCE) or name == "metadata"}


def sides(attributes: dict[str, Any]) -> tuple[Any, Any]:
    """Input and output, parsed where they say that they are JSON."""

    def side(name: str) -> Any:
        value, mime_type = attributes[f"{name}.value"], attributes[f"{name}.mime_type"]
        assert mime_type in ("text/plain", "application/json")
        return value if mime_type == "text/plain" else json.loads(value)

    return side("input"), side("output")


def test_nobody_who_did_not_ask_gets_any_of_it(telemetry: Recorded, lm: dspy.LM) -> None:
    dspy.Predict("question -> answer")(question="Where?")
    assert [mirrored(attributes_of(span)) for span in telemetry.spans] == [{}, {}]


@pytest.mark.parametrize("capture", ["", "SPAN_ONLY"])
def test_every_span_has_a_kind_an_input_and_an_output(
    start_telemetry: StartTelemetry,
    lm: dspy.LM,
    model_server: ModelServer,
    colbert: dspy.ColBERTv2,
    monkeypatch: pytest.MonkeyPatch,
    capture: str,
) -> None:
    monkeypatch.setenv("OTEL_INSTRUMENTATION_DSPY_ADAPTER_SPANS", "true")
    telemetry = start_telemetry(capture=capture, openinference=True)
    model_server.reply = script()
    run_every_kind(colbert)
    assert {span.name.partition(" ")[0] for span in telemetry.spans} == FIRST_WORDS
    for span in telemetry.spans:
        attributes = attributes_of(span)
        assert attributes["openinference.span.kind"] == KINDS.get(span.name.partition(" ")[0], "CHAIN")
        given, returned = sides(attributes)
        assert given, span.name
        assert returned, span.name


def test_a_trace_is_called_by_its_first_span_in_the_list_of_mlflow(
    start_telemetry: StartTelemetry, lm: dspy.LM
) -> None:
    telemetry = start_telemetry(openinference=True)
    dspy.Predict("question -> answer")(question="Where?")
    names = {span.name: attributes_of(span).get("mlflow.traceTag.mlflow.traceName") for span in telemetry.spans}
    assert names == {"Predict question -> answer": "Predict question -> answer", "chat gpt-4o-mini": None}


def test_without_content_a_row_says_how_much_and_how_well_and_nothing_of_what(
    start_telemetry: StartTelemetry, lm: dspy.LM, model_server: ModelServer, colbert: dspy.ColBERTv2
) -> None:
    telemetry = start_telemetry(openinference=True)
    model_server.reply = script()
    run_every_kind(colbert)
    usage = [request.usage for request in model_server.requests if request.usage is not None]
    found = {span.name: sides(attributes_of(span)) for span in telemetry.spans}
    cost = telemetry.attributes("invoke_workflow Desk")["dspy.usage.cost"]
    assert found["invoke_workflow Desk"] == ("Desk", f"4 LM calls · {money_words(cost)}")
    assert found["retrieval wiki17_abstracts"] == ("wiki17_abstracts · top 2", "2 documents")
    assert found["embeddings letters"] == ("letters", "5 dimensions")
    assert found["execute_tool search"] == ("search", "done")
    assert found["evaluate exact"] == ("Predict · 2 examples · metric exact", "score 50 · 2 LM calls")
    assert found["optimize_trial"] == ("trial 0 · bootstrap", "accepted · 1 LM call")
    assert found["optimize BootstrapFewShot"] == ("2 training examples", "1 trial · 1 LM call")
    assert found["Predict question -> age"] == (
        "question",
        "AdapterParseError · 2 LM calls",
    )
    chats = [sides(attributes_of(span)) for span in telemetry.named("chat gpt-4o-mini")]
    assert chats[0] == (
        "Desk.answer.predict",
        f"stop · {usage[0]['prompt_tokens']} → {usage[0]['completion_tokens']} tokens",
    )
    examples = [sides(attributes_of(span)) for span in telemetry.named("evaluate_example")]
    assert examples[:2] == [("example 0", "score 1 · 1 LM call"), ("example 1", "score 0 · 1 LM call")]
    written = json.dumps([mirrored(attributes_of(span)) for span in telemetry.spans])
    for content in ("Nile", "rivers", "here", "about six", "Congo", "reasoning e"):
        assert content not in written


def test_a_call_of_a_model_is_a_conversation(
    start_telemetry: StartTelemetry, lm: dspy.LM, model_server: ModelServer
) -> None:
    telemetry = start_telemetry(capture="SPAN_ONLY", openinference=True)
    lm(messages=[{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Where?"}])
    [request] = model_server.requests
    attributes = telemetry.attributes("chat gpt-4o-mini")
    assert attributes["openinference.span.kind"] == "LLM"
    given, returned = sides(attributes)
    assert given == {"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Where?"}]}
    assert returned == json.loads(attributes["gen_ai.output.messages"])[0]["parts"][0]["content"]
    # Told twice, tokens and cost would be added up twice: they are in the GenAI attributes alone.
    assert {name for name in attributes if name.startswith("llm.")} == set()
    assert request.usage is not None
    assert attributes["gen_ai.usage.input_tokens"] == request.usage["prompt_tokens"]


async def test_a_reply_that_streams_is_its_whole_text(
    start_telemetry: StartTelemetry, lm: dspy.LM, model_server: ModelServer
) -> None:
    telemetry = start_telemetry(capture="SPAN_ONLY", openinference=True)
    model_server.reply = lambda request: {"answer": "At home"}
    predict: Any = dspy.streamify(dspy.Predict("question -> answer"))
    async for _ in predict(question="Where?"):
        pass
    attributes = telemetry.attributes("chat gpt-4o-mini")
    assert attributes["gen_ai.request.stream"] is True
    assert sides(attributes)[1].startswith("[[ ## answer ## ]]\nAt home")
    assert sides(telemetry.attributes("Predict question -> answer")) == ("Where?", "At home")


def test_a_model_that_asks_for_tools_is_told_as_choices(
    start_telemetry: StartTelemetry, lm: dspy.LM, model_server: ModelServer
) -> None:
    from agent_replies import calls
    from model_server import ToolCall

    telemetry = start_telemetry(capture="SPAN_ONLY", openinference=True)
    model_server.reply = lambda request: calls(ToolCall("search", {"topic": "rivers"}))
    lm("Where?")
    _, returned = sides(telemetry.attributes("chat gpt-4o-mini"))
    [choice] = returned["choices"]
    [called] = choice["message"].pop("tool_calls")
    assert choice == {"index": 0, "message": {"role": "assistant", "content": None}}
    assert isinstance(called.pop("id"), str)
    assert called == {"type": "function", "function": {"name": "search", "arguments": '{"topic":"rivers"}'}}


def test_modules_tools_and_searches_show_what_went_in_and_came_out(
    start_telemetry: StartTelemetry, lm: dspy.LM, model_server: ModelServer, colbert: dspy.ColBERTv2
) -> None:
    telemetry = start_telemetry(capture="SPAN_ONLY", openinference=True)
    model_server.reply = script()
    run_every_kind(colbert)
    found = {span.name: sides(attributes_of(span)) for span in telemetry.spans}
    assert found["execute_tool search"] == ({"topic": "rivers"}, "All about rivers.")
    assert found["KNN"][0] == "Where is the Nile?"
    assert found["ChainOfThought answer"][0] == "Where is the Nile?"
    assert set(found["ChainOfThought answer"][1]) == {"reasoning", "answer"}
    assert found["retrieval wiki17_abstracts"][0] == "Where is the Nile?"
    search = telemetry.attributes("retrieval wiki17_abstracts")
    documents = {name: value for name, value in search.items() if name.startswith("retrieval.documents.")}
    assert documents == {
        "retrieval.documents.0.document.content": PASSAGES[0],
        "retrieval.documents.0.document.id": "0",
        "retrieval.documents.0.document.score": 0.5,
        "retrieval.documents.0.document.metadata": '{"rank":1}',
        "retrieval.documents.1.document.content": PASSAGES[1],
        "retrieval.documents.1.document.id": "1",
        "retrieval.documents.1.document.score": 0.5,
        "retrieval.documents.1.document.metadata": '{"rank":2}',
    }
    assert found["retrieval wiki17_abstracts"][1] == [PASSAGES[0], PASSAGES[1]]


def test_scores_can_be_filtered_by(start_telemetry: StartTelemetry) -> None:
    telemetry = start_telemetry(openinference=True)
    with dspy.context(lm=DummyLM([{"answer": "here"}] * 2)):
        dspy.Evaluate(devset=TRAINSET, metric=exact)(dspy.Predict("question -> answer"))
    evaluation = telemetry.attributes("evaluate exact")
    assert json.loads(evaluation["metadata"]) == {"metric": "exact", "examples": 2, "score": 50.0}
    assert evaluation["evaluations.0.evaluation.name"] == "exact"
    assert evaluation["evaluations.0.evaluation.score"] == 50.0
    examples = [attributes_of(span) for span in telemetry.named("evaluate_example")]
    assert [json.loads(example["metadata"]) for example in examples] == [
        {"metric": "exact", "index": 0, "score": 1.0},
        {"metric": "exact", "index": 1, "score": 0.0},
    ]
    assert [example["evaluations.0.evaluation.score"] for example in examples] == [1.0, 0.0]


def test_a_conversation_is_a_session_and_its_user_the_user(start_telemetry: StartTelemetry, lm: dspy.LM) -> None:
    telemetry = start_telemetry(openinference=True)
    with telemetry_context(conversation_id="c-42", attributes={"enduser.id": "u-7"}):
        dspy.Predict("question -> answer")(question="Where?")
    for span in telemetry.spans:
        attributes = attributes_of(span)
        assert (attributes["session.id"], attributes["user.id"]) == ("c-42", "u-7")


def test_a_call_that_failed_says_by_what(
    start_telemetry: StartTelemetry, lm: dspy.LM, model_server: ModelServer
) -> None:
    telemetry = start_telemetry(capture="SPAN_ONLY", openinference=True)
    model_server.fail_when(lambda request: True, Failure(400))
    with pytest.raises(Exception, match="scripted failure"):
        dspy.Predict("question -> answer")(question="Where?")
    error = telemetry.attributes("chat gpt-4o-mini")["error.type"].rpartition(".")[2]
    assert sides(telemetry.attributes("Predict question -> answer")) == ("Where?", f"{error} · 1 LM call")
    given, returned = sides(telemetry.attributes("chat gpt-4o-mini"))
    assert [message["role"] for message in given["messages"]] == ["system", "user"]
    assert returned == error


def test_a_redaction_and_a_bound_hold_too(start_telemetry: StartTelemetry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_INSTRUMENTATION_DSPY_CONTENT_MAX_LENGTH", "60")
    telemetry = start_telemetry(
        capture="SPAN_ONLY", openinference=True, redact=lambda text, kind: text.replace("Nile", "RIVER")
    )
    with dspy.context(lm=DummyLM([{"answer": "The Nile " * 40}] * 2)):
        dspy.Predict("question -> answer")(question="Where is the Nile?", config={})
    for span in telemetry.spans:
        attributes = mirrored(attributes_of(span))
        assert "Nile" not in json.dumps(attributes)
        assert max(len(value) for value in attributes.values()) <= 4 * 60
    given, returned = sides(telemetry.attributes("Predict question -> answer"))
    assert given == "Where is the RIVER?"
    assert returned.startswith("The RIVER The RIVER")
    # JSON is JSON however little is left of it.
    assert [message["role"] for message in sides(telemetry.attributes("chat dummy"))[0]["messages"]] == [
        "system",
        "user",
    ]


def test_what_the_events_alone_hold_no_span_shows(start_telemetry: StartTelemetry) -> None:
    telemetry = start_telemetry(capture="EVENT_ONLY", openinference=True)
    with dspy.context(lm=DummyLM([{"answer": "The Nile"}])):
        dspy.Predict("question -> answer")(question="Which river?")
    written = json.dumps([mirrored(attributes_of(span)) for span in telemetry.spans])
    assert "Nile" not in written
    assert "river" not in written
    assert sides(telemetry.attributes("Predict question -> answer")) == ("question", "answer · 1 LM call")


def test_texts_that_were_embedded_are_told_one_by_one() -> None:
    from opentelemetry.instrumentation.dspy.openinference.lists import items_of

    told = [*items_of("embeddings", {"dspy.embeddings.inputs": '["one","two","three"]'}, 6)]
    assert told == [{"embedding.embeddings.0.embedding.text": "one"}, {"embedding.embeddings.1.embedding.text": "two"}]
    assert letters(["a"]) == [[1.0, 0.0, 0.0, 0.0, 0.0]]
