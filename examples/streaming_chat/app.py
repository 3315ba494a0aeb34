"""A chat that answers word by word and remembers what was said; every session is found by its id."""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING

import dspy

from opentelemetry.instrumentation.dspy import telemetry_context, usage_scope

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class ChatWithCustomer(dspy.Signature):
    """Answer a customer of a lamp shop in a few friendly sentences."""

    history: dspy.History = dspy.InputField()
    question: str = dspy.InputField()
    answer: str = dspy.OutputField()


class Session:
    """One customer's conversation."""

    def __init__(self, session_id: str) -> None:
        self.id = session_id
        self.history = dspy.History(messages=[])
        # A listener hears one answer, unless it is told that there will be more.
        listener = dspy.streaming.StreamListener(signature_field_name="answer", allow_reuse=True)
        chat = dspy.Predict(ChatWithCustomer)
        self._stream = dspy.streamify(chat, stream_listeners=[listener], is_async_program=True)

    async def ask(self, question: str) -> AsyncIterator[str]:
        """Give out the answer piece by piece; what was heard to its end is remembered."""
        async for piece in self._stream(history=self.history, question=question):
            if isinstance(piece, dspy.streaming.StreamResponse):
                yield piece.chunk
            elif isinstance(piece, dspy.Prediction):
                self.history.messages.append({"question": question, "answer": piece.answer})


async def show(session: Session, question: str, patience: int | None = None) -> None:
    """Print an answer as it comes, and how long its first words took; leave after as many pieces as `patience` says."""
    began, pieces, first = time.perf_counter(), 0, 0.0
    with telemetry_context(conversation_id=session.id), usage_scope() as usage:
        try:
            async with aclosing(session.ask(question)) as answer:
                async for piece in answer:
                    if pieces == 0:
                        first = time.perf_counter() - began
                        print(f"\n{session.id}\nCustomer: {question}\nShop:     ", end="")
                    print(piece, end="", flush=True)
                    pieces += 1
                    if pieces == patience:
                        print(" … (the customer has left)", end="")
                        # What a web server does with the task of a request whose connection is closed.
                        asyncio.current_task().cancel()
        finally:
            took = time.perf_counter() - began
            times = f"first words after {first:.2f} s, the end after {took:.2f} s"
            print(f"\n          {times}, ${usage.cost:.6f}\n", end="", flush=True)


async def main() -> None:
    model = os.environ.get("DEMO_MODEL", "openai/gpt-4o-mini")
    dspy.configure(lm=dspy.LM(model, api_base=os.environ.get("DEMO_API_BASE")))

    session = Session("session-1")
    await show(session, "Which lamp is right for a small kitchen?")
    await show(session, "Does it come in green?")
    await show(session, "And how do I clean it?")

    with suppress(asyncio.CancelledError):
        await asyncio.create_task(show(Session("session-2"), "Tell me everything about your workshop.", patience=5))


if __name__ == "__main__":
    asyncio.run(main())
