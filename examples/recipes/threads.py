"""Threads of one's own: what they run belongs to the trace, and counts for the block, that started it."""

import asyncio
import contextvars
import os
from concurrent.futures import ThreadPoolExecutor

import dspy

from opentelemetry.instrumentation.dspy import telemetry_context, usage_scope

# api_base is None outside of the test: the provider's own address.
dspy.configure(lm=dspy.LM("openai/gpt-4o-mini", api_base=os.environ.get("MODEL_URL"), cache=False))
answerer = dspy.Predict("question -> answer")


class Questions(dspy.Module):
    """Asks all its questions at once."""

    def forward(self, questions: list[str]) -> list[str]:
        with ThreadPoolExecutor(2) as pool:
            # A context is for one thread at a time: one copy for each call.
            work = [pool.submit(contextvars.copy_context().run, answerer, question=question) for question in questions]
            return [future.result().answer for future in work]


async def ask_from_a_loop(question: str) -> list[str]:
    in_a_thread = asyncio.to_thread(answerer, question=question)  # copies the context itself
    carried = contextvars.copy_context().run
    in_an_executor = asyncio.get_running_loop().run_in_executor(None, lambda: carried(answerer, question=question))
    return [prediction.answer for prediction in await asyncio.gather(in_a_thread, in_an_executor)]


if __name__ == "__main__":
    with telemetry_context(conversation_id="c-42"), usage_scope() as usage:
        Questions()(questions=["Where?", "When?"])
        asyncio.run(ask_from_a_loop("Who?"))
    print(usage.lm_calls, "calls")
