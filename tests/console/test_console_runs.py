"""What the dspy_console exporter shows of an optimizer run while it goes."""

from __future__ import annotations

import io

from console_spans import Recorded, chat, span, tracer_for
from opentelemetry.trace import set_span_in_context

from opentelemetry.instrumentation.dspy.console import DSPyConsoleSpanExporter

RUN = {"dspy__optimizer__name": "MIPROv2", "dspy__optimizer__run_id": "3f"}


def trial(number: int, kind: str, score: float, best: float, cost: float, *, accepted: bool | None = None) -> Recorded:
    """A trial as the instrumentation makes it, of ten calls for a cent each."""
    attributes = {
        "dspy__optimizer__trial": number,
        "dspy__optimizer__trial__kind": kind,
        "dspy__optimizer__trial__score": score,
        "dspy__optimizer__best_score": best,
        "dspy__optimizer__cost": cost,
        "dspy__usage__lm_calls": 10,
        "dspy__usage__input_tokens": 1_000,
        "dspy__usage__output_tokens": 50,
        "dspy__usage__cost": 0.1,
        **RUN,
    }
    if accepted is not None:
        attributes["dspy__optimizer__trial__accepted"] = accepted
    return span("optimize_trial", milliseconds=2_000, **attributes)


def example(index: int) -> Recorded:
    """The trace of an example of the run."""
    return span("evaluate_example", chat(5, (100, 5), 0.01), dspy__example__index=index, **RUN)


def shown(*recorded: Recorded) -> list[str]:
    """Return what is printed for traces that end one after the other."""
    out = io.StringIO()
    tracer = tracer_for(DSPyConsoleSpanExporter(out=out))
    for each in recorded:
        each.record(tracer)
    return out.getvalue().splitlines()


def test_each_trial_takes_a_line_with_score_best_and_cost_so_far() -> None:
    run = span("optimize MIPROv2", trial(0, "full", 60.0, 60.0, 0.1, accepted=True), **RUN)
    assert shown(run)[0] == (
        "MIPROv2 trial 0 full · score 60 · best 60 · accepted · 10 LM calls · 1,000 → 50 tokens · $0.100 · "
        "$0.100 so far · 2.00 s"
    )


def test_a_trial_tells_what_the_whole_run_will_have_cost_where_its_length_is_known() -> None:
    planned = trial(1, "full", 60.0, 60.0, 0.2)
    planned.attributes["dspy.optimizer.planned_trials"] = 8
    counted = trial(5, "reflection", 60.0, 60.0, 0.3)
    counted.attributes.update({"dspy.optimizer.metric_calls": 30, "dspy.optimizer.metric_calls_remaining": 60})
    lines = shown(span("optimize MIPROv2", planned, counted, **RUN))
    assert " · $0.200 so far · about $0.800 in all · " in lines[0]
    assert " · $0.300 so far · about $0.900 in all · " in lines[1]


def test_a_trial_is_shown_before_the_run_has_ended() -> None:
    out = io.StringIO()
    tracer = tracer_for(DSPyConsoleSpanExporter(out=out))
    run = tracer.start_span("optimize MIPROv2")

    trial(0, "full", 60.0, 60.0, 0.1, accepted=True).record(tracer, set_span_in_context(run))
    before = out.getvalue().splitlines()
    trial(1, "minibatch", 64.0, 60.0, 0.2).record(tracer, set_span_in_context(run))
    after = out.getvalue().splitlines()
    run.end()
    assert [line.partition(" · ")[0] for line in before] == ["MIPROv2 trial 0 full"]
    assert [line.partition(" · ")[0] for line in after] == ["MIPROv2 trial 0 full", "MIPROv2 trial 1 minibatch"]
    assert "$0.200 so far" in after[1]


def test_a_failed_trial_tells_its_error() -> None:
    failed = span(
        "optimize_trial",
        error=("LookupError", "no data"),
        dspy__optimizer__trial=3,
        dspy__optimizer__trial__kind="reflection",
        **RUN,
    )
    line = shown(span("optimize MIPROv2", failed, error=("LookupError", "no data"), **RUN))[0]
    assert line == "MIPROv2 trial 3 reflection · 1 error · 0 µs · ✗ LookupError: no data"


def test_the_traces_of_a_runs_examples_are_not_printed() -> None:
    assert shown(example(0), example(1)) == []


def test_an_example_outside_of_a_run_is_printed() -> None:
    lines = shown(span("evaluate_example", chat(5, (100, 5), 0.01), dspy__example__index=0))
    assert lines[0].startswith("evaluate_example")
