"""What is known when a call begins stands on its span from the start: samplers and span processors decide by it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dspy
import pytest
from dspy.utils import DummyLM
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_OFF,
    ALWAYS_ON,
    DEFAULT_OFF,
    Decision,
    ParentBased,
    Sampler,
    SamplingResult,
)
from opentelemetry.trace import get_current_span
from recorded import Recorded, SpanCollector, attributes_of, tree_of

from opentelemetry.instrumentation.dspy import DSPyInstrumentor, telemetry_context, tracers
from opentelemetry.instrumentation.dspy.programs import known_modules, running_modules
from opentelemetry.instrumentation.dspy.programs.places import Location

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from conftest import StartTelemetry
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import Span
    from opentelemetry.trace import Link, SpanKind, TraceState
    from opentelemetry.util.types import Attributes

RUN_ID = "dspy.optimizer.run_id"


class DecidingSampler(Sampler):
    """Samples what a condition on name and attributes holds for, and writes down what it was asked about."""

    def __init__(self, condition: Callable[[Mapping[str, Any]], bool] = lambda attributes: True) -> None:
        self.condition = condition
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        known = dict(attributes or {})
        self.asked.append((name, known))
        decision = Decision.RECORD_AND_SAMPLE if self.condition(known) else Decision.DROP
        return SamplingResult(decision, attributes)

    def get_description(self) -> str:
        return "deciding"

    def of(self, name: str) -> dict[str, Any]:
        """The attributes of the only span of this name."""
        [attributes] = [attributes for asked, attributes in self.asked if asked == name]
        return attributes


class Desk(dspy.Module):
    def __init__(self) -> None:
        super().__init__()
        self.answer = dspy.ChainOfThought("question -> answer")

    def forward(self, question: str) -> Any:
        return self.answer(question=question)


def exact(example: dspy.Example, prediction: dspy.Prediction, trace: Any = None) -> bool:
    return bool(example.answer == prediction.answer)


DEVSET = [dspy.Example(question=f"{number}?", answer="here").with_inputs("question") for number in range(2)]


def here() -> DummyLM:
    return DummyLM([{"reasoning": "so", "answer": "here"}] * 40)


def optimize() -> None:
    optimizer = dspy.BootstrapFewShotWithRandomSearch(exact, num_candidate_programs=1, num_threads=2)
    optimizer.compile(Desk(), trainset=DEVSET)


def test_a_sampler_sees_what_is_known_of_each_call(start_telemetry: StartTelemetry) -> None:
    sampler = DecidingSampler()
    telemetry = start_telemetry(sampler=sampler)
    with dspy.context(lm=here()), telemetry_context(conversation_id="c-42", attributes={"tenant": "acme"}):
        Desk()(question="Where?")
    around = {"gen_ai.conversation.id": "c-42", "tenant": "acme"}
    assert sampler.asked == [
        (
            "invoke_workflow Desk",
            {
                **around,
                "dspy.module.name": "Desk",
                "gen_ai.agent.name": "Desk",
                "gen_ai.operation.name": "invoke_workflow",
                "gen_ai.workflow.name": "Desk",
            },
        ),
        (
            "ChainOfThought answer",
            {
                **around,
                "dspy.module.name": "ChainOfThought",
                "dspy.module.path": "answer",
                "dspy.signature.fields": "question -> answer",
                "gen_ai.workflow.name": "Desk",
            },
        ),
        (
            "Predict answer",
            {
                **around,
                "dspy.module.name": "Predict",
                "dspy.module.path": "answer.predict",
                "dspy.signature.fields": "question -> reasoning, answer",
                "gen_ai.workflow.name": "Desk",
            },
        ),
        (
            "chat dummy",
            {
                **around,
                "gen_ai.operation.name": "chat",
                "gen_ai.provider.name": sampler.of("chat dummy")["gen_ai.provider.name"],
                "gen_ai.request.model": "dummy",
            },
        ),
    ]
    for span, (name, known) in zip(telemetry.spans, sampler.asked, strict=True):
        assert span.name == name
        assert known.items() <= attributes_of(span).items()


def sampled_trials(sampler: DecidingSampler, run_id: str) -> list[dict[str, Any]]:
    """The attributes of a run's trials, as a sampler was asked about them."""
    return [known for name, known in sampler.asked if name == "optimize_trial" and known[RUN_ID] == run_id]


def test_a_sampler_sees_the_run_the_trial_and_the_example(start_telemetry: StartTelemetry) -> None:
    sampler = DecidingSampler()
    start_telemetry(sampler=sampler)
    with dspy.context(lm=here()):
        optimize()
        dspy.Evaluate(devset=DEVSET[:1], metric=exact)(Desk())
    run = sampler.of("optimize BootstrapFewShotWithRandomSearch")
    assert run == {
        "dspy.optimizer.name": "BootstrapFewShotWithRandomSearch",
        "dspy.optimizer.planned_trials": len(sampled_trials(sampler, run[RUN_ID])),
        RUN_ID: run[RUN_ID],
    }
    trials = sampled_trials(sampler, run[RUN_ID])
    assert [trial["dspy.optimizer.trial"] for trial in trials] == [*range(len(trials))]
    assert len(trials) > 2
    inside, [*outside] = sampler.asked[:-6], sampler.asked[-6:]
    # All that the run is made of knows so, also the runs inside it and what is in traces of its own.
    assert all(RUN_ID in attributes for _, attributes in inside)
    assert all("dspy.optimizer.trial" in attributes for name, attributes in inside if not name.startswith("optimize "))
    assert outside[0] == (
        "evaluate exact",
        {
            "dspy.evaluate.examples": 1,
            "dspy.evaluate.metric": "exact",
            "dspy.module.name": "Desk",
            "gen_ai.evaluation.name": "exact",
        },
    )
    assert outside[1] == ("evaluate_example", {"dspy.example.index": 0, "gen_ai.evaluation.name": "exact"})
    assert not any(RUN_ID in attributes for _, attributes in outside)


@pytest.mark.parametrize("wrapped", [lambda sampler: sampler, ParentBased], ids=["each span", "each root"])
def test_a_sampler_can_drop_optimizers_and_nothing_else(
    start_telemetry: StartTelemetry, wrapped: Callable[[Sampler], Sampler]
) -> None:
    telemetry = start_telemetry(sampler=wrapped(DecidingSampler(lambda known: RUN_ID not in known)))
    with dspy.context(lm=here()):
        optimize()
        assert telemetry.spans == []
        Desk()(question="Where?")
    assert telemetry.tree() == ("invoke_workflow Desk\n  ChainOfThought answer\n    Predict answer\n      chat dummy")


class MarkingSampler(DecidingSampler):
    """Answers with an attribute of its own alone, as samplers may."""

    def should_sample(self, *values: Any, **options: Any) -> SamplingResult:
        return SamplingResult(super().should_sample(*values, **options).decision, {"sampler": "mine"})


@pytest.mark.parametrize("wrapped", [lambda sampler: sampler, ParentBased], ids=["each span", "each root"])
def test_a_sampler_that_hands_no_attributes_on_takes_none_away(
    start_telemetry: StartTelemetry, wrapped: Callable[[Sampler], Sampler]
) -> None:
    telemetry = start_telemetry(sampler=wrapped(MarkingSampler()))
    with dspy.context(lm=here()), telemetry_context(conversation_id="c-42", attributes={"tenant": "acme"}):
        Desk()(question="Where?")
    root = telemetry.attributes("invoke_workflow Desk")
    assert root["sampler"] == "mine"
    assert root["dspy.module.name"] == "Desk"
    for span in telemetry.spans:
        assert attributes_of(span)["tenant"] == "acme"
        assert attributes_of(span)["gen_ai.conversation.id"] == "c-42"


class ScrubbingSampler(DecidingSampler):
    """Keeps something to itself, as samplers may."""

    def should_sample(self, *values: Any, **options: Any) -> SamplingResult:
        result = super().should_sample(*values, **options)
        kept = {name: value for name, value in (result.attributes or {}).items() if name != "user.email"}
        return SamplingResult(result.decision, kept)


@pytest.mark.parametrize("names", [["user.email", "tenant"], ["tenant", "user.email"]], ids=["first", "last"])
def test_what_a_sampler_takes_away_stays_away(start_telemetry: StartTelemetry, names: list[str]) -> None:
    telemetry = start_telemetry(sampler=ScrubbingSampler(), capture="SPAN_AND_EVENT")
    with dspy.context(lm=here()), telemetry_context(attributes=dict.fromkeys(names, "value")):
        Desk()(question="Where?")
    assert len(telemetry.spans) == 4
    for span in telemetry.spans:
        assert attributes_of(span)["tenant"] == "value"
        assert "user.email" not in attributes_of(span)
    told = [dict(log.log_record.attributes or {}) for log in telemetry.logs]
    assert any(attributes.get("tenant") == "value" for attributes in told)
    assert not any("user.email" in attributes for attributes in told)


class OneTenant(SpanProcessor):
    """Keeps the spans of one tenant, by what it sees when they start."""

    def __init__(self, tenant: str) -> None:
        self.tenant = tenant
        self.kept = SpanCollector()

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        if (span.attributes or {}).get("tenant") == self.tenant:
            self.kept.on_start(span, parent_context)


def test_a_processor_keeps_one_tenant(start_telemetry: StartTelemetry) -> None:
    telemetry = start_telemetry()
    processor = OneTenant("acme")
    telemetry.tracer_provider.add_span_processor(processor)
    with dspy.context(lm=here()):
        for tenant in ("acme", "other"):
            with telemetry_context(attributes={"tenant": tenant}):
                dspy.Evaluate(devset=DEVSET[:1], metric=exact)(Desk())
    assert len(telemetry.spans) == 12
    assert tree_of(processor.kept.ended) == (
        "evaluate exact\n"
        "  evaluate_example\n"
        "    invoke_workflow Desk\n"
        "      ChainOfThought answer\n"
        "        Predict answer\n"
        "          chat dummy"
    )


@pytest.fixture
def worked_out(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was worked out for the start of spans: ``known`` for each span, ``module`` for each module's."""
    done: list[str] = []

    def noting(name: str, work: Any) -> Any:
        def note(*values: Any) -> Any:
            done.append(name)
            return work(*values)

        return note

    from opentelemetry.instrumentation.dspy.recorders import module

    monkeypatch.setattr(tracers, "_at_start", noting("known", tracers._at_start))
    monkeypatch.setattr(module, "attributes_of_module", noting("module", known_modules.attributes_of_module))
    return done


def test_below_a_span_that_is_not_sampled_nothing_is_worked_out(
    start_telemetry: StartTelemetry, worked_out: list[str]
) -> None:
    sampler = DecidingSampler(lambda known: False)
    telemetry = start_telemetry(sampler=ParentBased(sampler))
    with dspy.context(lm=here()), telemetry_context(conversation_id="c-42"):
        Desk()(question="Where?")
        Desk()(question="Where?")
    assert telemetry.spans == []
    # The two roots, which the sampler is asked about.
    assert [name for name, _ in sampler.asked] == ["invoke_workflow Desk"] * 2
    assert worked_out == ["known", "module"] * 2


@pytest.mark.parametrize("sampler", [ALWAYS_OFF, DEFAULT_OFF, ParentBased(ALWAYS_OFF)])
def test_where_a_sampler_of_the_sdk_drops_everything_metrics_are_told_the_prompt_and_no_more_is_worked_out(
    start_telemetry: StartTelemetry, worked_out: list[str], monkeypatch: pytest.MonkeyPatch, sampler: Sampler
) -> None:
    monkeypatch.setattr(running_modules, "locate", place_of(worked_out))
    telemetry = start_telemetry(sampler=sampler)
    guess()
    assert telemetry.spans == []
    assert worked_out == ["place"] * 2  # of the predictors, whose prompts the points of their calls name


def test_without_a_provider_of_metrics_not_even_that_is_worked_out(
    worked_out: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running_modules, "locate", place_of(worked_out))
    DSPyInstrumentor().instrument(tracer_provider=TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False))
    try:
        guess()
    finally:
        DSPyInstrumentor().uninstrument()
    assert worked_out == []


def place_of(worked_out: list[str]) -> Callable[..., Location]:
    def locate(module: Any, caller: Any) -> Location:
        worked_out.append("place")
        return Location()

    return locate


def guess() -> None:
    class Guesses(Desk):
        def forward(self, question: str) -> Any:
            dspy.Predict("question -> answer")(question=question)
            return self.answer(question=question)

    with dspy.context(lm=here()):
        Guesses()(question="Where?")


def is_predictor(known: Mapping[str, Any]) -> bool:
    return known.get("dspy.module.name") == "Predict"


class Subclass(ParentBased):
    """The application's own, which may do anything."""

    def should_sample(self, *values: Any, **options: Any) -> SamplingResult:
        return DecidingSampler(is_predictor).should_sample(*values, **options)


@pytest.mark.parametrize(
    "sampler",
    [
        DecidingSampler(is_predictor),
        ParentBased(ALWAYS_OFF, local_parent_not_sampled=DecidingSampler(is_predictor)),
        ParentBased(ALWAYS_OFF, local_parent_not_sampled=ParentBased(ALWAYS_ON, local_parent_not_sampled=ALWAYS_ON)),
        Subclass(ALWAYS_OFF),
    ],
    ids=["own", "delegate", "delegate of a delegate", "subclass"],
)
def test_what_a_sampler_may_keep_below_what_it_drops_starts_with_what_is_known(
    start_telemetry: StartTelemetry, sampler: Sampler
) -> None:
    telemetry = start_telemetry(sampler=sampler)
    started = StartedWith()
    telemetry.tracer_provider.add_span_processor(started)
    with dspy.context(lm=here()):
        Desk()(question="Where?")
    name, attributes = next((name, attributes) for name, attributes in started.spans if name.startswith("Predict"))
    assert name == "Predict answer"
    assert attributes["dspy.module.path"] == "answer.predict"
    assert attributes["gen_ai.workflow.name"] == "Desk"


class StartedWith(SpanProcessor):
    """Writes down what the spans that record start with."""

    def __init__(self) -> None:
        self.spans: list[tuple[str, dict[str, Any]]] = []

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        self.spans.append((span.name, dict(span.attributes or {})))


def test_where_nobody_listens_nothing_is_worked_out(worked_out: list[str]) -> None:
    DSPyInstrumentor().instrument()
    try:
        with dspy.context(lm=here()):
            Desk()(question="Where?")
    finally:
        DSPyInstrumentor().uninstrument()
    assert worked_out == []


def test_each_span_that_is_sampled_is_worked_out_once(telemetry: Recorded, worked_out: list[str]) -> None:
    with dspy.context(lm=here()):
        Desk()(question="Where?")
    assert len(telemetry.spans) == 4
    assert worked_out == ["known", "module", "known", "module", "known", "module", "known"]


def test_what_is_sampled_below_a_span_that_is_not_has_its_attributes(start_telemetry: StartTelemetry) -> None:
    telemetry = start_telemetry(sampler=ParentBased(ALWAYS_OFF, local_parent_not_sampled=ALWAYS_ON))
    with dspy.context(lm=here()):
        Desk()(question="Where?")
    attributes = telemetry.attributes("ChainOfThought answer")
    assert attributes["dspy.module.path"] == "answer"
    assert attributes["gen_ai.workflow.name"] == "Desk"


def test_a_provider_that_the_application_sets_later_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("opentelemetry.trace._TRACER_PROVIDER", None)
    DSPyInstrumentor().instrument()
    try:
        with dspy.context(lm=here()):
            Desk()(question="Where?")
            sampler = DecidingSampler()
            provider = TracerProvider(sampler=sampler, shutdown_on_exit=False)
            collector = SpanCollector()
            provider.add_span_processor(collector)
            monkeypatch.setattr("opentelemetry.trace._TRACER_PROVIDER", provider)
            Desk()(question="Where?")
    finally:
        DSPyInstrumentor().uninstrument()
    assert [span.name for span in collector.ended] == [name for name, _ in sampler.asked]
    assert sampler.of("ChainOfThought answer")["dspy.module.path"] == "answer"


@pytest.mark.complaints
def test_what_cannot_be_known_takes_no_span_away(
    telemetry: Recorded, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(module: Any) -> str:
        raise RuntimeError(f"a question: {module}")

    monkeypatch.setattr(known_modules, "prompt_name", fail)
    with dspy.context(lm=here()):
        dspy.Predict("question -> answer")(question="Where?")
        dspy.Predict("question -> answer")(question="Where?")
    assert [span.name for span in telemetry.spans] == ["Predict question -> answer", "chat dummy"] * 2
    [record] = [record for record in caplog.records if record.name.startswith("opentelemetry")]
    assert record.getMessage().startswith("ModuleRecorder failed;")


def test_the_spans_of_the_library_are_those_of_the_provider(telemetry: Recorded) -> None:
    seen: list[Any] = []

    class Looking(dspy.Module):
        def forward(self, question: str) -> Any:
            seen.append(get_current_span())
            return dspy.Prediction(answer=question)

    Looking()(question="Where?")
    assert seen == telemetry.spans
