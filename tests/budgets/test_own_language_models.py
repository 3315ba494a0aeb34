"""Language models of the application: those that send by themselves are stopped before, others where they send."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import dspy
import pytest
from desk import Desk
from dspy.utils import DummyLM
from stopped import ask, stopped_scope

if TYPE_CHECKING:
    from collections.abc import Callable

    from model_server import ModelServer
    from recorded import Recorded

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


class Alone(dspy.BaseLM):
    """Answers by itself."""

    def __init__(self) -> None:
        super().__init__(model="alone")
        self.asked = 0

    def forward(self, prompt: Any = None, messages: Any = None, **settings: Any) -> Any:
        self.asked += 1
        message = SimpleNamespace(content="[[ ## answer ## ]]\nhere\n\n[[ ## completed ## ]]", tool_calls=None)
        usage = {"prompt_tokens": 10, "completion_tokens": 3, "total_tokens": 13}
        choice = SimpleNamespace(message=message, finish_reason="stop")
        return SimpleNamespace(choices=[choice], usage=usage, model="alone", id="1")


class Metered(dspy.LM):
    """Counts, and goes to DSPy's client and its cache."""

    def forward(self, *arguments: Any, **settings: Any) -> Any:
        return super().forward(*arguments, **settings)


class Wrapping(dspy.BaseLM):
    """Goes to another language model."""

    def __init__(self, inner: dspy.LM) -> None:
        self.inner = inner
        super().__init__(model="wrapping")

    def forward(self, prompt: Any = None, messages: Any = None, **settings: Any) -> Any:
        return self.inner.forward(prompt=prompt, messages=messages, **settings)


def test_one_that_sends_by_itself_is_stopped_before_its_own_code(telemetry: Recorded) -> None:
    language_model = Alone()
    dspy.configure(lm=language_model)
    error, usage = stopped_scope(lambda: ask(Desk()), max_calls=2)
    assert (language_model.asked, usage.lm_calls, error.spent.input_tokens) == (2, 2, 20)
    error, _ = stopped_scope(lambda: ask(Desk()), max_tokens=14)
    assert (language_model.asked, error.bound) == (4, "max_tokens")


def test_dspys_own_double_is_stopped(telemetry: Recorded) -> None:
    dspy.configure(lm=DummyLM([{"answer": "here"}] * 20))
    _, usage = stopped_scope(lambda: ask(Desk()), max_calls=2)
    assert usage.lm_calls == 2


@pytest.mark.parametrize("make", [lambda **given: Metered(**given), lambda **given: Wrapping(dspy.LM(**given))])
def test_one_that_goes_to_dspys_client_is_stopped_behind_the_cache(
    telemetry: Recorded, model_server: ModelServer, make: Callable[..., dspy.BaseLM]
) -> None:
    dspy.configure(lm=make(model="openai/gpt-4o-mini", api_base=model_server.url, api_key="test-key"))
    _, usage = stopped_scope(lambda: ask(Desk(), ["new", "newer", "new", "newer", "newest"]), max_calls=2)
    assert (len(model_server.requests), usage.cache_hits, usage.lm_calls) == (2, 2, 4)


def test_a_decision_client_is_stopped_behind_the_cache(telemetry: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    typesafe = pytest.importorskip("dspy.clients.typesafe")
    sdk = pytest.importorskip("typesafe_sdk")
    asked = []

    class Client:
        def __init__(self, **settings: Any) -> None:
            """No connection."""

        def __enter__(self) -> Client:
            return self

        def __exit__(self, *_: object) -> None:
            """Nothing to close."""

        def system_one(self, state: Any, questions: Any) -> Any:
            asked.append(state)
            usage = SimpleNamespace(input_tokens=5, output_tokens=1)
            return SimpleNamespace(model="jev-1", usage=usage, answers={"a": SimpleNamespace(noul=1.0)})

    monkeypatch.setattr(sdk, "TypeSafeClient", Client)
    client = typesafe.TypeSafe(api_key="test-key")
    states = ["one", "one", "two", "three"]
    _, usage = stopped_scope(lambda: [client(each, {"a": "?"}) for each in states], max_calls=2)
    assert (asked, usage.cache_hits) == (["one", "two"], 1)
