"""``openai.api.type``: which API of OpenAI a call goes to, where that is known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dspy
import pytest
from dspy.utils import DummyLM

if TYPE_CHECKING:
    from conftest import StartTelemetry
    from model_server import ModelServer
    from recorded import Recorded

API = "openai.api.type"


def model(server: ModelServer, name: str = "openai/gpt-4o-mini", kind: type[dspy.LM] = dspy.LM, **settings: Any) -> Any:
    return kind(name, api_base=server.url, api_key="test-key", cache=False, **settings)


@pytest.mark.parametrize("capture", ["", "SPAN_AND_EVENT"])
@pytest.mark.parametrize("engine", ["lm15", "litellm"])
@pytest.mark.parametrize(
    ("model_type", "told", "path"),
    [("chat", "chat_completions", "/chat/completions"), ("responses", "responses", "/responses")],
)
def test_the_api_is_the_one_that_is_asked(
    start_telemetry: StartTelemetry,
    model_server: ModelServer,
    model_type: str,
    told: str,
    path: str,
    engine: str,
    capture: str,
) -> None:
    telemetry = start_telemetry(capture=capture)
    model(model_server, model_type=model_type, engine=engine)("Where?")
    assert telemetry.attributes("chat gpt-4o-mini")[API] == told
    [request] = model_server.requests
    assert request.path.endswith(path)
    for metric in ("gen_ai.client.operation.duration", "gen_ai.client.token.usage"):
        assert [API in point.attributes for point in telemetry.metric_points(metric)].count(True) == 0


def test_completions_of_texts_have_no_name_in_the_conventions(telemetry: Recorded, model_server: ModelServer) -> None:
    model(model_server, model_type="text")("Where?")
    assert API not in telemetry.attributes("text_completion gpt-4o-mini")


class Polite(dspy.LM):
    """Asks what DSPy's own does."""

    def forward(self, prompt: Any = None, messages: Any = None, **options: Any) -> Any:
        return super().forward(prompt, messages, **options)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_subclass_is_told_as_the_class_itself(telemetry: Recorded, model_server: ModelServer) -> None:
    model(model_server, kind=Polite)("Where?")
    assert telemetry.attributes("chat gpt-4o-mini")[API] == "chat_completions"


def test_nothing_is_said_of_other_providers_and_models(telemetry: Recorded, model_server: ModelServer) -> None:
    model(model_server, "groq/llama-3.1-8b-instant")("Where?")
    DummyLM([{"answer": "here"}])("Where?")
    assert len(telemetry.spans) == 2
    assert [span.name for span in telemetry.spans if API in (span.attributes or {})] == []
