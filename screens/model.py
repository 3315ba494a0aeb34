"""The model's service of the screens: it answers from a script, fails where it is told to, and keeps what it billed."""

from __future__ import annotations

import json
import re
import threading
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scripted_model import Script, ScriptedModel, completion, completion_text, text_of

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Bill", "ScreensModel", "Script"]

_DIMENSIONS = 64
_DOLLARS_PER_MILLION = {"input": 0.15, "cached": 0.075, "output": 0.6, "embedding": 0.02}
"""What gpt-4o-mini and text-embedding-3-small cost, by OpenAI's list."""

_MARKED = {"busy": "Is anybody there", "prose": "Which lamp is the brightest", "unparsable": "How old is the workshop"}
"""Words in a prompt that are answered with a failure: one that passes, a layout once, a layout always."""


@dataclass(slots=True)
class Bill:
    """What the service counted for the requests that it answered."""

    chats: int = 0
    embeddings: int = 0
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    embedding_tokens: int = 0

    @property
    def dollars(self) -> float:
        """What all of it cost."""
        prices = _DOLLARS_PER_MILLION
        fresh = self.input_tokens - self.cached_tokens
        chats = fresh * prices["input"] + self.cached_tokens * prices["cached"] + self.output_tokens * prices["output"]
        return (chats + self.embedding_tokens * prices["embedding"]) / 1_000_000


class ScreensModel(ScriptedModel):
    """Serves a script, without a pause, while it is entered as a context manager."""

    def __init__(self, script: Script, taught: Script) -> None:
        super().__init__(script, pace=0)
        self.taught = taught
        """What it answers instead to a prompt with demonstrations in it: an optimizer is to find that they help."""
        self.bill = Bill()
        self._failed = False
        self._lock = threading.Lock()

    def answer(self, path: str, request: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        """Return the status and the body of an answer; the service is busy once."""
        if path == "/v1/embeddings":
            return 200, self._embed(request)
        if _MARKED["busy"] in text_of(request["messages"][-1]) and not self._failed:
            self._failed = True
            return 503, {"error": {"message": "busy, try again", "type": "server_error"}}
        return 200, self._chat(request)

    def _chat(self, request: Mapping[str, Any]) -> dict[str, Any]:
        messages = request["messages"]
        prompt = text_of(messages[-1])
        in_prose = _MARKED["unparsable"] in prompt or (_MARKED["prose"] in prompt and "response_format" not in request)
        if in_prose:
            text = "I would say that this is a matter of taste."
        elif "response_format" in request:
            text = json.dumps({"answer": "The Polaris, with 2400 lumen."})
        else:
            is_taught = any(message["role"] == "assistant" for message in messages)
            text = completion_text(messages, {**self.script, **(self.taught if is_taught else {})})
        body = completion(request, text)
        usage = body["usage"]
        # As with OpenAI, what many prompts begin with is read again at half the price.
        cached = usage["prompt_tokens"] // 2 if usage["prompt_tokens"] > 200 else 0
        usage["prompt_tokens_details"] = {"cached_tokens": cached}
        with self._lock:
            self.bill.chats += 1
            self.bill.input_tokens += usage["prompt_tokens"]
            self.bill.cached_tokens += cached
            self.bill.output_tokens += usage["completion_tokens"]
        return body

    def _embed(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Return each text's words counted in a few buckets: enough to tell seven articles apart."""
        texts = request["input"] if isinstance(request["input"], list) else [request["input"]]
        data = [{"object": "embedding", "index": index, "embedding": _words(text)} for index, text in enumerate(texts)]
        tokens = sum(len(text) // 4 for text in texts)
        with self._lock:
            self.bill.embeddings += 1
            self.bill.embedding_tokens += tokens
        usage = {"prompt_tokens": tokens, "total_tokens": tokens}
        return {"object": "list", "model": request["model"], "data": data, "usage": usage}


def _words(text: str) -> list[float]:
    counts = [0.0] * _DIMENSIONS
    for word in re.findall(r"[a-z]{4,}", text.lower()):
        counts[zlib.crc32(word[:6].encode()) % _DIMENSIONS] += 1.0
    return counts
