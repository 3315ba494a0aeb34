"""What stands on the span of a run, and what is one run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dspy
import pytest
from recorded import attributes_of
from scripted_task import Sums, answer, data, is_right, quiet, totals

from opentelemetry.instrumentation.dspy import telemetry_context, usage_scope

if TYPE_CHECKING:
    from model_server import ModelServer
    from recorded import Recorded

TRAINSET = data(4)


@pytest.fixture
def scripted(lm: dspy.LM, model_server: ModelServer) -> ModelServer:
    model_server.reply = answer
    return model_server


def few(**settings: Any) -> dspy.BootstrapFewShot:
    return dspy.BootstrapFewShot(metric=is_right, max_bootstrapped_demos=1, max_labeled_demos=1, **settings)


def test_scalar_settings_and_sizes_are_on_the_span_and_counters_are_not(
    telemetry: Recorded, scripted: ModelServer
) -> None:
    with quiet():
        few(metric_threshold=0.5, max_errors=3).compile(Sums(), trainset=TRAINSET)
    found = telemetry.attributes("optimize BootstrapFewShot")
    assert found["dspy.optimizer.name"] == "BootstrapFewShot"
    assert found["dspy.optimizer.trainset_size"] == 4
    assert "dspy.optimizer.valset_size" not in found
    prefix = "dspy.optimizer.param."
    assert {name.removeprefix(prefix): value for name, value in found.items() if name.startswith(prefix)} == {
        "metric_threshold": 0.5,
        "max_bootstrapped_demos": 1,
        "max_labeled_demos": 1,
        "max_rounds": 1,
        "max_errors": 3,
    }


def test_no_text_that_may_be_a_key_is_recorded(telemetry: Recorded, scripted: ModelServer) -> None:
    optimizer = few()
    optimizer.wandb_api_key = "a-secret"
    optimizer.log_dir = "/home/somebody"
    with quiet():
        optimizer.compile(Sums(), trainset=TRAINSET)
    assert "optimize BootstrapFewShot" in telemetry.everything()
    assert "a-secret" not in telemetry.everything()
    assert "/home/somebody" not in telemetry.everything()


def test_an_optimizer_of_the_application_that_calls_super_is_one_run(
    telemetry: Recorded, scripted: ModelServer
) -> None:
    class Careful(dspy.BootstrapFewShot):
        def compile(self, student: dspy.Module, *, teacher: Any = None, trainset: list[dspy.Example]) -> dspy.Module:
            return super().compile(student, teacher=teacher, trainset=trainset)

    with quiet():
        Careful(metric=is_right, max_bootstrapped_demos=1, max_labeled_demos=0).compile(Sums(), trainset=TRAINSET)
    names = [span.name for span in telemetry.spans if span.name.startswith("optimize ")]
    assert names == ["optimize Careful"]
    [trial] = telemetry.named("optimize_trial")
    assert attributes_of(trial)["dspy.optimizer.trial.kind"] == "bootstrap"


def test_the_students_error_ends_the_run_and_passes_through(telemetry: Recorded, scripted: ModelServer) -> None:
    class Broken(Sums):
        def forward(self, question: str) -> dspy.Prediction:
            raise LookupError("broken")

    with quiet(), pytest.raises(LookupError, match="broken"):
        few(max_errors=1).compile(Broken(), trainset=TRAINSET)
    run = telemetry.span("optimize BootstrapFewShot")
    assert attributes_of(run)["error.type"] == "LookupError"
    assert attributes_of(telemetry.span("optimize_trial"))["error.type"] == "LookupError"
    assert attributes_of(telemetry.span("evaluate_example"))["error.type"] == "LookupError"


def test_an_example_whose_error_dspy_survives_has_no_score(telemetry: Recorded, scripted: ModelServer) -> None:
    class Picky(Sums):
        def forward(self, question: str) -> dspy.Prediction:
            if "What is 0" in question:
                raise LookupError("not this one")
            return super().forward(question)

    with quiet():
        few(max_errors=9).compile(Picky(), trainset=TRAINSET)
    first, *others = telemetry.named("evaluate_example")
    assert "dspy.evaluate.example.score" not in attributes_of(first)
    assert all("dspy.evaluate.example.score" in attributes_of(other) for other in others)
    assert "error.type" not in telemetry.attributes("optimize BootstrapFewShot")


def test_conversation_and_attributes_of_the_application_are_on_every_span(
    telemetry: Recorded, scripted: ModelServer
) -> None:
    optimizer = dspy.BootstrapFewShotWithRandomSearch(
        is_right, max_bootstrapped_demos=1, max_labeled_demos=1, num_candidate_programs=0, num_threads=2
    )
    with quiet(), telemetry_context(conversation_id="c-1", attributes={"user.id": "u-7"}):
        optimizer.compile(Sums(), trainset=TRAINSET)
    names = {span.name for span in telemetry.spans}
    assert {"optimize_trial", "evaluate is_right", "evaluate_example", "chat gpt-4o-mini"} <= names
    for span in telemetry.spans:
        found = attributes_of(span)
        assert (span.name, found["gen_ai.conversation.id"], found["user.id"]) == (span.name, "c-1", "u-7")


def test_a_usage_scope_around_a_run_counts_all_of_it(telemetry: Recorded, scripted: ModelServer) -> None:
    with quiet(), usage_scope() as usage:
        few().compile(Sums(), trainset=TRAINSET)
    answered = totals(scripted)
    assert (usage.lm_calls, usage.input_tokens, usage.output_tokens) == (
        answered.calls,
        answered.input_tokens,
        answered.output_tokens,
    )


def test_calls_outside_of_a_run_have_no_role(telemetry: Recorded, scripted: ModelServer) -> None:
    dspy.Evaluate(devset=TRAINSET, metric=is_right, num_threads=2)(Sums())
    calls = telemetry.named("chat gpt-4o-mini")
    assert len(calls) == 4
    assert all("dspy.optimizer.role" not in attributes_of(call) for call in calls)


def test_the_prompt_versions_before_and_after_differ(telemetry: Recorded, scripted: ModelServer) -> None:
    student = Sums()
    student(question="What is 1 plus 2?")
    [before] = [attributes_of(call)["gen_ai.prompt.version"] for call in telemetry.named("chat gpt-4o-mini")]
    with quiet():
        few().compile(student, trainset=TRAINSET)
    [chosen] = telemetry.attributes("optimize BootstrapFewShot")["dspy.optimizer.best_prompt_versions"]
    assert chosen.startswith("add=")
    assert chosen != f"add={before}"
