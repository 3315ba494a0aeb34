"""What the tests in real backends need: a program whose spans go there.

They run where the backend is installed, in an environment of ``nox -s screens``, and are named there:
``pytest tests/backends/test_phoenix_feedback.py``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dspy
import pytest
from dspy.utils import DummyLM
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from opentelemetry.instrumentation.dspy import DSPyInstrumentor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Desk(dspy.Module):
    def __init__(self) -> None:
        super().__init__()
        self.answer = dspy.ChainOfThought("question -> answer")

    def forward(self, question: str) -> Any:
        return self.answer(question=question)


@pytest.fixture
def answered() -> Iterator[Callable[..., Any]]:
    """Ask a program once, with its spans sent to an address, and return its prediction when they are there."""

    def ask(endpoint: str, **headers: str) -> Any:
        provider = TracerProvider(shutdown_on_exit=False)
        exporter = OTLPSpanExporter(endpoint, headers={name.replace("_", "-"): headers[name] for name in headers})
        provider.add_span_processor(BatchSpanProcessor(exporter))
        DSPyInstrumentor().instrument(tracer_provider=provider)
        with dspy.context(lm=DummyLM([{"reasoning": "so", "answer": "Africa"}])):
            prediction = Desk()(question="Where is the Nile?")
        provider.shutdown()
        return prediction

    yield ask
    DSPyInstrumentor().uninstrument()
