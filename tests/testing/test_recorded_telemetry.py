"""What DSPy does inside a block is recorded, and everything is as it was behind it."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from typing import TYPE_CHECKING, Any

import dspy
import pytest
from model_server import Failure, Reply
from opentelemetry.sdk.environment_variables import OTEL_SDK_DISABLED
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, TraceIdRatioBased
from opentelemetry.trace import get_tracer_provider
from recorded import attributes_of

from opentelemetry.instrumentation.dspy import (
    BudgetExceededError,
    DSPyInstrumentor,
    record_feedback,
    usage_scope,
)
from opentelemetry.instrumentation.dspy.testing import RecordedTelemetry, recorded_telemetry

if TYPE_CHECKING:
    from conftest import StartTelemetry
    from model_server import ModelServer

CAPTURE = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
INPUT = "gen_ai.input.messages"


class Answer(dspy.Module):
    """One question, one draft, one check: two calls of a language model."""

    def __init__(self) -> None:
        super().__init__()
        self.draft = dspy.Predict("question -> answer")
        self.check = dspy.Predict("answer -> verdict")

    def forward(self, question: str) -> dspy.Prediction:
        return self.check(answer=self.draft(question=question).answer)

    async def aforward(self, question: str) -> dspy.Prediction:
        return await self.check.acall(answer=(await self.draft.acall(question=question)).answer)


def names(spans: list[ReadableSpan]) -> list[str]:
    return [span.name for span in spans]


SPANS = ["invoke_workflow Answer", "Predict draft", "chat gpt-4o-mini", "Predict check", "chat gpt-4o-mini"]
TREE = """\
invoke_workflow Answer  Σ 2 calls  200 → 20  $0.0000420
├─ Predict draft        Σ 1 call   100 → 10  $0.0000210
│  └─ chat gpt-4o-mini             100 → 10  $0.0000210
└─ Predict check        Σ 1 call   100 → 10  $0.0000210
   └─ chat gpt-4o-mini             100 → 10  $0.0000210
total · 2 LM calls · 200 → 20 tokens · $0.0000420
"""


@pytest.fixture
def hundred_tokens(model_server: ModelServer) -> None:
    """Let each call use a hundred tokens, and ten for the reply, whatever words DSPy's prompts have."""
    model_server.reply = lambda request: Reply(usage_update={"prompt_tokens": 100, "completion_tokens": 10})


@pytest.fixture
def application() -> tuple[TracerProvider, InMemorySpanExporter]:
    """A provider of the application's, and what arrives at its exporter."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return provider, exporter


def test_the_spans_are_there_in_the_order_in_which_they_started(lm: dspy.LM) -> None:
    with recorded_telemetry() as telemetry:
        Answer()(question="Where?")
    assert names(telemetry.spans) == SPANS
    assert repr(telemetry) == "<RecordedTelemetry: 5 spans>"


def test_each_call_is_a_record_of_what_was_asked_used_and_paid(lm: dspy.LM, model_server: ModelServer) -> None:
    program = Answer()
    with recorded_telemetry() as telemetry:
        program(question="Where?")
    first, second = telemetry.chats
    billed = [request.usage for request in model_server.requests]
    assert [(chat.input_tokens, chat.output_tokens) for chat in (first, second)] == [
        (usage["prompt_tokens"], usage["completion_tokens"]) for usage in billed if usage is not None
    ]
    assert (first.model, first.prompt_name, second.prompt_name) == ("gpt-4o-mini", "Answer.draft", "Answer.check")
    assert first.prompt_version is not None
    assert len(first.prompt_version) == 12
    assert first.prompt_version != second.prompt_version
    assert (first.cache_hit, first.error_type) == (False, None)
    assert first.cost == pytest.approx(first.input_tokens * 0.15e-6 + first.output_tokens * 0.6e-6)  # type: ignore[operator]
    assert 0 < first.duration < 60
    assert first.span is telemetry.spans[2]


def test_sums_are_live_and_by_model(lm: dspy.LM) -> None:
    with recorded_telemetry() as telemetry:
        Answer().draft(question="Where?")
        assert telemetry.usage.lm_calls == 1
        Answer()(question="Where?")
        assert telemetry.usage.lm_calls == 3
    chats = telemetry.chats
    assert telemetry.usage.input_tokens == sum(chat.input_tokens or 0 for chat in chats)
    assert telemetry.usage.cost == pytest.approx(sum(chat.cost or 0 for chat in chats))
    assert telemetry.usage.by_model["gpt-4o-mini"].lm_calls == 3


def test_a_hit_of_the_cache_is_a_call_that_costs_nothing(cached_lm: dspy.LM) -> None:
    with recorded_telemetry() as telemetry:
        for _ in range(2):
            dspy.Predict("question -> answer")(question="Where?")
    paid, hit = telemetry.chats
    assert (paid.cache_hit, hit.cache_hit) == (False, True)
    assert (hit.cost, hit.input_tokens, hit.output_tokens) == (0.0, None, None)
    assert (telemetry.usage.lm_calls, telemetry.usage.cache_hits) == (2, 1)


def test_a_call_that_fails_says_of_what_and_has_no_price(lm: dspy.LM, model_server: ModelServer) -> None:
    model_server.fail_next(Failure(400))
    with recorded_telemetry() as telemetry, pytest.raises(Exception, match="scripted failure"):
        lm("Where?")
    [chat] = telemetry.chats
    assert chat.error_type is not None
    assert chat.error_type == attributes_of(chat.span)["error.type"]
    assert (chat.cost, chat.prompt_name) == (None, None)


@pytest.mark.usefixtures("hundred_tokens")
def test_the_tree_is_the_same_text_in_each_run_without_times(lm: dspy.LM) -> None:
    trees = set()
    for _ in range(2):
        with recorded_telemetry() as telemetry:
            Answer()(question="Where?")
        trees.add(telemetry.tree(times=False))
    assert trees == {TREE}


def test_the_tree_has_times_and_the_id_of_the_trace(lm: dspy.LM) -> None:
    with recorded_telemetry() as telemetry:
        Answer()(question="Where?")
    *_, total = telemetry.tree().splitlines()
    assert total.endswith(f" · trace {telemetry.spans[0].context.trace_id:032x}")  # type: ignore[union-attr]
    assert " ms · " in total or " s · " in total or " µs · " in total
    assert max(map(len, telemetry.tree(width=60).splitlines())) <= 60


def test_clear_forgets_what_was_and_counts_from_there(lm: dspy.LM) -> None:
    with recorded_telemetry() as telemetry:
        Answer()(question="Where?")
        telemetry.clear()
        assert (telemetry.spans, telemetry.events, telemetry.usage.lm_calls) == ([], [], 0)
        Answer().check(answer="There.")
    assert names(telemetry.spans) == ["Predict answer -> verdict", "chat gpt-4o-mini"]
    assert telemetry.usage.lm_calls == 1


async def test_tasks_and_threads_of_dspy_count(lm: dspy.LM) -> None:
    with recorded_telemetry() as telemetry:
        await asyncio.gather(*[Answer().acall(question=f"Where {number}?") for number in range(3)])
        dspy.Parallel(num_threads=3, disable_progress_bar=True)(
            [(Answer(), {"question": f"When {number}?"}) for number in range(3)]
        )
    assert telemetry.usage.lm_calls == 12


def test_threads_of_the_program_that_began_before_the_block_count(lm: dspy.LM) -> None:
    begin, done = threading.Event(), threading.Event()

    def wait_and_ask() -> None:
        begin.wait(30)
        lm("Where?")
        done.set()

    threading.Thread(target=wait_and_ask, daemon=True).start()
    with recorded_telemetry() as telemetry:
        begin.set()
        assert done.wait(30)
    assert telemetry.usage.lm_calls == 1


def test_events_are_there(lm: dspy.LM) -> None:
    with recorded_telemetry() as telemetry:
        record_feedback(Answer()(question="Where?"), "helpful", value=True)
    [feedback] = [event for event in telemetry.events if event.log_record.event_name == "gen_ai.evaluation.result"]
    assert feedback.log_record.span_id == telemetry.spans[0].context.span_id  # type: ignore[union-attr]


def test_content_is_off_whatever_the_environment_says_and_on_where_a_test_asks(
    lm: dspy.LM, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CAPTURE, "SPAN_ONLY")
    with recorded_telemetry() as telemetry:
        lm("a secret")
    assert "a secret" not in telemetry.spans[0].to_json()
    with recorded_telemetry(content=True) as telemetry:
        lm("a secret")
    assert "a secret" in attributes_of(telemetry.spans[0])[INPUT]
    assert "a secret" in telemetry.tree(content=True)
    assert "a secret" not in telemetry.tree()
    assert os.environ[CAPTURE] == "SPAN_ONLY"


def test_arguments_of_instrument_are_taken(lm: dspy.LM) -> None:
    with recorded_telemetry(content=True, redact=lambda text, kind: "█", openinference=True) as telemetry:
        lm("a secret")
    assert "a secret" not in telemetry.spans[0].to_json()
    assert attributes_of(telemetry.spans[0])["openinference.span.kind"] == "LLM"
    with pytest.raises(TypeError, match="Did you mean 'redact'"), recorded_telemetry(redakt=str):
        pass
    assert not DSPyInstrumentor().is_instrumented_by_opentelemetry


def test_dspy_is_off_again_and_the_global_provider_untouched(lm: dspy.LM) -> None:
    provider, call = get_tracer_provider(), vars(dspy.Predict).get("__call__")
    with recorded_telemetry():
        assert DSPyInstrumentor().is_instrumented_by_opentelemetry
        assert get_tracer_provider() is provider
    assert not DSPyInstrumentor().is_instrumented_by_opentelemetry
    assert vars(dspy.Predict).get("__call__") is call
    assert get_tracer_provider() is provider


def test_dspy_is_off_again_where_the_block_raises(lm: dspy.LM) -> None:
    telemetries: list[RecordedTelemetry] = []

    def use_and_raise() -> None:
        with recorded_telemetry() as telemetry:
            telemetries.append(telemetry)
            Answer()(question="Where?")
            raise KeyError

    with pytest.raises(KeyError):
        use_and_raise()
    assert not DSPyInstrumentor().is_instrumented_by_opentelemetry
    assert telemetries[0].usage.lm_calls == 2


def test_an_application_that_was_instrumented_hears_its_spans_too_and_again_afterwards(
    lm: dspy.LM, start_telemetry: StartTelemetry
) -> None:
    application = start_telemetry(capture="SPAN_ONLY", redact=lambda text, kind: text.replace("secret", "\u2588"))
    with recorded_telemetry() as telemetry:
        lm("a secret")
        record_feedback(Answer()(question="Where?"), "helpful", value=True)
    assert names(application.spans) == names(telemetry.spans) == ["chat gpt-4o-mini", *SPANS]
    assert "a \\u2588" in attributes_of(application.spans[0])[INPUT]
    assert application.metric_points("gen_ai.client.operation.duration") != []
    assert len(application.logs) == len(telemetry.events) > 0

    application.clear()
    lm("another secret")
    assert "another \\u2588" in attributes_of(application.spans[0])[INPUT]
    assert telemetry.usage.lm_calls == 3


def test_a_redaction_that_came_later_is_in_force_inside_of_the_block_and_behind_it(
    lm: dspy.LM, start_telemetry: StartTelemetry
) -> None:
    application = start_telemetry(capture="SPAN_ONLY")
    DSPyInstrumentor().instrument(redact=lambda text, kind: "█")
    with recorded_telemetry() as telemetry:
        lm("a secret")
    lm("a secret")
    assert "secret" not in "".join(span.to_json() for span in [*application.spans, *telemetry.spans])


def test_what_the_environment_said_when_the_application_was_instrumented_holds_again_behind_the_block(
    lm: dspy.LM, start_telemetry: StartTelemetry, monkeypatch: pytest.MonkeyPatch
) -> None:
    application = start_telemetry(capture="SPAN_ONLY")
    monkeypatch.setenv(CAPTURE, "NO_CONTENT")
    with recorded_telemetry(content=False) as telemetry:
        lm("a secret")
    assert "a secret" not in telemetry.spans[0].to_json()
    lm("a secret")
    assert "a secret" in attributes_of(application.spans[-1])[INPUT]
    assert os.environ[CAPTURE] == "NO_CONTENT"


@pytest.mark.parametrize("sampler", [ALWAYS_OFF, TraceIdRatioBased(0)])
def test_what_the_application_does_not_sample_is_kept_and_does_not_reach_it(
    lm: dspy.LM, start_telemetry: StartTelemetry, sampler: Any
) -> None:
    application = start_telemetry(sampler=sampler)
    with recorded_telemetry() as telemetry:
        Answer()(question="Where?")
    assert names(telemetry.spans) == SPANS
    assert application.spans == []


def test_the_application_s_global_provider_hears_its_spans_too(
    lm: dspy.LM, application: tuple[TracerProvider, InMemorySpanExporter], monkeypatch: pytest.MonkeyPatch
) -> None:
    provider, exporter = application
    monkeypatch.setattr("opentelemetry.trace._TRACER_PROVIDER", provider)
    DSPyInstrumentor().instrument()
    try:
        with recorded_telemetry() as telemetry, provider.get_tracer("web").start_as_current_span("GET /"):
            lm("Where?")
        assert names(telemetry.spans) == ["chat gpt-4o-mini"]
        assert names([*exporter.get_finished_spans()]) == ["chat gpt-4o-mini", "GET /"]
        assert telemetry.spans[0].parent is not None
        lm("Where?")
        assert names([*exporter.get_finished_spans()])[2:] == ["chat gpt-4o-mini"]
        assert telemetry.tree(times=False).startswith("chat gpt-4o-mini  ")
    finally:
        DSPyInstrumentor().uninstrument()


def test_an_application_that_was_instrumented_without_a_provider_is_recorded(
    lm: dspy.LM, start_telemetry: StartTelemetry
) -> None:
    DSPyInstrumentor().instrument()
    try:
        with recorded_telemetry() as telemetry:
            lm("Where?")
        assert names(telemetry.spans) == ["chat gpt-4o-mini"]
        assert DSPyInstrumentor().is_instrumented_by_opentelemetry
    finally:
        DSPyInstrumentor().uninstrument()


@pytest.mark.parametrize("disabled", ["true", "TRUE "])
def test_a_disabled_sdk_does_not_keep_a_test_from_recording(
    lm: dspy.LM, disabled: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(OTEL_SDK_DISABLED, disabled)
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    DSPyInstrumentor().instrument(tracer_provider=provider)
    try:
        with recorded_telemetry() as telemetry:
            lm("Where?")
        assert names(telemetry.spans) == ["chat gpt-4o-mini"]
        assert [*exporter.get_finished_spans()] == []
    finally:
        DSPyInstrumentor().uninstrument()
    assert os.environ[OTEL_SDK_DISABLED] == disabled


@pytest.mark.usefixtures("hundred_tokens")
@pytest.mark.parametrize("limit", ["OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "OTEL_ATTRIBUTE_COUNT_LIMIT"])
def test_limits_of_the_environment_take_nothing_away(lm: dspy.LM, limit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(limit, "1")
    with recorded_telemetry() as telemetry:
        Answer()(question="Where?")
    assert telemetry.tree(times=False) == TREE


def test_blocks_lie_in_each_other(lm: dspy.LM) -> None:
    with recorded_telemetry() as outer:
        lm("Where?")
        with recorded_telemetry() as inner:
            lm("When?")
        lm("Who?")
    assert (outer.usage.lm_calls, inner.usage.lm_calls) == (3, 1)
    assert not DSPyInstrumentor().is_instrumented_by_opentelemetry


@pytest.mark.complaints
def test_a_program_that_switches_the_instrumentation_off_or_on_leaves_all_as_it_was(
    lm: dspy.LM, start_telemetry: StartTelemetry, caplog: pytest.LogCaptureFixture
) -> None:
    with recorded_telemetry():
        DSPyInstrumentor().uninstrument()
    assert not DSPyInstrumentor().is_instrumented_by_opentelemetry
    application = start_telemetry()
    with recorded_telemetry() as telemetry:
        DSPyInstrumentor().uninstrument()
        lm("Where?")
    lm("When?")
    assert (len(telemetry.spans), len(application.spans)) == (0, 1)


def test_the_examples_of_an_optimizer_run_count_where_the_application_wants_no_spans_of_them(
    lm: dspy.LM, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_INSTRUMENTATION_DSPY_OPTIMIZER_TRACES", "none")
    examples = [dspy.Example(question=f"Where {n}?", answer="x").with_inputs("question") for n in range(2)]
    logging.getLogger("dspy").setLevel(logging.ERROR)
    with recorded_telemetry() as telemetry:
        optimizer = dspy.BootstrapFewShotWithRandomSearch(
            metric=lambda example, prediction, trace=None: True,
            max_bootstrapped_demos=1,
            num_candidate_programs=1,
            num_threads=1,
        )
        optimizer.compile(dspy.Predict("question -> answer"), trainset=examples)
    assert telemetry.usage.lm_calls > 2
    assert telemetry.usage.lm_calls == len([span for span in telemetry.spans if span.name.startswith("chat ")])


@pytest.mark.usefixtures("hundred_tokens")
def test_bounds_are_kept_or_the_tree_is_shown(lm: dspy.LM) -> None:
    with recorded_telemetry() as telemetry:
        Answer()(question="Where?")
    telemetry.assert_at_most(lm_calls=2, cost=0.01, tokens=1_000)
    with pytest.raises(AssertionError) as raised:
        telemetry.assert_at_most(lm_calls=1)
    first, second, empty, *tree = str(raised.value).splitlines()
    assert first == "2 LM calls, at most 1 allowed."
    assert second == "  gpt-4o-mini: 2 LM calls, 200 → 20 tokens, $0.0000420"
    assert empty == ""
    assert tree == telemetry.tree().splitlines()


def hosted(model_server: ModelServer, model: str = "text-embedding-3-small", **settings: Any) -> dspy.Embedder:
    given = {"api_base": model_server.url, "api_key": "test-key", "caching": False, **settings}
    return dspy.Embedder(f"openai/{model}", **given)


def test_embeddings_are_in_the_usage_and_in_its_bounds(model_server: ModelServer) -> None:
    with recorded_telemetry() as telemetry, usage_scope() as counted:
        hosted(model_server)(["one", "two words"])
        dspy.Embedder(lambda texts: [[1.0] for _ in texts], caching=False)(["three"])
    assert telemetry.usage.total() == counted.total()
    assert (telemetry.usage.embedding_calls, telemetry.usage.lm_calls, telemetry.chats) == (2, 0, [])
    tokens = telemetry.usage.embedding_tokens
    telemetry.assert_at_most(lm_calls=0, cost=0.01, tokens=tokens)
    with pytest.raises(AssertionError) as raised:
        telemetry.assert_at_most(tokens=tokens - 1)
    first, second, *_ = str(raised.value).splitlines()
    assert first == f"{tokens} tokens used, at most {tokens - 1} allowed."
    assert second.startswith(f"  text-embedding-3-small: {tokens} tokens embedded, $0.000000")
    with pytest.raises(AssertionError, match=r"^\$0\.000000\d+ spent, at most \$0\.00 allowed"):
        telemetry.assert_at_most(cost=0)


def test_the_usage_of_embeddings_is_what_usage_scope_counts(model_server: ModelServer) -> None:
    cached = hosted(model_server, caching=True)
    model_server.fail_when(lambda request: "broken" in str(request.body), Failure(401, "no such key"))
    with recorded_telemetry() as telemetry, usage_scope() as counted:
        cached(["one"])
        cached(["one"])
        hosted(model_server, "my-own", batch_size=1)(["one", "two"])
        with pytest.raises(Exception, match="no such key"):
            hosted(model_server)(["broken"])
        with pytest.raises(BudgetExceededError), usage_scope(max_calls=0):
            hosted(model_server)(["refused"])
    assert telemetry.usage.total() == counted.total()
    assert (counted.embedding_calls, counted.cost_unknown_calls) == (3, 1)
    with pytest.raises(AssertionError, match=r"^The price of 1 call \(my-own\) is not known"):
        telemetry.assert_at_most(cost=100)


def test_embeddings_that_have_not_ended_are_counted(model_server: ModelServer) -> None:
    asked, answer = threading.Event(), threading.Event()

    def slowly(request: object) -> str:
        asked.set()
        answer.wait(30)
        return ""

    model_server.reply = slowly
    with recorded_telemetry() as telemetry:
        thread = threading.Thread(target=hosted(model_server), args=(["one"],))
        thread.start()
        assert asked.wait(30)
        telemetry.assert_at_most(lm_calls=0)
        with pytest.raises(AssertionError, match="1 embedding call has not ended"):
            telemetry.assert_at_most(tokens=100)
        answer.set()
        thread.join()
        telemetry.assert_at_most(tokens=100)


def test_a_model_without_a_price_breaks_a_bound_of_cost(model_server: ModelServer) -> None:
    lm = dspy.LM("openai/my-own", api_base=model_server.url, api_key="test-key", cache=False)
    with recorded_telemetry() as telemetry:
        lm("Where?")
    assert telemetry.chats[0].cost is None
    telemetry.assert_at_most(lm_calls=1, tokens=1_000)
    with pytest.raises(AssertionError, match=r"^The price of 1 LM call \(my-own\) is not known"):
        telemetry.assert_at_most(cost=100)


def test_a_call_that_has_not_ended_is_counted(model_server: ModelServer, lm: dspy.LM) -> None:
    asked, answer = threading.Event(), threading.Event()

    def slowly(request: object) -> str:
        asked.set()
        answer.wait(30)
        return "There."

    model_server.reply = slowly
    with recorded_telemetry() as telemetry:
        thread = threading.Thread(target=lm, args=("Where?",))
        thread.start()
        assert asked.wait(30)
        with pytest.raises(AssertionError, match="1 LM call, at most 0 allowed"):
            telemetry.assert_at_most(lm_calls=0)
        with pytest.raises(AssertionError, match="1 LM call has not ended"):
            telemetry.assert_at_most(cost=1)
        answer.set()
        thread.join()
        telemetry.assert_at_most(lm_calls=1, cost=1)


def test_nothing_is_kept_of_a_call_that_ends_behind_the_block_but_its_span(
    model_server: ModelServer, lm: dspy.LM
) -> None:
    with recorded_telemetry() as telemetry:
        pass
    lm("Where?")
    assert isinstance(telemetry, RecordedTelemetry)
    assert telemetry.spans == []
    assert telemetry.tree() == ""


@pytest.mark.complaints
def test_a_dspy_that_cannot_be_instrumented_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DSPyInstrumentor, "instrumentation_dependencies", lambda self: ["dspy >= 99"])
    with pytest.raises(RuntimeError, match="DSPy cannot be instrumented"), recorded_telemetry():
        pass
