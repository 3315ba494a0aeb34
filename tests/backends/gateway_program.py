"""Programs whose model is behind a gateway; their spans go by OTLP and, as JSON objects, to the output.

GATEWAY_KEY=sk-… python gateway_program.py http://127.0.0.1:4000/v1
"""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Any

import dspy
from local_model import GrammarAdapter, LocalModel
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SimpleSpanProcessor

from opentelemetry.instrumentation.dspy import DSPyInstrumentor

QUESTION = "Where does the Nile end?"
LIMITS = {"temperature": 0.0, "max_tokens": 100, "cache": False}


class Desk(dspy.Module):
    """Asks with a grammar, which LiteLLM's client carries."""

    def __init__(self) -> None:
        super().__init__()
        self.name = dspy.Predict("question -> topic")
        self.answer = dspy.ChainOfThought("question, topic -> answer")

    def forward(self, question: str) -> Any:
        return self.answer(question=question, topic=self.name(question=question).topic)


class StreamedDesk(Desk):
    """Has a name of its own in the list of traces, as all below."""


class UntoldDesk(Desk):
    """Asks while the gateway is not named."""


class Direct(dspy.Module):
    """Asks without any grammar, by the client that is DSPy's own."""

    def __init__(self, model: dspy.LM) -> None:
        super().__init__()
        self.model = model

    def forward(self, question: str) -> Any:
        return dspy.Prediction(answers=[self.model(question), self.model(f"{question} In one word.")])


class StreamedDirect(Direct):
    """The same as a stream."""


async def _stream(program: dspy.Module) -> None:
    async for _ in dspy.streamify(program)(question=QUESTION):
        """What the pieces are does not matter here."""


def main(address: str) -> None:
    """Ask through both clients, plain and as a stream, and once without telling the gateway of the trace."""
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    provider.add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter()))
    gateway = {"api_base": address, "api_key": os.environ["GATEWAY_KEY"], **LIMITS}
    own = dspy.LM(LocalModel.model, engine="lm15", **gateway)
    dspy.configure(lm=dspy.LM(LocalModel.model, engine="litellm", **gateway), adapter=GrammarAdapter())
    DSPyInstrumentor().instrument(tracer_provider=provider)
    Desk()(question=QUESTION)
    Direct(own)(question=QUESTION)
    asyncio.run(_stream(StreamedDesk()))
    asyncio.run(_stream(StreamedDirect(own)))
    DSPyInstrumentor().uninstrument()
    DSPyInstrumentor().instrument(tracer_provider=provider, propagate=[])
    UntoldDesk()(question=QUESTION)
    provider.shutdown()


if __name__ == "__main__":
    main(sys.argv[1])
