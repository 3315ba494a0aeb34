"""Where the examples of an optimizer run go: ``OTEL_INSTRUMENTATION_DSPY_OPTIMIZER_TRACES``."""

from __future__ import annotations

import contextlib
import logging
from typing import TYPE_CHECKING, Any

import dspy
import pytest
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from recorded import attributes_of, tree_of
from runs import RUNS, of_this_version
from scripted_task import Sums, answer, data, is_right, judged, outline, quiet, rolled_up, totals, trials

from opentelemetry.instrumentation.dspy import DSPyInstrumentor
from opentelemetry.instrumentation.dspy.config import Options
from opentelemetry.instrumentation.dspy.optimization.optimizer_runs import OptimizerRun

if TYPE_CHECKING:
    from conftest import StartTelemetry
    from model_server import ModelServer
    from opentelemetry.sdk.trace import ReadableSpan
    from recorded import Recorded

TRACES = "OTEL_INSTRUMENTATION_DSPY_OPTIMIZER_TRACES"

TRAINSET, VALSET = data(4), data(5, start=20)


@pytest.fixture
def scripted(lm: dspy.LM, model_server: ModelServer) -> ModelServer:
    model_server.reply = answer
    return model_server


@pytest.fixture
def linked(start_telemetry: StartTelemetry, monkeypatch: pytest.MonkeyPatch) -> Recorded:
    monkeypatch.setenv(TRACES, "linked")
    return start_telemetry()


def search(metric: Any = is_right, valset: list[dspy.Example] = VALSET) -> dspy.Module:
    """Two candidates: the program as it is, and one with bootstrapped demonstrations."""
    optimizer = dspy.BootstrapFewShotWithRandomSearch(
        metric, max_bootstrapped_demos=1, max_labeled_demos=1, num_candidate_programs=0, num_threads=2
    )
    with quiet():
        return optimizer.compile(Sums(), trainset=TRAINSET, valset=valset, restrict=[-3, -1])


def run_of(telemetry: Recorded) -> ReadableSpan:
    return telemetry.span("optimize BootstrapFewShotWithRandomSearch")


def test_each_linked_example_is_a_trace_of_its_own(linked: Recorded, scripted: ModelServer) -> None:
    search(judged)
    roots = linked.named("evaluate_example")
    # Five examples for each candidate, and one that was bootstrapped from.
    assert len({root.context.trace_id for root in roots}) == 11
    assert [root.parent for root in roots] == [None] * 11
    example = [span for span in linked.spans if span.context.trace_id == roots[0].context.trace_id]
    assert tree_of(example) == (
        "evaluate_example\n"
        "  invoke_workflow Sums\n"
        "    Predict add\n"
        "      chat gpt-4o-mini\n"
        "  Predict claim -> verdict\n"
        "    chat gpt-4o-mini"
    )


def test_trial_and_example_are_linked_both_ways_and_share_run_and_trial(
    linked: Recorded, scripted: ModelServer
) -> None:
    search()
    examples = {span.context.span_id: span for span in linked.named("evaluate_example")}
    reached = []
    for trial in linked.named("optimize_trial"):
        for link in trial.links:
            example = examples[link.context.span_id]
            [back] = example.links
            assert back.context == trial.context
            for name in ("dspy.optimizer.run_id", "dspy.optimizer.trial"):
                assert attributes_of(example)[name] == attributes_of(trial)[name] == back.attributes[name]
            reached.append(example.context.span_id)
    assert sorted(reached) == sorted(examples)


def test_roll_ups_go_on_across_traces(linked: Recorded, scripted: ModelServer) -> None:
    search(judged)
    answered = totals(scripted)
    assert rolled_up(attributes_of(run_of(linked))) == answered
    examples = [rolled_up(attributes_of(span)) for span in linked.named("evaluate_example")]
    assert sum(example.calls for example in examples) == answered.calls
    assert sum(example.input_tokens for example in examples) == answered.input_tokens
    inside = [rolled_up(attributes_of(span)).calls for span in linked.named("optimize_trial")]
    assert sum(inside) == answered.calls


@of_this_version
def test_nested_examples_are_in_the_trace_of_the_run(
    start_telemetry: StartTelemetry, monkeypatch: pytest.MonkeyPatch, scripted: ModelServer
) -> None:
    monkeypatch.setenv(TRACES, "nested")
    telemetry = start_telemetry()
    search()
    example = (
        "\n      evaluate_example\n        invoke_workflow Sums\n          Predict add\n            chat gpt-4o-mini"
    )
    evaluated = f"\n  optimize_trial full\n    evaluate is_right{example.replace('example', 'example x5', 1)}"
    assert outline(telemetry) == (
        "optimize BootstrapFewShotWithRandomSearch"
        + evaluated
        + "\n  optimize BootstrapFewShot\n    optimize LabeledFewShot\n    optimize_trial bootstrap"
        + example
        + evaluated
    )
    assert all(not span.links for span in telemetry.spans)


def examples_of(telemetry: Recorded) -> dict[str, list[bool]]:
    """For each trial, in their order, whether each of its examples is in the trace of the run."""
    spans = {span.context.span_id: span for span in telemetry.spans}
    [run] = [span for span in telemetry.spans if span.parent is None and span.name.startswith("optimize ")]
    found: dict[str, list[bool]] = {}
    for example in telemetry.named("evaluate_example"):
        attributes = attributes_of(example)
        trial = f"{attributes['dspy.optimizer.run_id']} {attributes['dspy.optimizer.trial']}"
        is_nested = example.context.trace_id == run.context.trace_id
        assert is_nested == (example.parent is not None) == (not example.links)
        assert example.parent is None or example.parent.span_id in spans
        found.setdefault(trial, []).append(is_nested)
    return found


def test_by_default_a_small_run_is_one_trace(telemetry: Recorded, scripted: ModelServer) -> None:
    search(judged)
    assert len({span.context.trace_id for span in telemetry.spans}) == 1
    assert list(examples_of(telemetry).values()) == [[True] * 5, [True], [True] * 5]
    assert all(not span.links for span in telemetry.spans)


def test_by_default_the_first_trials_of_a_large_run_are_in_its_trace_and_the_others_linked(
    telemetry: Recorded, scripted: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    search(valset=data(120, start=100))
    # 120 for the first candidate, one that was bootstrapped from, and no room for 120 more.
    assert list(examples_of(telemetry).values()) == [[True] * 120, [True], [False] * 120]
    assert len([span for span in telemetry.spans if span.parent is None]) == 1 + 120
    assert rolled_up(attributes_of(run_of(telemetry))) == totals(scripted)


def test_once_a_trial_had_no_room_no_later_one_is_in_the_trace(telemetry: Recorded, scripted: ModelServer) -> None:
    search(valset=data(201, start=100))
    assert list(examples_of(telemetry).values()) == [[False] * 201, [False], [False] * 201]


def test_bootstrapping_fills_the_room_that_is_left_one_by_one(telemetry: Recorded, scripted: ModelServer) -> None:
    def never(example: dspy.Example, prediction: dspy.Prediction, trace: Any = None) -> bool:
        return False

    with quiet():
        dspy.BootstrapFewShot(metric=never).compile(Sums(), trainset=data(203))
    assert list(examples_of(telemetry).values()) == [[True] * 200 + [False] * 3]


@pytest.mark.parametrize("name", ["MIPROv2-minibatch", "SIMBA", "GEPA", "COPRO", "ReAnchor"])
def test_what_fits_into_the_trace_comes_first_and_no_trial_is_torn_apart(
    telemetry: Recorded, lm: dspy.LM, model_server: ModelServer, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    [run] = [run for run in RUNS if run.name == name]
    if not run.is_available:
        pytest.skip(run.needs)
    monkeypatch.setattr(OptimizerRun, "nests", only_the_first(20))
    model_server.reply = run.model()
    with quiet():
        run.compile()
    trials_of_run = list(examples_of(telemetry).values())
    in_order = [is_nested for trial in trials_of_run for is_nested in trial]
    assert in_order == sorted(in_order, reverse=True)
    assert 0 < sum(in_order) <= 20
    assert sum(in_order) < len(in_order)
    # An iteration of GEPA is several evaluations, and nobody knows at the first whether there will be more.
    assert name == "GEPA" or all(len(set(trial)) == 1 for trial in trials_of_run)


def only_the_first(most: int) -> Any:
    """The room of a run, smaller than it is, so that small runs do not fit in."""
    nests = OptimizerRun.nests

    def with_less_room(run: OptimizerRun, examples: int) -> bool:
        outermost = run
        while outermost.parent is not None:
            outermost = outermost.parent
        outermost._nested_left = min(outermost._nested_left, most)
        return nests(run, examples)

    return with_less_room


def test_none_leaves_roll_ups_and_metrics_alone(
    start_telemetry: StartTelemetry, monkeypatch: pytest.MonkeyPatch, scripted: ModelServer
) -> None:
    monkeypatch.setenv(TRACES, "none")
    telemetry = start_telemetry()
    search(judged)
    assert telemetry.named("evaluate_example") == telemetry.named("chat gpt-4o-mini") == []
    run = attributes_of(run_of(telemetry))
    assert rolled_up(run) == totals(scripted)
    assert (run["dspy.usage.task.lm_calls"], run["dspy.usage.judge.lm_calls"]) == (11, 11)
    assert sum(point.count for point in telemetry.metric_points("dspy.evaluate.example.score")) == 11
    assert sum(point.count for point in telemetry.metric_points("gen_ai.client.operation.duration")) == 22
    assert [log for log in telemetry.logs if log.log_record.event_name == "gen_ai.evaluation.result"] == []


def test_none_leaves_out_what_broke_in_an_example_as_well(
    start_telemetry: StartTelemetry, monkeypatch: pytest.MonkeyPatch, scripted: ModelServer
) -> None:
    def fail() -> None:
        raise ValueError

    def asking(*_: Any) -> bool:
        with contextlib.suppress(ValueError):
            dspy.Tool(fail)()
        return True

    logged = []
    for traces in ("none", "linked"):
        monkeypatch.setenv(TRACES, traces)
        telemetry = start_telemetry()
        search(asking)
        DSPyInstrumentor().uninstrument()
        events = [record.log_record.event_name for record in telemetry.logs]
        logged.append(events.count("gen_ai.execute_tool.exception"))
    assert logged == [0, 11]


def test_totals_and_best_score_are_counted_where_nothing_is_sampled(
    start_telemetry: StartTelemetry, scripted: ModelServer
) -> None:
    telemetry = start_telemetry(sampler=ALWAYS_OFF)
    program = search()
    assert telemetry.spans == []
    best = {p.attributes["dspy.optimizer.name"]: p.value for p in telemetry.metric_points("dspy.optimizer.best_score")}
    assert best == {"BootstrapFewShotWithRandomSearch": program.candidate_programs[0]["score"]}


def test_a_large_evaluation_keeps_every_example_in_reach(linked: Recorded, scripted: ModelServer) -> None:
    valset = data(200, start=100)
    search(valset=valset)
    [trial, *_] = [
        span
        for span in linked.named("optimize_trial")
        if attributes_of(span)["dspy.optimizer.trial"] == 0
        and attributes_of(span)["dspy.optimizer.name"] == "BootstrapFewShotWithRandomSearch"
    ]
    [evaluation] = [span for span in linked.named("evaluate is_right") if span.parent.span_id == trial.context.span_id]
    # The SDK keeps 128 links of a span, so the evaluation has the rest.
    reached = {link.context.span_id for link in [*trial.links, *evaluation.links]}
    assert (len(trial.links), len(evaluation.links)) == (128, 72)
    examples = [
        span for span in linked.named("evaluate_example") if span.links[0].context.span_id == trial.context.span_id
    ]
    assert {span.context.span_id for span in examples} == reached


@of_this_version
def test_trials_are_exported_as_they_end(telemetry: Recorded, scripted: ModelServer) -> None:
    ended: list[int] = []

    def watching(example: dspy.Example, prediction: dspy.Prediction, trace: Any = None) -> float:
        ended.append(len(telemetry.named("optimize_trial")))
        assert telemetry.named("optimize BootstrapFewShotWithRandomSearch") == []
        return is_right(example, prediction)

    search(watching)
    # While the first candidate was evaluated no trial had ended, while the last one was, two had.
    assert ended == [0] * 5 + [1] + [2] * 5


def test_what_a_program_compiles_while_it_answers_stays_in_its_trace(
    telemetry: Recorded, scripted: ModelServer
) -> None:
    import numpy

    vectorizer = dspy.Embedder(lambda texts: numpy.array([[float(len(text)), 1.0] for text in texts]))
    with quiet():
        program = dspy.KNNFewShot(
            k=1, trainset=TRAINSET, vectorizer=vectorizer, metric=is_right, max_bootstrapped_demos=1
        ).compile(Sums())
        telemetry.clear()
        program(question="What is 7 plus 8?")
    assert len({span.context.trace_id for span in telemetry.spans}) == 1
    [example] = telemetry.named("evaluate_example")
    assert example.parent is not None


@pytest.mark.complaints
def test_a_value_that_is_not_known_is_explained_and_the_default_used(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        options = Options.read(environment={TRACES: "link"})
    assert options.optimizer_traces == "auto"
    assert [record.getMessage() for record in caplog.records] == [
        "OTEL_INSTRUMENTATION_DSPY_OPTIMIZER_TRACES='link' is not valid: it takes one of auto, linked, nested, none. "
        "The default, auto, is used."
    ]


@pytest.mark.parametrize("value", ["auto", "linked", "nested", "none", "NESTED", ""])
def test_valid_values_are_read(value: str) -> None:
    assert Options.read(environment={TRACES: value}).optimizer_traces == (value.lower() or "auto")


def test_a_run_can_be_tied_to_its_trials_by_its_id(telemetry: Recorded, scripted: ModelServer) -> None:
    search()
    run_id = attributes_of(run_of(telemetry))["dspy.optimizer.run_id"]
    assert len(trials(telemetry, run_id)) == 2
    search()
    first, second = telemetry.named("optimize BootstrapFewShotWithRandomSearch")
    assert attributes_of(first)["dspy.optimizer.run_id"] != attributes_of(second)["dspy.optimizer.run_id"]
