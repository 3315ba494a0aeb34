"""An answer as it is written, answers in tasks and threads at once, and a reader who leaves."""

import asyncio
import os
from collections.abc import Callable

import dspy

from opentelemetry.instrumentation.dspy import usage_scope

# api_base is None outside of the test: the provider's own address.
dspy.configure(lm=dspy.LM("openai/gpt-4o-mini", api_base=os.environ.get("MODEL_URL"), cache=False))


class Answer(dspy.Module):
    def __init__(self) -> None:
        super().__init__()
        self.predict = dspy.Predict("question -> answer")

    def forward(self, question: str) -> dspy.Prediction:
        return self.predict(question=question)

    async def aforward(self, question: str) -> dspy.Prediction:
        return await self.predict.acall(question=question)


answer = Answer()


async def read(question: str, on_piece: Callable[[str], None]) -> None:
    listener = dspy.streaming.StreamListener("answer")  # it keeps what it heard: one for each stream
    stream = dspy.streamify(answer, stream_listeners=[listener], is_async_program=True)
    async for piece in stream(question=question):
        if isinstance(piece, dspy.streaming.StreamResponse):
            on_piece(piece.chunk)


async def ask_at_once() -> None:
    in_a_task = answer.acall(question="Where?")
    in_a_thread = dspy.asyncify(answer)(question="When?")
    await asyncio.gather(in_a_task, in_a_thread)


async def leave_early(question: str) -> None:
    heard = asyncio.Event()
    reader = asyncio.create_task(read(question, lambda piece: heard.set()))
    await heard.wait()
    reader.cancel()  # what a closed connection does in a web framework
    await asyncio.wait([reader])


async def main() -> None:
    with usage_scope() as usage:
        await read("Who?", on_piece=lambda piece: print(piece, end="", flush=True))
        await ask_at_once()
        await leave_early("Why?")
    print(f"\n{usage.lm_calls} calls, {usage.cost_unknown_calls} of unknown price")


if __name__ == "__main__":
    asyncio.run(main())
