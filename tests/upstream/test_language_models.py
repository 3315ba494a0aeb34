"""Every ``dspy.BaseLM`` is a language model, and not ``dspy.LM`` alone."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import dspy
import pytest
from dspy.utils import DummyLM

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter


class OwnModel(dspy.BaseLM):
    """A client of the application's own."""

    def forward(self, prompt: Any = None, messages: Any = None, **options: Any) -> Any:
        """Answer the way that OpenAI's client does."""
        message = SimpleNamespace(content="[[ ## answer ## ]]\nhere", tool_calls=None)
        choice = SimpleNamespace(message=message, finish_reason="stop", index=0)
        usage = {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15}
        return SimpleNamespace(choices=[choice], usage=usage, model="own-1", id="reply-1")


@pytest.mark.usefixtures("instrument")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_model_of_the_applications_own_has_a_span(span_exporter: InMemorySpanExporter) -> None:
    with dspy.context(lm=OwnModel(model="own")):
        assert dspy.Predict("question -> answer")(question="Where?").answer == "here"
    assert [span.name for span in span_exporter.get_finished_spans() if span.name.startswith("chat")] == ["chat own"]


@pytest.mark.usefixtures("instrument")
def test_the_dummy_of_tests_has_a_span(span_exporter: InMemorySpanExporter) -> None:
    with dspy.context(lm=DummyLM([{"answer": "here"}])):
        dspy.Predict("question -> answer")(question="Where?")
    assert [span.name for span in span_exporter.get_finished_spans() if span.name.startswith("chat")] == ["chat dummy"]
