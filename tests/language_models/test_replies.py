"""What a language model said: every shape of a reply that DSPy knows, and whatever an own language model returns."""

from __future__ import annotations

import json
import weakref
from dataclasses import asdict
from types import SimpleNamespace
from typing import Any

import dspy
import pytest
from dspy import lm15
from genai_messages import faults_of
from message_blocks import BASE64, call, media, reasoning, server_call, text

from opentelemetry.instrumentation.dspy.config import Options
from opentelemetry.instrumentation.dspy.content import Content
from opentelemetry.instrumentation.dspy.content.messages import output_messages


def content() -> Content:
    return Content(Options(content_max_length=1000), captured=True)


def chat(message: dict[str, Any], **beside: Any) -> dict[str, Any]:
    return {"id": "r", "choices": [{"index": 0, "finish_reason": "stop", "message": message}], **beside}


def responses(*items: Any) -> dict[str, Any]:
    return {"id": "r", "status": "completed", "output": [*items]}


def typed(*parts: Any, provider_data: Any = None) -> lm15.Response:
    return lm15.Response(
        id="r",
        model="m",
        message=lm15.Message(role="assistant", parts=parts),
        finish_reason="stop",
        usage=lm15.Usage(),
        provider_data=provider_data,
    )


def said(replies: list[Any], returned: Any = None) -> list[list[dict[str, Any]]]:
    messages = [asdict(message) for message in output_messages(content(), replies, returned, [])]
    assert faults_of(messages, replies=True) == []
    assert BASE64 not in json.dumps(messages)
    return [message["parts"] for message in messages]


CITATION = {"type": "url_citation", "url_citation": {"url": "https://a", "title": "Rivers"}}
CITED = text('{"type":"url_citation","url_citation":{"url":"https://a","title":"Rivers"}}')
IMAGE = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{BASE64}"}}

CHAT = [
    (chat({"content": "so"}), [text("so")]),
    (chat({"content": None, "refusal": "I will not"}), [text("I will not")]),
    (chat({"content": "so", "annotations": [CITATION]}), [text("so"), CITED]),
    (chat({"content": "so", "images": [IMAGE]}), [text("so"), media("image", "image/png")]),
    (chat({"content": "so", "images": [IMAGE["image_url"]["url"]]}), [text("so"), media("image", "image/png")]),
    (
        chat({"content": None, "audio": {"id": "a1", "data": BASE64, "transcript": "so", "expires_at": 5}}),
        [media("audio", None), text("so")],
    ),
    (chat({"content": "so", "reasoning_content": "hm"}), [reasoning("hm"), text("so")]),
    (chat({"content": "so", "reasoning": "hm"}), [reasoning("hm"), text("so")]),
    (
        # OpenRouter tells it twice, and a summary beside.
        chat(
            {
                "content": "so",
                "reasoning": "hm",
                "reasoning_details": [
                    {"type": "reasoning.text", "text": "hm", "format": "x"},
                    {"type": "reasoning.summary", "summary": "in short"},
                ],
            }
        ),
        [reasoning("hm"), reasoning("in short"), text("so")],
    ),
    (
        chat({"content": "so", "thinking_blocks": [{"type": "thinking", "thinking": "hm", "signature": "s"}]}),
        [reasoning("hm"), text("so")],
    ),
    (
        chat(
            {
                "content": None,
                "tool_calls": [
                    {"id": "c1", "type": "function", "function": {"name": "add", "arguments": '{"a":1}'}},
                    {"id": "c2", "type": "function", "function": {"name": "add", "arguments": "{no json"}},
                    {"id": "c3", "type": "custom", "custom": {"name": "sql", "input": "select 1"}},
                ],
            }
        ),
        [call("add", {"a": 1}, "c1"), call("add", "{no json", "c2"), call("sql", "select 1", "c3")],
    ),
    (chat({"content": None, "function_call": {"name": "add", "arguments": '{"a":1}'}}), [call("add", {"a": 1})]),
    (
        chat(
            {
                "content": [
                    {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
                    {"type": "text", "text": "so"},
                ]
            }
        ),
        [reasoning("hm"), text("so")],
    ),
    (
        chat(
            {
                "content": "so",
                "provider_specific_fields": {"citations": [[{"cited_text": "The Nile."}]], "refusal": None},
            }
        ),
        [text("so"), text('{"cited_text":"The Nile.","type":"citation"}')],
    ),
    (
        chat({"content": "so"}, citations=["https://a"], search_results=[{"title": "Rivers"}]),
        [text("so"), text('{"citations":["https://a"],"search_results":[{"title":"Rivers"}]}')],
    ),
    (chat({"content": "so", "verdict": "sure"}), [text("so"), text('{"verdict":"sure"}')]),
    ({"choices": [{"index": 0, "text": "so", "finish_reason": "stop"}]}, [text("so")]),
]

OTHERS = [
    (
        responses(
            {"type": "web_search_call", "id": "w1", "action": {"query": "rivers"}},
            {
                "type": "message",
                "content": [{"type": "output_text", "text": "so"}, {"type": "refusal", "refusal": "no"}],
            },
        ),
        [server_call("web_search", "w1", type="web_search_call", action={"query": "rivers"}), text("so"), text("no")],
    ),
    (responses({"type": "mood", "feeling": "glad"}, "odd"), [text('{"type":"mood","feeling":"glad"}'), text("odd")]),
    ({"status": "completed", "output": "so"}, [text("so")]),
    ({"type": "message", "content": [{"type": "text", "text": "so"}]}, [text("so")]),
    (
        {"candidates": [{"content": {"parts": [{"text": "so"}]}, "citationMetadata": {"uri": "https://a"}}]},
        [text("so"), text('{"citationMetadata":{"uri":"https://a"}}')],
    ),
]

TYPED = [
    (typed(lm15.ThinkingPart("hm"), lm15.TextPart("so")), [reasoning("hm"), text("so")]),
    (typed(lm15.RefusalPart("I will not")), [text("I will not")]),
    (typed(lm15.TextPart("so"), lm15.ImagePart(data=BASE64)), [text("so"), media("image", "image/png")]),
    (
        # DSPy's client has no part for audio, and leaves the annotations of a file out.
        typed(
            lm15.TextPart("so"),
            provider_data=chat({"content": "so", "audio": {"data": BASE64}, "annotations": [CITATION]}),
        ),
        [text("so"), media("audio", None), CITED],
    ),
    (
        # The last frame of a stream is not the whole of it.
        typed(
            lm15.TextPart("so it is"),
            provider_data={"choices": [{"delta": {"content": "is"}}], "citations": ["https://a"]},
        ),
        [text("so it is"), text('{"citations":["https://a"]}')],
    ),
    (
        typed(lm15.TextPart("so it is"), provider_data={"candidates": [{"content": {"parts": [{"text": " is"}]}}]}),
        [text("so it is")],
    ),
    (
        # The id that the client made up is what the result of the tool is going to name.
        typed(
            lm15.ToolCallPart("tool_call_0", "add", {"a": 1}),
            provider_data={
                "candidates": [{"content": {"parts": [{"functionCall": {"name": "add", "args": {"a": 1}}}]}}]
            },
        ),
        [call("add", {"a": 1}, "tool_call_0")],
    ),
]


@pytest.mark.parametrize(("reply", "expected"), [*CHAT, *OTHERS, *TYPED])
def test_a_reply_is_recorded_with_all_that_it_says(reply: Any, expected: list[dict[str, Any]]) -> None:
    assert said([reply]) == [expected]


def test_a_message_for_each_choice() -> None:
    reply = chat({"content": "one"})
    reply["choices"].append({"index": 1, "message": {"content": "two"}})
    messages = output_messages(content(), [reply], None, ["stop", "length"])
    assert [(message.parts[0].content, message.finish_reason) for message in messages] == [  # type: ignore[union-attr]
        ("one", "stop"),
        ("two", "length"),
    ]


def test_an_end_that_nobody_told_is_an_empty_text_which_no_schema_refuses() -> None:
    [message] = output_messages(content(), [], ["so"], [])
    assert asdict(message) == {"role": "assistant", "parts": [text("so")], "finish_reason": "", "name": None}


@pytest.mark.parametrize(
    ("returned", "expected"),
    [
        (["one", "two"], [[text("one")], [text("two")]]),
        ("one", [[text("one")]]),
        ([{"text": "so", "reasoning_content": "hm"}], [[reasoning("hm"), text("so")]]),
        (
            [{"text": "so", "citations": [{"title": "Rivers"}]}],
            [[text("so"), text('{"title":"Rivers","type":"citation"}')]],
        ),
        ([{"answer": "so"}], [[text('{"answer":"so"}')]]),
        ({"text": "so", "mood": "glad"}, [[text("so"), text('{"mood":"glad"}')]]),
        ([SimpleNamespace(text="so")], [[text("so")]]),
        ([SimpleNamespace(message=SimpleNamespace(content="so"))], [[text("so")]]),
        (dspy.Prediction(answer="so"), [[text('{"answer":"so"}')]]),
        ([typed(lm15.TextPart("so"))], [[text("so")]]),
        (chat({"content": "so"}), [[text("so")]]),
        ([["one", "two"]], [[text("one"), text("two")]]),
        ([7, None], [[text("7")], []]),
        (None, []),
        ([], []),
    ],
)
def test_what_an_own_language_model_returns_is_its_reply(returned: Any, expected: list[list[dict[str, Any]]]) -> None:
    assert said([], returned) == expected


def test_an_object_of_the_application_is_read_by_the_usual_names() -> None:
    class Reply:
        def __init__(self) -> None:
            self.content = "so"
            self.tool_calls = [{"id": "c1", "function": {"name": "add", "arguments": "{}"}}]

    assert said([], [Reply()]) == [[text("so"), call("add", {}, "c1")]]


def test_what_comes_from_an_iterator_is_for_the_program_to_take() -> None:
    pieces = iter(["one", "two"])
    assert said([], pieces) == []
    assert [*pieces] == ["one", "two"]


class Hostile:
    """Fails whatever it is asked."""

    def __getattribute__(self, name: str) -> Any:
        raise LookupError(name)


@pytest.mark.parametrize(
    "around",
    [
        lambda value: value,
        lambda value: [value],
        lambda value: {"text": value},
        lambda value: chat({"content": value, "tool_calls": [value]}),
    ],
)
def test_what_cannot_be_read_is_a_text_that_says_so(around: Any) -> None:
    [parts] = said([], around(Hostile()))
    assert parts != []
    assert all(part["type"] == "text" for part in parts)


def test_what_is_gone_costs_no_other_reply() -> None:
    class Reply:
        """Goes when nobody holds it."""

    assert said([], [weakref.proxy(Reply()), "so"])[1:] == [[text("so")]]
