"""Adapters: their names on the language model's spans, what they could not parse, and what they fell back to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dspy
import pytest
from adapter_events import JSON_ANSWER, NONSENSE, PARSE_ERROR, PREDICT, counts, events, fallback, parse_error, replying
from dspy.adapters import json_adapter
from dspy.adapters.baml_adapter import BAMLAdapter
from dspy.utils.callback import BaseCallback
from dspy.utils.exceptions import AdapterParseError
from model_server import ModelServer, Reply, ToolCall
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from recorded import attributes_of

if TYPE_CHECKING:
    from conftest import StartTelemetry
    from recorded import Recorded


@pytest.mark.parametrize(
    "adapter",
    [dspy.ChatAdapter(), dspy.JSONAdapter(), dspy.XMLAdapter(), BAMLAdapter()],
    ids=lambda it: type(it).__name__,
)
def test_the_language_model_span_names_the_adapter(telemetry: Recorded, lm: dspy.LM, adapter: dspy.Adapter) -> None:
    with dspy.context(adapter=adapter):
        dspy.Predict("question -> answer")(question="Where?")
    assert telemetry.attributes("chat gpt-4o-mini")["dspy.adapter.name"] == type(adapter).__name__
    assert events(telemetry) == []


def test_a_reply_that_cannot_be_parsed_is_an_event_and_so_is_the_fallback(
    telemetry: Recorded, lm: dspy.LM, model_server: ModelServer
) -> None:
    model_server.reply = replying(NONSENSE, JSON_ANSWER)
    assert dspy.Predict("question -> answer")(question="Where?").answer == "here"
    assert telemetry.tree() == f"{PREDICT}\n  chat gpt-4o-mini\n  chat gpt-4o-mini"
    assert events(telemetry) == [parse_error("ChatAdapter"), fallback("ChatAdapter", "JSONAdapter")]
    assert [attributes_of(span)["dspy.adapter.name"] for span in telemetry.named("chat gpt-4o-mini")] == [
        "ChatAdapter",
        "JSONAdapter",
    ]
    assert counts(telemetry, "dspy.adapter.parse_errors") == [(1, {"dspy.adapter.name": "ChatAdapter"})]
    assert counts(telemetry, "dspy.adapter.fallbacks") == [(1, {"dspy.adapter.name": "ChatAdapter"})]


async def test_an_asynchronous_call_has_the_same_events(
    telemetry: Recorded, lm: dspy.LM, model_server: ModelServer
) -> None:
    model_server.reply = replying(NONSENSE, JSON_ANSWER)
    await dspy.Predict("question -> answer").acall(question="Where?")
    assert telemetry.tree() == f"{PREDICT}\n  chat gpt-4o-mini\n  chat gpt-4o-mini"
    assert events(telemetry) == [parse_error("ChatAdapter"), fallback("ChatAdapter", "JSONAdapter")]


def test_the_first_error_is_kept_when_the_fallback_fails_too(
    telemetry: Recorded, lm: dspy.LM, model_server: ModelServer
) -> None:
    model_server.reply = replying(NONSENSE, NONSENSE)
    with pytest.raises(AdapterParseError):
        dspy.Predict("question -> answer")(question="Where?")
    assert events(telemetry)[:3] == [
        parse_error("ChatAdapter"),
        fallback("ChatAdapter", "JSONAdapter"),
        parse_error("JSONAdapter"),
    ]
    assert telemetry.attributes(PREDICT)["error.type"] == PARSE_ERROR
    assert sorted(counts(telemetry, "dspy.adapter.parse_errors"), key=str) == [
        (1, {"dspy.adapter.name": "ChatAdapter"}),
        (1, {"dspy.adapter.name": "JSONAdapter"}),
    ]


class ParseHooks(BaseCallback):
    """Counts how often DSPy's own hooks tell of a failure to parse."""

    def __init__(self) -> None:
        self.failures = 0

    def on_adapter_parse_end(self, call_id: str, outputs: Any, exception: BaseException | None = None) -> None:
        self.failures += exception is not None


@pytest.mark.parametrize(
    ("adapter", "hook_calls", "expected"),
    [
        (dspy.JSONAdapter(), 1, [parse_error("JSONAdapter")]),
        (BAMLAdapter(), 2, [parse_error("BAMLAdapter")]),
        (
            dspy.XMLAdapter(),
            2,
            [parse_error("XMLAdapter"), fallback("XMLAdapter", "JSONAdapter"), parse_error("JSONAdapter")],
        ),
        (dspy.ChatAdapter(use_json_adapter_fallback=False), 1, [parse_error("ChatAdapter")]),
    ],
    ids=["json", "baml", "xml", "chat without fallback"],
)
def test_an_error_is_one_event_however_often_dspys_hooks_fire(
    telemetry: Recorded,
    lm: dspy.LM,
    model_server: ModelServer,
    adapter: dspy.Adapter,
    hook_calls: int,
    expected: list[tuple[str, dict[str, Any]]],
) -> None:
    model_server.reply = lambda _: Reply(text=NONSENSE)
    hooks = ParseHooks()
    with dspy.context(adapter=adapter, callbacks=[hooks]), pytest.raises(AdapterParseError):
        dspy.Predict("question -> answer")(question="Where?")
    assert events(telemetry) == expected
    assert hooks.failures == hook_calls


def test_an_empty_reply_is_a_parse_error(telemetry: Recorded, lm: dspy.LM, model_server: ModelServer) -> None:
    model_server.reply = replying("", JSON_ANSWER)
    dspy.Predict("question -> answer")(question="Where?")
    assert events(telemetry) == [parse_error("ChatAdapter"), fallback("ChatAdapter", "JSONAdapter")]


def test_a_value_of_the_wrong_type_is_a_parse_error(
    telemetry: Recorded, lm: dspy.LM, model_server: ModelServer
) -> None:
    model_server.reply = replying("[[ ## count ## ]]\nmany\n\n[[ ## completed ## ]]", '{"count": 3}')
    assert dspy.Predict("question -> count: int")(question="How many?").count == 3
    assert events(telemetry, "Predict question -> count") == [
        parse_error("ChatAdapter"),
        fallback("ChatAdapter", "JSONAdapter"),
    ]


def test_counters_name_the_signature_where_it_has_a_name(
    telemetry: Recorded, lm: dspy.LM, model_server: ModelServer
) -> None:
    class Locate(dspy.Signature):
        """Say where it is."""

        question: str = dspy.InputField()
        answer: str = dspy.OutputField()

    model_server.reply = replying(NONSENSE, '{"reasoning": "easy", "answer": "here"}')
    dspy.ChainOfThought(Locate)(question="Where?")
    expected = [(1, {"dspy.adapter.name": "ChatAdapter", "dspy.signature.name": "Locate"})]
    assert counts(telemetry, "dspy.adapter.parse_errors") == expected
    assert counts(telemetry, "dspy.adapter.fallbacks") == expected
    assert events(telemetry, "Predict Locate") == [parse_error("ChatAdapter"), fallback("ChatAdapter", "JSONAdapter")]
    assert events(telemetry, "ChainOfThought Locate") == []


def test_two_steps_are_two_calls_below_the_predictor(telemetry: Recorded, lm: dspy.LM) -> None:
    with dspy.context(adapter=dspy.TwoStepAdapter(lm)):
        dspy.Predict("question -> answer")(question="Where?")
    assert telemetry.tree() == f"{PREDICT}\n  chat gpt-4o-mini\n  chat gpt-4o-mini"
    assert [attributes_of(span)["dspy.adapter.name"] for span in telemetry.named("chat gpt-4o-mini")] == [
        "TwoStepAdapter",
        "ChatAdapter",
    ]
    assert events(telemetry) == []


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
async def test_an_extraction_that_fails_is_an_error_of_each_adapter_that_gave_up(
    telemetry: Recorded, lm: dspy.LM, model_server: ModelServer, is_async: bool
) -> None:
    model_server.reply = replying("The answer is here.", NONSENSE, NONSENSE)
    predict = dspy.Predict("question -> answer")
    ask = predict.acall if is_async else dspy.asyncify(predict)
    with dspy.context(adapter=dspy.TwoStepAdapter(lm)), pytest.raises(AdapterParseError):
        await ask(question="Where?")
    assert events(telemetry) == [
        parse_error("ChatAdapter"),
        fallback("ChatAdapter", "JSONAdapter"),
        parse_error("JSONAdapter"),
        parse_error("TwoStepAdapter"),
    ]


def test_an_adapter_that_hands_over_to_another_has_not_fallen_back(telemetry: Recorded, lm: dspy.LM) -> None:
    class Polite(dspy.ChatAdapter):
        def __call__(self, lm: Any, lm_kwargs: Any, signature: Any, demos: Any, inputs: Any) -> Any:
            return dspy.ChatAdapter()(lm, lm_kwargs, signature, demos, {**inputs, "question": "Where, please?"})

    try:
        raise LookupError("the application is handling an error of its own")
    except LookupError:
        with dspy.context(adapter=Polite()):
            dspy.Predict("question -> answer")(question="Where?")
    assert telemetry.tree() == f"{PREDICT}\n  chat gpt-4o-mini"
    assert events(telemetry) == []


class Remembering(dspy.ChatAdapter):
    """Asks the model where its own memory has no answer, and once more where the answer is too short."""

    def __init__(self) -> None:
        super().__init__()
        self.memory: dict[str, Any] = {}

    def __call__(self, lm: Any, lm_kwargs: Any, signature: Any, demos: Any, inputs: Any) -> Any:
        try:
            return self.memory[inputs["question"]]
        except KeyError:
            super().__call__(lm, lm_kwargs, signature, demos, inputs)
            return super().__call__(lm, lm_kwargs, signature, demos, inputs)

    async def acall(self, lm: Any, lm_kwargs: Any, signature: Any, demos: Any, inputs: Any) -> Any:
        try:
            return self.memory[inputs["question"]]
        except KeyError:
            await super().acall(lm, lm_kwargs, signature, demos, inputs)
            return await super().acall(lm, lm_kwargs, signature, demos, inputs)


async def test_an_adapter_that_handles_something_else_when_it_sends_its_prompt_has_not_fallen_back(
    telemetry: Recorded, lm: dspy.LM
) -> None:
    with dspy.context(adapter=Remembering()):
        dspy.Predict("question -> answer")(question="Where?")
        assert telemetry.tree() == f"{PREDICT}\n  chat gpt-4o-mini\n  chat gpt-4o-mini"
        assert events(telemetry) == []
        telemetry.collector.clear()
        await dspy.Predict("question -> answer").acall(question="Where?")
    assert telemetry.tree() == f"{PREDICT}\n  chat gpt-4o-mini\n  chat gpt-4o-mini"
    assert events(telemetry) == []
    assert counts(telemetry, "dspy.adapter.fallbacks") == []


class Persistent(Remembering):
    """The same, and asks once more while it handles what was wrong with the reply."""

    def __call__(self, lm: Any, lm_kwargs: Any, signature: Any, demos: Any, inputs: Any) -> Any:
        try:
            return self.memory[inputs["question"]]
        except KeyError:
            try:
                return dspy.Adapter.__call__(self, lm, lm_kwargs, signature, demos, inputs)
            except AdapterParseError:
                return dspy.Adapter.__call__(self, lm, lm_kwargs, signature, demos, inputs)


def test_a_prompt_that_is_sent_again_while_the_reply_is_handled_is_a_fallback(
    telemetry: Recorded, lm: dspy.LM, model_server: ModelServer
) -> None:
    model_server.reply = replying(NONSENSE, "[[ ## answer ## ]]\nhere\n\n[[ ## completed ## ]]")
    with dspy.context(adapter=Persistent()):
        assert dspy.Predict("question -> answer")(question="Where?").answer == "here"
    assert events(telemetry) == [parse_error("Persistent"), fallback("Persistent", "Persistent")]


def test_an_adapter_with_a_parser_of_its_own_is_told_of_too(
    telemetry: Recorded, lm: dspy.LM, model_server: ModelServer
) -> None:
    class Strict(dspy.Adapter):
        def __call__(self, lm: Any, lm_kwargs: Any, signature: Any, demos: Any, inputs: Any) -> Any:
            reply = lm(messages=[{"role": "user", "content": str(inputs)}])[0]
            raise AdapterParseError(adapter_name="Strict", signature=signature, lm_response=str(reply))

        def format(self, *values: Any, **options: Any) -> Any:
            raise NotImplementedError

        def parse(self, *values: Any, **options: Any) -> Any:
            raise NotImplementedError

    with dspy.context(adapter=Strict()), pytest.raises(AdapterParseError):
        dspy.Predict("question -> answer")(question="Where?")
    assert events(telemetry) == [parse_error("Strict")]


def test_words_around_a_native_tool_call_are_no_parse_error(
    telemetry: Recorded, lm: dspy.LM, model_server: ModelServer
) -> None:
    def look_up(word: str) -> str:
        """Look a word up."""
        return word

    model_server.reply = lambda _: Reply(text=NONSENSE, tool_calls=[ToolCall("look_up", {"word": "here"})])
    signature = dspy.Signature(
        {
            "question": (str, dspy.InputField()),
            "tools": (list[dspy.Tool], dspy.InputField()),
            "calls": (dspy.ToolCalls, dspy.OutputField()),
        }
    )
    with dspy.context(adapter=dspy.ChatAdapter(use_native_function_calling=True)):
        predict = dspy.Predict(signature)
        prediction = predict(question="Where?", tools=[dspy.Tool(look_up)])
    assert prediction.calls.tool_calls[0].name == "look_up"
    assert events(telemetry, "Predict question, tools -> calls") == []


def test_doing_without_a_schema_is_a_fallback_of_the_json_adapter_to_itself(
    telemetry: Recorded, lm: dspy.LM, monkeypatch: pytest.MonkeyPatch
) -> None:
    # DSPy looks for what has no schema before it builds one; without that look it finds out on the way.
    monkeypatch.setattr(json_adapter, "_has_open_ended_mapping", lambda signature: False)
    with dspy.context(adapter=dspy.JSONAdapter()):
        dspy.Predict("question -> answers: dict[str, str]")(question="Where?")
    name = "Predict question -> answers"
    assert telemetry.tree() == f"{name}\n  chat gpt-4o-mini"
    assert events(telemetry, name) == [fallback("JSONAdapter", "JSONAdapter")]
    assert counts(telemetry, "dspy.adapter.fallbacks") == [(1, {"dspy.adapter.name": "JSONAdapter"})]


def test_counters_count_what_is_not_sampled(
    start_telemetry: StartTelemetry, lm: dspy.LM, model_server: ModelServer
) -> None:
    telemetry = start_telemetry(sampler=ALWAYS_OFF)
    model_server.reply = replying(NONSENSE, JSON_ANSWER)
    dspy.Predict("question -> answer")(question="Where?")
    assert telemetry.spans == []
    assert counts(telemetry, "dspy.adapter.parse_errors") == [(1, {"dspy.adapter.name": "ChatAdapter"})]
    assert counts(telemetry, "dspy.adapter.fallbacks") == [(1, {"dspy.adapter.name": "ChatAdapter"})]
