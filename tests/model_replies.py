"""What the model server answers: replies, failures, and the script that chooses between them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from model_prompts import Prompt, messages_of, read_prompt, sample_of_schema

__all__ = ["Failure", "Reply", "Request", "Script", "Scripted", "ToolCall", "replies_to", "usage_of"]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A function call that the model asks for."""

    name: str
    arguments: Mapping[str, object] = field(default_factory=dict)

    @property
    def arguments_json(self) -> str:
        return json.dumps(dict(self.arguments))


@dataclass(frozen=True, slots=True)
class Reply:
    """One choice of an answer; whatever is left out has its default.

    `text` is the reply as it stands, `fields` the values of output fields, laid out as the prompt asks.
    `prompt_details` and `completion_details` (tokens, e.g. `cached_tokens`, `reasoning_tokens`) go into the
    usage's details, `usage_update` over the whole usage; `report_usage=False` leaves usage out, and
    `usage_unasked` ends a stream with it although the request did not ask.
    In a stream `before_chunk` is called with the index of each content chunk before it is sent (it may wait
    for an event), and the connection is cut once `cut_after` content chunks are out.
    """

    text: str | None = None
    fields: Mapping[str, object] | None = None
    tool_calls: Sequence[ToolCall] = ()
    finish_reason: str | None = None
    prompt_details: Mapping[str, int] = field(default_factory=dict)
    completion_details: Mapping[str, int] = field(default_factory=dict)
    usage_update: Mapping[str, object] = field(default_factory=dict)
    report_usage: bool = True
    usage_unasked: bool = False
    body_update: Mapping[str, object] = field(default_factory=dict)
    before_chunk: Callable[[int], None] | None = None
    cut_after: int | None = None

    @property
    def counted_text(self) -> str:
        """Everything whose words count as completion tokens."""
        calls = [f"{call.name} {call.arguments_json}" for call in self.tool_calls]
        return " ".join([*([self.text] if self.text else []), *calls])


@dataclass(frozen=True, slots=True)
class Failure:
    """An HTTP error instead of an answer; `drop` closes the connection without one."""

    status: int = 500
    message: str = "scripted failure"
    code: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, object] | None = None
    drop: bool = False

    def json_body(self) -> Mapping[str, object]:
        if self.body is not None:
            return self.body
        kind = "invalid_request_error" if self.status < 500 else "server_error"
        return {"error": {"message": self.message, "type": kind, "param": None, "code": self.code}}


@dataclass(slots=True)
class Request:
    """A request as it arrived, and what it was answered with.

    `number` counts from 1 in order of arrival; header names are in lower case. `reply_id`, `usage` and
    `texts` stay empty where the answer was a failure, `status` where the connection was dropped.
    """

    number: int
    path: str
    headers: Mapping[str, str]
    body: Mapping[str, Any]
    status: int | None = None
    reply_id: str | None = None
    usage: Mapping[str, Any] | None = None
    texts: list[str] = field(default_factory=list)

    @property
    def prompt(self) -> Prompt:
        return read_prompt(self.body)


Scripted: TypeAlias = str | Mapping[str, object] | Reply | Failure | Sequence[str | Mapping[str, object] | Reply] | None
"""A text, values of output fields, a `Reply`, a `Failure`, one of these per choice, or None: the default."""

Script: TypeAlias = Callable[[Request], Scripted] | Mapping[str, Scripted]
"""Chooses the answer: a function of the request, or answers by a text that occurs in the prompt."""


def replies_to(request: Request, script: Script | None) -> list[Reply] | Failure:
    """The choices of the answer, each with its text.

    Raises: ValueError when the script gives a list whose length is not the request's `n`.
    """
    scripted = _scripted(request, script)
    if isinstance(scripted, Failure):
        return scripted
    count = int(request.body.get("n") or 1)
    if not isinstance(scripted, Sequence) or isinstance(scripted, str):
        return [_completed(scripted, request)] * count
    if len(scripted) != count:
        raise ValueError(f"{len(scripted)} replies are scripted for a request of {count}")
    return [_completed(choice, request) for choice in scripted]


def usage_of(
    body: Mapping[str, Any],
    reply_texts: Sequence[str],
    prompt_details: Mapping[str, int] | None = None,
    completion_details: Mapping[str, int] | None = None,
) -> dict[str, Any]:
    """The usage, in tokens, that the server reports for a request and its replies.

    A word is a token. The prompt has the words of all messages and three for each message; the completion has
    the words of all choices, and the reasoning tokens of `completion_details` on top. Cached tokens are part
    of the prompt's.

    Raises: ValueError when more tokens are said to be cached than the prompt has.
    """
    messages = list(messages_of(body))
    prompt_tokens = sum(len(text.split()) + 3 for _, text in messages)
    completion_tokens = sum(len(text.split()) for text in reply_texts)
    completion_tokens += (completion_details or {}).get("reasoning_tokens", 0)
    if (prompt_details or {}).get("cached_tokens", 0) > prompt_tokens:
        raise ValueError(f"More tokens are scripted as cached than the prompt's {prompt_tokens}")
    usage: dict[str, Any] = {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
    }
    if prompt_details:
        usage["prompt_tokens_details"] = dict(prompt_details)
    if completion_details:
        usage["completion_tokens_details"] = dict(completion_details)
    return usage


def _scripted(request: Request, script: Script | None) -> Scripted:
    if script is None:
        return None
    if not isinstance(script, Mapping):
        return script(request)
    text = request.prompt.text
    return next((answer for part, answer in script.items() if part in text), None)


def _completed(scripted: str | Mapping[str, object] | Reply | None, request: Request) -> Reply:
    reply = scripted if isinstance(scripted, Reply) else Reply()
    if isinstance(scripted, str):
        reply = Reply(text=scripted)
    elif isinstance(scripted, Mapping):
        reply = Reply(fields=scripted)
    if reply.text is not None or reply.tool_calls:
        return reply
    if reply.fields is not None:
        return replace(reply, text=request.prompt.render(reply.fields))
    next_tool = _next_tool(request)
    if next_tool is not None:
        return replace(reply, tool_calls=(next_tool,))
    return replace(reply, text=request.prompt.default_reply())


def _next_tool(request: Request) -> ToolCall | None:
    """The call that an unscripted agent makes: each offered tool once, in the order of the offer."""
    offered = [tool.get("function", tool) for tool in request.body.get("tools") or []]
    choice = request.body.get("tool_choice", "auto")
    if choice == "none" or not offered:
        return None
    answered = sum(1 for role, _ in messages_of(request.body) if role == "tool")
    if isinstance(choice, Mapping):
        name = choice.get("function", choice)["name"]
        offered = [tool for tool in offered if tool["name"] == name]
        answered = 0
    if answered >= len(offered):
        return None
    tool = offered[answered]
    arguments = sample_of_schema(
        tool.get("parameters") or {"type": "object"}, request.prompt.default_text(tool["name"])
    )
    return ToolCall(tool["name"], arguments if isinstance(arguments, Mapping) else {})
