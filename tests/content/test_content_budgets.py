"""The content of one span has a bound: what matters most is recorded first, and the rest is told by its length."""

from __future__ import annotations

import json
import weakref
from typing import Any

import dspy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opentelemetry.instrumentation.dspy.config import Options
from opentelemetry.instrumentation.dspy.content import Content
from opentelemetry.instrumentation.dspy.content.documents import FoundDocument, recorded_documents
from opentelemetry.instrumentation.dspy.content.messages import input_messages, output_messages, tool_definitions

LIMIT = 1_600
"""Of which 1100 characters are for what a call was given, 400 for its answer, and 100 for short texts."""


def content(limit: int = LIMIT, seen: list[str] | None = None, **options: Any) -> Content:
    def note(text: str, kind: str) -> str:
        if seen is not None:
            seen.append(text)
        return text

    given = Options(content_max_length=1_100, content_span_max_length=limit, redact=note, **options)
    return Content(given, captured=True).of_span()


def messages(*lengths: int, roles: str = "user") -> list[dict[str, str]]:
    return [{"role": roles, "content": str(index % 10) * length} for index, length in enumerate(lengths)]


def said(told: list[Any]) -> list[str]:
    return [part.content for message in told for part in message.parts]


def test_a_text_beyond_the_bound_is_told_by_its_length_and_not_looked_at() -> None:
    seen: list[str] = []
    of_span = content(seen=seen)
    assert of_span.text("a" * 900, "input") == "a" * 900
    assert of_span.text("b" * 900, "input") == "b" * 200 + "… [700 more characters]"
    assert of_span.text("c" * 900, "input") == "… [900 more characters]"
    assert of_span.text("a short one", "input") == "a short one"
    assert [text[0] for text in seen] == ["a", "b", "a"]


def test_each_span_has_its_own() -> None:
    every = Content(Options(content_span_max_length=LIMIT), captured=True)
    for _ in range(3):
        assert every.of_span().text("a" * 1_100, "input") == "a" * 1_100
        assert every.of_language_model_span().text("a" * 1_100, "input") == "a" * 1_100


def test_a_quarter_is_kept_for_the_answer() -> None:
    of_span = content()
    of_span.text("a" * 1_100, "input")
    assert of_span.text("b" * 400, "output") == "… [400 more characters]"
    assert of_span.make_room_for_answer().text("c" * 400, "output") == "c" * 400
    assert of_span.make_room_for_answer().text("d" * 400, "output") == "… [400 more characters]"


def test_short_texts_have_an_end_too() -> None:
    of_span = content()
    of_span.text("a" * 1_100, "input")
    assert [of_span.text("b" * 40, "input") for _ in range(4)] == [
        *["b" * 40] * 2,
        *["… [40 more characters]"] * 2,
    ]


def test_the_bound_of_a_span_bounds_a_single_text_as_well() -> None:
    given = Options(content_max_length=1_000, content_span_max_length=50)
    assert Content(given, captured=True).text("a" * 80, "output") == "a" * 50 + "… [30 more characters]"


def test_of_the_messages_the_systems_come_first_and_then_the_newest() -> None:
    given = [{"role": "system", "content": "s" * 300}, *messages(300, 300, 300, 300)]
    told = input_messages(content(), None, given)
    assert [message.role for message in told] == ["system", "user", "user", "user", "user"]
    # Each counts 64 characters for itself.
    assert said(told) == [
        "s" * 300,
        "… [300 more characters]",
        "… [300 more characters]",
        "2" * 300,
        "3" * 300,
    ]


def test_a_message_of_many_parts_is_told_by_their_number() -> None:
    many = {"role": "user", "content": [{"type": "text", "text": "part"}] * 40}
    told = input_messages(content(), None, [many, *messages(1_000, 1_000)])
    assert said(told) == ["… [40 more parts]", "… [1000 more characters]", "1" * 1_000]


def test_of_very_many_messages_the_oldest_are_told_by_their_number() -> None:
    given = [{"role": "system", "content": "be kind"}, *messages(*[300] * 1_000)]
    told = input_messages(content(), None, given)
    # The last three that fit, eight that are marked, and those in one.
    assert len(told) == 1 + 1 + 8 + 3
    assert said(told)[:3] == ["be kind", "… [989 more messages]", "… [300 more characters]"]
    assert said(told)[-1] == "9" * 300
    assert len(json.dumps(said(told))) < LIMIT


def test_calls_of_tools_in_messages_keep_their_names() -> None:
    call = {
        "type": "function",
        "id": "call-1",
        "function": {"name": "look_up", "arguments": json.dumps({"a": "x" * 500})},
    }
    given = [{"role": "assistant", "content": None, "tool_calls": [call]}, *messages(1_000, 1_000)]
    [part] = input_messages(content(), None, given)[0].parts
    assert (part.name, part.id, part.arguments) == ("look_up", "call-1", {"a": "… [500 more characters]"})


def test_tools_keep_their_names_when_nothing_is_left_for_descriptions() -> None:
    tools = [
        {
            "type": "function",
            "function": {
                "name": f"tool_{number}",
                "description": "d" * 700,
                "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}},
            },
        }
        for number in range(3)
    ]
    told = tool_definitions(content(), tools)
    assert [definition.name for definition in told] == ["tool_0", "tool_1", "tool_2"]
    assert told[0].description == "d" * 700
    assert str(told[1].description).startswith("d" * 300)
    assert told[2].description == "… [700 more characters]"
    assert told[2].parameters == {"type": "object", "properties": {"…": "[1 more items]"}}


def test_choices_beyond_the_bound_are_messages_all_the_same() -> None:
    replies = [{"choices": [{"message": {"role": "assistant", "content": letter * 300}} for letter in "abc"]}]
    told = output_messages(content().make_room_for_answer(), replies * 2, None, ["stop"] * 6)
    assert [message.finish_reason for message in told] == ["stop"] * 6
    assert said(told)[0] == "a" * 300
    assert said(told)[-1] == "… [300 more characters]"


def test_documents_keep_ids_and_scores_and_the_best_their_texts() -> None:
    found = [FoundDocument(letter * 600, letter, 0.5, {"source": "wiki" * 30}) for letter in "abc"]
    told = recorded_documents(content(), found)
    assert [(document["id"], document["score"]) for document in told] == [("a", 0.5), ("b", 0.5), ("c", 0.5)]
    assert told[0]["content"] == "a" * 600
    assert told[2]["content"] == "… [600 more characters]"
    assert told[2]["metadata"] == {"source": "… [120 more characters]"}


def test_every_field_has_its_share_and_short_ones_are_whole() -> None:
    inputs = {
        "documents": ["d" * 400] * 5,
        "question": "Where?",
        "more": {"notes": ["n" * 400] * 5},
        "answer": "a" * 200,
    }
    told = json.loads(content().named_json(inputs, "input"))
    assert [*told] == ["documents", "question", "more", "answer"]
    assert told["question"] == "Where?"
    assert told["answer"] == "a" * 200
    assert told["documents"][0] == "d" * 400
    assert told["documents"][-1] == "… [3 more items]"
    assert told["more"]["notes"][0].startswith("n" * 300)
    assert told["more"]["notes"][-1].endswith("more items]")


def test_of_a_history_the_newest_turns_stay() -> None:
    history = dspy.History(messages=[{"question": str(turn) * 300} for turn in range(9)])
    told = json.loads(content().named_json({"history": history}, "input"))["history"]["messages"]
    assert told[0] == "… [5 more items]"
    assert [turn["question"][:1] for turn in told[1:]] == ["5", "6", "7", "8"]
    assert told[-1] == {"question": "8" * 300}


def test_a_history_within_the_bound_is_whole_and_in_order() -> None:
    history = dspy.History(messages=[{"question": str(turn)} for turn in range(9)])
    told = json.loads(content().json(dspy.Prediction(history=history), "output"))
    assert told == {"history": {"messages": [{"question": str(turn)} for turn in range(9)]}}


def test_numbers_and_objects_count_too() -> None:
    class Heavy:
        def __repr__(self) -> str:
            shown.append("heavy")
            return "h" * 500

    shown: list[str] = []
    of_span = content()
    numbers = of_span.value([[1] * 200] * 5, "input")
    assert sum(len(row) for row in numbers if isinstance(row, list)) < 200
    assert of_span.value(Heavy(), "input") == "… [Heavy]"
    assert of_span.value({"image": b"x" * 10_000}, "input") == {"image": "… [10000 more bytes]"}
    assert shown == []


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=300) | st.binary(max_size=30),
    lambda inner: st.lists(inner, max_size=9) | st.dictionaries(st.text(max_size=9), inner, max_size=9),
    max_leaves=60,
)


@pytest.mark.parametrize("limit", [1, 17, 256])
@given(value=VALUES)
def test_whatever_is_recorded_is_json_and_bounded(limit: int, value: Any) -> None:
    of_span = content(limit)
    texts = [of_span.json(value, "input"), of_span.named_json({"value": value, "again": value}, "input")]
    texts.append(of_span.make_room_for_answer().json(value, "output"))
    for text in texts:
        json.loads(text)
    # Marks and what JSON writes around each come on top.
    assert sum(map(len, texts)) <= limit + 4_000


def test_with_chat_alone_only_language_models_have_any() -> None:
    every = Content(Options(content_spans="chat"), captured=True)
    assert (every.captured, every.of_span().captured, every.of_span().on_spans) == (True, False, False)
    assert (every.of_language_model_span().captured, every.of_language_model_span().on_spans) == (True, True)


def test_where_content_is_off_no_span_has_any() -> None:
    nothing = Content(Options(), captured=False)
    assert nothing.of_span() is nothing
    assert nothing.of_language_model_span() is nothing


def test_parts_and_calls_beyond_the_bound_are_told_by_their_number() -> None:
    many = {"role": "user", "content": [{"type": "text", "text": "part"}] * 5_000}
    calls = {"role": "assistant", "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": "{}"}}] * 5_000}
    for message in (many, calls):
        [told] = input_messages(content(), None, [message])
        assert told.parts[-1].content == f"… [{5_000 - len(told.parts) + 1} more parts]"
        assert len(told.parts) < 100


def test_long_numbers_and_what_stands_for_bytes_count_too() -> None:
    values = {"numbers": [10**4_000] * 50, "files": [bytes([index]) for index in range(200)]}
    assert len(content().named_json(values, "input")) < 3 * LIMIT


def test_a_dead_proxy_costs_nothing_else() -> None:
    class Held:
        pass

    dead = weakref.proxy(Held())
    told = json.loads(content().named_json({"question": "Where?", "held": dead, "password": dead}, "input"))
    assert told == {"question": "Where?", "held": "… [ProxyType]", "password": "[secret]"}


@pytest.mark.parametrize("write", [Content.json, Content.named_json])
def test_values_stay_in_the_order_of_the_program(write: Any) -> None:
    values = {"long": "a" * 900, "flag": True, "short": "b", "number": 3}
    assert list(json.loads(write(content(), values, "input"))) == ["long", "flag", "short", "number"]
