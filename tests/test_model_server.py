"""The model server speaks the protocol, and reports usage that can be computed from the request."""

from __future__ import annotations

import http.client
import json
import threading
from typing import TYPE_CHECKING, Any

import pytest
from model_server import Failure, ModelServer, Reply, usage_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from model_server import Request


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer() as model_server:
        yield model_server


def post(server: ModelServer, path: str, body: Mapping[str, object]) -> tuple[int, Mapping[str, str], Any]:
    connection = http.client.HTTPConnection(server.host, server.port, timeout=110)
    connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
    response = connection.getresponse()
    content = response.read().decode()
    connection.close()
    return response.status, dict(response.getheaders()), content


def chat(*texts: str, **settings: object) -> dict[str, object]:
    return {"model": "gpt-4o", "messages": [{"role": "user", "content": text} for text in texts], **settings}


def test_every_word_is_a_token_and_every_message_three_more() -> None:
    assert usage_of(chat("one two", "three"), ["four five six", "seven"]) == {
        "prompt_tokens": 9,
        "completion_tokens": 4,
        "total_tokens": 13,
    }


def test_reasoning_tokens_add_to_the_completion_and_cached_ones_do_not_add_to_the_prompt() -> None:
    usage = usage_of(chat("one two"), ["three"], {"cached_tokens": 4}, {"reasoning_tokens": 10})
    assert usage == {
        "prompt_tokens": 5,
        "completion_tokens": 11,
        "total_tokens": 16,
        "prompt_tokens_details": {"cached_tokens": 4},
        "completion_tokens_details": {"reasoning_tokens": 10},
    }


def test_more_cached_tokens_than_the_prompt_has_are_refused() -> None:
    with pytest.raises(ValueError, match="the prompt's 5"):
        usage_of(chat("one two"), [], {"cached_tokens": 6})


@pytest.mark.parametrize("asked", [True, False])
def test_a_stream_ends_with_usage_only_where_it_is_asked_for(server: ModelServer, asked: bool) -> None:
    server.reply = {"Colour?": "light red"}
    options = {"stream_options": {"include_usage": True}} if asked else {}
    _, _, content = post(server, "/v1/chat/completions", chat("Colour?", stream=True, **options))
    *events, done = [line.removeprefix("data: ") for line in content.splitlines() if line]
    chunks = [json.loads(event) for event in events]
    assert done == "[DONE]"
    assert [chunk["choices"][0]["delta"].get("content") for chunk in chunks if chunk["choices"]] == [
        "",
        "light",
        " red",
        None,
    ]
    expected = {"prompt_tokens": 4, "completion_tokens": 2, "total_tokens": 6}
    assert [chunk["usage"] for chunk in chunks if chunk.get("usage")] == ([expected] if asked else [])


def test_a_stream_waits_for_the_script_before_each_chunk(server: ModelServer) -> None:
    paced: list[int] = []
    server.reply = lambda request: Reply(text="light red", before_chunk=paced.append)
    post(server, "/v1/chat/completions", chat("Colour?", stream=True))
    assert paced == [0, 1]


def test_a_stream_can_break_off_after_some_chunks(server: ModelServer) -> None:
    server.reply = lambda request: Reply(text="light red", cut_after=1)
    with pytest.raises(http.client.IncompleteRead) as broken:
        post(server, "/v1/chat/completions", chat("Colour?", stream=True))
    assert b'"content": "light"' in broken.value.partial
    assert b"red" not in broken.value.partial


def test_an_unscripted_request_with_tools_is_answered_with_calls_in_turn(server: ModelServer) -> None:
    tools = [
        {"type": "function", "function": {"name": name, "parameters": {"type": "object"}}}
        for name in ("weather", "submit")
    ]
    answered = [{"role": "tool", "tool_call_id": "call-1-0", "content": "sun"}]
    for messages, expected in (([], "weather"), (answered, "submit")):
        _, _, content = post(server, "/v1/chat/completions", chat(tools=tools, messages=messages))
        [choice] = json.loads(content)["choices"]
        assert choice["finish_reason"] == "tool_calls"
        assert choice["message"]["tool_calls"][0]["function"]["name"] == expected


def test_a_failure_has_the_body_and_the_headers_that_a_provider_sends(server: ModelServer) -> None:
    server.fail_next(Failure(400, "not that", code="content_policy_violation", headers={"Retry-After": "3"}))
    status, headers, content = post(server, "/v1/chat/completions", chat("forbidden"))
    assert (status, headers["Retry-After"]) == (400, "3")
    assert json.loads(content)["error"] == {
        "message": "not that",
        "type": "invalid_request_error",
        "param": None,
        "code": "content_policy_violation",
    }


def test_a_dropped_connection_has_no_answer(server: ModelServer) -> None:
    server.fail_next(Failure(drop=True))
    with pytest.raises(http.client.RemoteDisconnected):
        post(server, "/v1/chat/completions", chat("Where?"))
    assert [request.status for request in server.requests] == [None]


def test_an_error_in_the_script_is_raised_on_leaving() -> None:
    def broken(request: Request) -> str:
        raise KeyError("the test's own mistake")

    server = ModelServer(broken).__enter__()
    status, _, _ = post(server, "/v1/chat/completions", chat("Where?"))
    assert status == 500
    with pytest.raises(KeyError, match="the test's own mistake"):
        server.__exit__(None, None, None)


def test_an_unknown_path_is_not_found(server: ModelServer) -> None:
    status, _, _ = post(server, "/v1/unknown", {})
    assert status == 404


def test_two_hundred_requests_are_served_at_the_same_time(server: ModelServer) -> None:
    all_there = threading.Barrier(200)

    def answer_when_all_are_there(request: Request) -> str:
        all_there.wait(timeout=110)
        return f"answer to {request.prompt.text}"

    server.reply = answer_when_all_are_there
    answers: dict[int, str] = {}

    def ask(number: int) -> None:
        _, _, content = post(server, "/v1/chat/completions", chat(f"question {number}"))
        answers[number] = json.loads(content)["choices"][0]["message"]["content"]

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {number: f"answer to question {number}" for number in range(200)}
    assert [request.number for request in server.requests] == list(range(1, 201))
