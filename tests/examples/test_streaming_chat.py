"""The chat that answers word by word."""

from __future__ import annotations

import pytest
from example_runs import Run, dollars_of, read, run

SCRIPT = read("streaming_chat", "script.json")
CANCELLED = "asyncio.exceptions.CancelledError"


@pytest.fixture(scope="module")
def ran() -> Run:
    # Without a pause between the words the trees on the terminal would come in the middle of the next answer.
    return run("streaming_chat", OTEL_TRACES_EXPORTER="otlp")


def test_three_answers_are_heard_to_their_end_and_the_fourth_is_not(ran: Run) -> None:
    *whole, last = [entry["answer"] for entry in SCRIPT.values()]
    assert [answer for answer in whole if f"\nShop:     {answer}\n" in ran.output] == whole
    [left] = ran.lines(r"Shop:     (.+) … \(the customer has left\)")
    assert last.startswith(left[1])
    assert len(left[1]) < len(last) / 2


def test_each_turn_knows_what_was_said_before(ran: Run) -> None:
    said = [[message["role"] for message in request["messages"]] for request, _ in ran.calls]
    turn = ["user", "assistant"]
    assert said == [["system", *turn * before, "user"] for before in (0, 1, 2, 0)]


def test_every_span_has_the_session_and_how_long_the_first_words_took(ran: Run) -> None:
    sessions = ["session-1"] * 3 + ["session-2"]
    for name in ("Predict ChatWithCustomer", "chat"):
        assert [span.attributes["gen_ai.conversation.id"] for span in ran.named(name)] == sessions
    for span in ran.named("chat"):
        assert span.attributes["gen_ai.request.stream"] is True
        first = span.attributes["gen_ai.response.time_to_first_chunk"]
        assert isinstance(first, float)
        assert 0 < first * 1_000_000_000 <= span.end_ns - span.start_ns


def test_what_is_printed_is_what_was_paid(ran: Run) -> None:
    lines = ran.lines(r" +first words after (\d+\.\d\d) s, the end after (\d+\.\d\d) s, \$(\d+\.\d+)")
    assert all(float(line[1]) <= float(line[2]) for line in lines)
    paid = [dollars_of([body]) for _, body in ran.calls[:3]]
    # Tokens come with the end of a stream: of one that was left nobody tells any.
    assert [float(line[3]) for line in lines] == [*(pytest.approx(dollars, abs=6e-7) for dollars in paid), 0.0]


def test_the_call_that_was_left_says_so(ran: Run) -> None:
    errors = [span.attributes.get("error.type") for span in ran.named("chat")]
    assert errors == [None, None, None, CANCELLED]
