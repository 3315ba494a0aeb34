"""docs/recipes/streaming-and-async.md: streams, tasks and threads are whole traces, and a stream that is left ends."""

from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING, Any

from model_server import Reply
from recorded import attributes_of

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest
    from model_server import ModelServer, Request
    from recorded import Recorded

ANSWER = """\
invoke_workflow Answer
  Predict predict
    chat gpt-4o-mini"""

CANCELLED = " [ERROR asyncio.exceptions.CancelledError: in …]"

WHERE = re.compile(r"(?<=: in )\w+(?=\])")
"""The function that waited is one of aiohttp's or asyncio's own, another one on another Python."""


def test_whoever_reads_or_leaves_there_is_one_whole_trace_for_each_answer(
    telemetry: Recorded,
    model_server: ModelServer,
    run_here: Callable[[str], dict[str, Any]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    is_left = threading.Event()

    def held(chunk: int) -> None:
        # The reader has heard the first words by then, and leaves before the last ones come.
        if chunk == 6:
            assert is_left.wait(30)

    def reply(request: Request) -> Reply:
        return Reply(
            fields={"answer": "one two three four five six"},
            before_chunk=held if "Why?" in request.prompt.text else None,
        )

    model_server.reply = reply
    try:
        run_here("streaming_and_async")
    finally:
        is_left.set()

    assert capsys.readouterr().out == "one two three four five six\n4 calls, 0 of unknown price\n"
    left = "\n".join(line + CANCELLED for line in ANSWER.splitlines())
    assert WHERE.sub("…", telemetry.tree()) == "\n".join([ANSWER, ANSWER, ANSWER, left])
    streamed, in_a_task, in_a_thread, left_early = map(attributes_of, telemetry.named("chat gpt-4o-mini"))
    assert [call.get("gen_ai.request.stream") for call in (streamed, in_a_task, in_a_thread, left_early)] == [
        True,
        None,
        None,
        True,
    ]
    assert streamed["gen_ai.response.time_to_first_chunk"] > 0
    assert left_early["gen_ai.response.time_to_first_chunk"] > 0
    assert (streamed["gen_ai.usage.output_tokens"], left_early.get("gen_ai.usage.output_tokens")) == (16, None)
