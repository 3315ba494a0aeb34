"""Any value in any field of a reply: one span, sound sums, and not a word in the log (see ``no_complaints``)."""

from __future__ import annotations

import contextlib
import copy
import math
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import dspy
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from model_server import ModelServer, Reply
from odd_values import Odd, hostile_values, json_values
from opentelemetry.context import get_current
from opentelemetry.util.genai.invocation import CLIENT_INFERENCE_CONTEXT_KEY, InferenceData

from opentelemetry.instrumentation.dspy import usage_scope

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import StartTelemetry
    from recorded import Recorded

pytestmark = pytest.mark.filterwarnings("ignore")

one_program_for_all = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])

REPLY: dict[str, Any] = {
    "id": "reply-1",
    "model": "small",
    "object": "chat.completion",
    "created": 1,
    "choices": [
        {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Egypt", "tool_calls": None}}
    ],
    "usage": {
        "prompt_tokens": 10,
        "completion_tokens": 3,
        "total_tokens": 13,
        "cost": 0.5,
        "prompt_tokens_details": {"cached_tokens": 2, "audio_tokens": 1},
        "completion_tokens_details": {"reasoning_tokens": 1},
    },
}
HIDDEN = {"_hidden_params": {"response_cost": 0.25, "additional_headers": {}}, "cache_hit": False}

Path = tuple[Any, ...]


def places_in(value: Any, path: Path = ()) -> Iterator[Path]:
    """Where something stands in a reply, from the top to the last number."""
    if path:
        yield path
    named = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, inner in named:
        yield from places_in(inner, (*path, name))


def with_value(reply: dict[str, Any], path: Path, value: Any) -> dict[str, Any]:
    changed: Any = copy.deepcopy(reply)
    place = changed
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    return dict(changed)


def as_objects(value: Any) -> Any:
    """A reply as an application's own client has it; what DSPy asks like a mapping stays one."""
    if type(value) is dict:
        kept = ("usage", "_hidden_params")
        members = {name: inner if name in kept else as_objects(inner) for name, inner in value.items()}
        return SimpleNamespace(**members)
    return [as_objects(inner) for inner in value] if type(value) is list else value


class Own(dspy.BaseLM):
    """Answers what it is told to."""

    reply: Any = None

    def forward(self, prompt: Any = None, messages: Any = None, **options: Any) -> Any:
        return self.reply


def assert_sound(telemetry: Recorded, language_model: Any, path: Path, **options: Any) -> None:
    """Call once; whatever DSPy makes of the reply, there is one span, of sound values, and it is what was added up."""
    telemetry.collector.clear()
    failed = False
    with usage_scope() as usage:
        try:
            language_model("Where?", **options)
        except Exception:  # noqa: BLE001 - DSPy may refuse the reply, with us and without us
            failed = True
    [span] = telemetry.spans
    attributes = span.attributes or {}
    assert usage.lm_calls == 1
    for amount in (usage.cost, usage.saved_cost):
        assert type(amount) is float
        assert math.isfinite(amount)
        assert 0 <= amount <= 1e6
    assert usage.input_tokens == attributes.get("gen_ai.usage.input_tokens", 0)
    assert usage.output_tokens == attributes.get("gen_ai.usage.output_tokens", 0)
    assert usage.cost == attributes.get("gen_ai.usage.cost.amount", 0)
    for name, value in attributes.items():
        if name.startswith("gen_ai.usage.") and name.endswith("tokens"):
            assert type(value) is int
            assert 0 <= value <= 10**12
    for name in ("gen_ai.response.model", "gen_ai.response.id"):
        assert type(attributes.get(name, "")) is str
    assert all(type(reason) is str for reason in attributes.get("gen_ai.response.finish_reasons", ()))  # type: ignore[union-attr]
    if not failed and path[0] not in ("usage", "cache_hit"):
        # What is odd in one field takes nothing from the others.
        assert (usage.input_tokens, usage.output_tokens) == (10, 3)


def test_a_reply_without_anything_odd_is_told_in_full(telemetry: Recorded) -> None:
    """Without this the other tests might be about replies that DSPy refuses."""
    language_model = Own(model="own")
    language_model.reply = as_objects({**REPLY, **HIDDEN})
    assert language_model("Where?") == ["Egypt"]
    attributes = telemetry.attributes("chat own")
    assert (attributes["gen_ai.usage.input_tokens"], attributes["gen_ai.usage.output_tokens"]) == (10, 3)
    assert attributes["gen_ai.usage.cost.amount"] == 0.5
    assert attributes["gen_ai.response.finish_reasons"] == ["stop"]


@one_program_for_all
@given(path=st.sampled_from([*places_in({**REPLY, **HIDDEN})]), odd=hostile_values)
def test_of_a_language_model_of_the_application(telemetry: Recorded, path: Path, odd: Odd) -> None:
    language_model = Own(model="own")
    language_model.reply = as_objects(with_value({**REPLY, **HIDDEN}, path, odd.make()))
    assert_sound(telemetry, language_model, path)


@pytest.mark.parametrize("capture", ["SPAN_ONLY", "EVENT_ONLY"])
def test_with_content_too(start_telemetry: StartTelemetry, capture: str) -> None:
    telemetry = start_telemetry(capture=capture)

    @one_program_for_all
    @given(path=st.sampled_from([*places_in(REPLY["choices"], ("choices",))]), odd=hostile_values)
    def ask(path: Path, odd: Odd) -> None:
        language_model = Own(model="own")
        language_model.reply = as_objects(with_value({**REPLY, **HIDDEN}, path, odd.make()))
        assert_sound(telemetry, language_model, path)

    ask()


@pytest.mark.parametrize("engine", ["lm15", "litellm"])
def test_over_http(telemetry: Recorded, model_server: ModelServer, engine: str) -> None:
    connection = {"api_base": model_server.url, "api_key": "test-key", "num_retries": 0}
    language_model = dspy.LM("openai/gpt-4o-mini", cache=False, engine=engine, **connection)

    @one_program_for_all
    @given(path=st.sampled_from([*places_in(REPLY)]), value=json_values)
    def ask(path: Path, value: Any) -> None:
        body = with_value(REPLY, path, value)
        model_server.reply = lambda request: Reply(text="Egypt", body_update=body)
        assert_sound(telemetry, language_model, path)

    ask()


@pytest.mark.parametrize("engine", ["lm15", "litellm"])
def test_from_the_cache(telemetry: Recorded, model_server: ModelServer, engine: str) -> None:
    connection = {"api_base": model_server.url, "api_key": "test-key", "num_retries": 0}
    language_model = dspy.LM("openai/gpt-4o-mini", engine=engine, **connection)

    @one_program_for_all
    @given(path=st.sampled_from([*places_in(REPLY)]), value=json_values)
    def ask(path: Path, value: Any) -> None:
        dspy.cache.reset_memory_cache()
        body = with_value(REPLY, path, value)
        model_server.reply = lambda request: Reply(text="Egypt", body_update=body)
        with contextlib.suppress(Exception):
            language_model("Where?")
            asked = len(model_server.requests)
            assert_sound(telemetry, language_model, ("usage",))
            # A reply that DSPy could not store is asked for again.
            assert len(model_server.requests) > asked or telemetry.attributes("chat gpt-4o-mini")["dspy.cache.hit"]

    ask()


@one_program_for_all
@given(name=st.sampled_from(["temperature", "max_tokens", "seed", "stop", "usage"]), odd=hostile_values)
def test_of_dspys_double(telemetry: Recorded, name: str, odd: Odd) -> None:
    double = dspy.utils.DummyLM([{"answer": "Egypt"}])
    assert_sound(telemetry, double, ("usage",), **{name: odd.make()})
    assert [span.name for span in telemetry.spans] == ["chat dummy"]


@pytest.mark.parametrize("field", ["usage_input_tokens", "usage_output_tokens", "response_model", "response_id"])
def test_what_another_instrumentation_published(telemetry: Recorded, field: str) -> None:
    class Publishing(dspy.BaseLM):
        published: Any = None

        def __call__(self, prompt: Any = None, messages: Any = None, **options: Any) -> Any:
            data = get_current().get(CLIENT_INFERENCE_CONTEXT_KEY)
            assert isinstance(data, InferenceData)
            data.usage_input_tokens, data.usage_output_tokens = 10, 3
            setattr(data, field, self.published)
            return ["Egypt"]

    language_model = Publishing(model="own")

    @one_program_for_all
    @given(odd=hostile_values)
    def ask(odd: Odd) -> None:
        language_model.published = odd.make()
        assert_sound(telemetry, language_model, ("usage",))

    ask()


@one_program_for_all
@given(
    name=st.sampled_from(
        [
            *("temperature", "top_p", "top_k", "frequency_penalty", "presence_penalty", "max_tokens", "seed", "stop"),
            *("reasoning_effort", "reasoning", "response_format", "max_completion_tokens", "api_base", "base_url"),
        ]
    ),
    odd=hostile_values,
    several=st.booleans(),
)
def test_of_a_request(telemetry: Recorded, name: str, odd: Odd, several: bool) -> None:
    language_model = Own(model="own")
    language_model.reply = as_objects({**REPLY, **HIDDEN})
    assert_sound(telemetry, language_model, ("choices",), **{name: [odd.make(), odd.make()] if several else odd.make()})
    for attribute, recorded in (telemetry.spans[0].attributes or {}).items():
        if attribute.startswith("gen_ai.request.") and type(recorded) in (int, float):
            assert math.isfinite(recorded)  # type: ignore[arg-type]
            assert type(recorded) is float or -(2**63) <= recorded < 2**63  # type: ignore[operator]


def test_parameters_that_are_numbers_are_recorded_as_such(telemetry: Recorded) -> None:
    import numpy as np

    language_model = Own(model="own")
    language_model.reply = as_objects({**REPLY, **HIDDEN})
    language_model(
        "Where?", temperature=np.float32(0.5), top_p=np.float64(0.25), max_tokens=np.int64(7), seed=12.0, stop=["a", 5]
    )
    attributes = telemetry.attributes("chat own")
    assert attributes["gen_ai.request.temperature"] == 0.5
    assert attributes["gen_ai.request.top_p"] == 0.25
    assert (type(attributes["gen_ai.request.max_tokens"]), attributes["gen_ai.request.max_tokens"]) == (int, 7)
    assert (type(attributes["gen_ai.request.seed"]), attributes["gen_ai.request.seed"]) == (int, 12)
    assert attributes["gen_ai.request.stop_sequences"] == ["a"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("temperature", "hot"), ("temperature", math.nan), ("temperature", True), ("max_tokens", True)),
        *(("max_tokens", "64"), ("max_tokens", 1.5), ("seed", 10**30), ("stop", [1, None]), ("top_p", math.inf)),
    ],
)
def test_parameters_that_are_none_are_not_recorded(telemetry: Recorded, name: str, value: Any) -> None:
    language_model = Own(model="own")
    language_model.reply = as_objects({**REPLY, **HIDDEN})
    language_model("Where?", **{name: value})
    recorded = telemetry.attributes("chat own")
    assert [attribute for attribute in recorded if name in attribute] == []


@pytest.mark.parametrize("reason", [None, "", 7, ["stop"]], ids=repr)
def test_a_native_reply_without_a_finish_reason_has_none(
    telemetry: Recorded, model_server: ModelServer, reason: Any
) -> None:
    body = with_value(REPLY, ("choices", 0, "finish_reason"), reason)
    model_server.reply = lambda request: Reply(text="Egypt", body_update=body)
    connection = {"api_base": model_server.url, "api_key": "test-key", "num_retries": 0}
    dspy.LM("openai/gpt-4o-mini", cache=False, engine="lm15", **connection)("Where?")
    assert "gen_ai.response.finish_reasons" not in telemetry.attributes("chat gpt-4o-mini")
