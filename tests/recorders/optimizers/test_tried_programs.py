"""The prompts that an optimizer's trials tried, and those of the program that it chose, as content."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import dspy
import pytest
from recorded import attributes_of
from runs import RUNS, TRAINSET, Run
from scripted_task import Sums, data, is_right, quiet, state_of, trials

from opentelemetry.instrumentation.dspy.config import Options
from opentelemetry.instrumentation.dspy.content import Content
from opentelemetry.instrumentation.dspy.optimization.program_texts import chosen_texts

if TYPE_CHECKING:
    from conftest import StartTelemetry
    from model_server import ModelServer
    from opentelemetry.sdk.trace import ReadableSpan
    from recorded import Recorded

INSTRUCTIONS, DEMOS = "dspy.optimizer.trial.instructions", "dspy.optimizer.trial.demos"
BEST_INSTRUCTIONS, BEST_DEMOS = "dspy.optimizer.best_instructions", "dspy.optimizer.best_demos"

every_optimizer = pytest.mark.parametrize(
    "run",
    [
        pytest.param(run, id=run.name, marks=() if run.is_available else pytest.mark.skip(run.needs))
        for run in RUNS
        if run.name != "Ensemble"
    ],
)


def words(text: str) -> str:
    """A text without the line breaks and indents that adapters put into it."""
    return " ".join(text.split())


def prompts_below(telemetry: Recorded, trial: ReadableSpan) -> list[list[Any]]:
    """The messages of the program's calls in the evaluation of a trial that came last."""
    children: dict[int, list[ReadableSpan]] = defaultdict(list)
    for span in telemetry.spans:
        if span.parent is not None:
            children[span.parent.span_id].append(span)
    evaluations = [span for span in children[trial.context.span_id] if span.name.startswith("evaluate ")]
    stack, found = [evaluations[-1] if evaluations else trial], []
    while stack:
        span = stack.pop()
        stack.extend(children[span.context.span_id])
        attributes = attributes_of(span)
        if attributes.get("dspy.optimizer.role") == "task":
            found.append(json.loads(attributes["gen_ai.input.messages"]))
    return found


@every_optimizer
def test_a_trial_tells_the_instructions_and_demonstrations_of_the_prompts_that_it_sent(
    run: Run,
    start_telemetry: StartTelemetry,
    lm: dspy.LM,
    model_server: ModelServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OTEL_INSTRUMENTATION_DSPY_OPTIMIZER_TRACES", "nested")
    telemetry = start_telemetry(capture="SPAN_ONLY")
    model_server.reply = run.model()
    with quiet():
        program = run.compile()
    spans = telemetry.named("optimize_trial")
    assert len(spans) >= len(run.trials)
    for span in spans:
        trial = attributes_of(span)
        if trial["dspy.optimizer.trial.kind"] == "bootstrap":
            continue
        instructions, demos = json.loads(trial[INSTRUCTIONS]), json.loads(trial.get(DEMOS, "{}"))
        assert set(instructions) == {"add"}
        prompts = prompts_below(telemetry, span)
        assert prompts != []
        for messages in prompts:
            assert words(instructions["add"]) in words(messages[0]["parts"][0]["content"])
            answers = [message for message in messages if message["role"] == "assistant"]
            assert len(answers) == len(demos.get("add", []))
    [root] = [span for span in telemetry.spans if span.parent is None and span.name.startswith("optimize ")]
    chosen = attributes_of(root)
    assert json.loads(chosen[BEST_INSTRUCTIONS]) == {"add": state_of(program)["add"][0]}
    wanted = {path: demos for path, (_, demos) in state_of(program).items() if demos}
    assert json.loads(chosen.get(BEST_DEMOS, "{}")) == wanted


def test_a_bootstrap_tells_the_instructions_of_its_teacher_and_the_demonstrations_that_it_found(
    start_telemetry: StartTelemetry, scripted_lm: dspy.LM
) -> None:
    telemetry = start_telemetry(capture="SPAN_ONLY")
    student, teacher = Sums(), Sums()
    student.add.signature = teacher.add.signature = teacher.add.signature.with_instructions("Add like a teacher.")
    optimizer = dspy.BootstrapFewShot(metric=is_right, max_bootstrapped_demos=2, max_labeled_demos=1)
    with quiet():
        optimizer.compile(student, teacher=teacher, trainset=TRAINSET)
    trial = telemetry.attributes("optimize_trial")
    assert json.loads(trial[INSTRUCTIONS]) == {"add": "Add like a teacher."}
    found = [dict(demo) for demo in optimizer.name2traces["add"]]
    assert len(found) == 2
    assert json.loads(trial[DEMOS]) == {"add": found}


def test_a_reflection_that_comes_to_no_evaluation_tells_what_was_proposed(
    start_telemetry: StartTelemetry, scripted_lm: dspy.LM
) -> None:
    pytest.importorskip("gepa.core.callbacks")

    proposed: list[bool] = []

    class Fragile(Sums):
        def deepcopy(self) -> dspy.Module:
            if proposed:
                raise KeyboardInterrupt
            return super().deepcopy()

    def propose(candidate: Any, reflective_dataset: Any, components_to_update: Any) -> dict[str, str]:
        proposed.append(True)
        return {"add": "Add well."}

    telemetry = start_telemetry(capture="SPAN_ONLY")
    optimizer = dspy.GEPA(
        metric=is_right,
        max_metric_calls=36,
        reflection_minibatch_size=3,
        reflection_lm=scripted_lm,
        instruction_proposer=propose,
    )
    with quiet(), pytest.raises(KeyboardInterrupt):
        optimizer.compile(Fragile(), trainset=data(8))
    last = attributes_of(telemetry.named("optimize_trial")[-1])
    assert last["dspy.optimizer.trial.components"] == ["add"]
    assert json.loads(last[INSTRUCTIONS]) == {"add": "Add well."}


@pytest.mark.parametrize("capture", ["", "EVENT_ONLY"])
def test_without_content_on_spans_none_of_it_is_told(
    start_telemetry: StartTelemetry, scripted_lm: dspy.LM, capture: str
) -> None:
    telemetry = start_telemetry(capture=capture)
    with quiet():
        RUNS[2].compile()
    everything = [attributes_of(span) for span in telemetry.spans]
    assert len([each for each in everything if "dspy.optimizer.trial" in each]) > 3
    for name in (INSTRUCTIONS, DEMOS, BEST_INSTRUCTIONS, BEST_DEMOS):
        assert [each for each in everything if name in each] == []


def test_what_was_tried_is_redacted(start_telemetry: StartTelemetry, scripted_lm: dspy.LM) -> None:
    telemetry = start_telemetry(capture="SPAN_ONLY", redact=lambda text, kind: f"[{kind}]")
    with quiet():
        RUNS[2].compile()
    run = telemetry.attributes("optimize BootstrapFewShotWithRandomSearch")
    assert json.loads(run[BEST_INSTRUCTIONS]) == {"add": "[system]"}
    demos = json.loads(run[BEST_DEMOS])["add"]
    assert {text for demo in demos for text in demo.values() if isinstance(text, str)} == {"[input]"}
    found = trials(telemetry, run["dspy.optimizer.run_id"])
    assert {trial[INSTRUCTIONS] for trial in found} == {'{"add":"[system]"}'}


def test_of_a_million_demonstrations_the_first_are_told() -> None:
    program = Sums()
    program.add.demos = data(1) * 1_000_000
    program.more = [*range(1_000_000)]
    attributes = chosen_texts(Content(Options(), captured=True), program)
    demos = json.loads(str(attributes[BEST_DEMOS]))["add"]
    assert demos == [{"question": "What is 0 plus 1?", "answer": "1"}] * 20 + ["… [999980 more items]"]


def test_demonstrations_that_can_be_read_once_are_left_to_the_program() -> None:
    program = Sums()
    program.add.demos = iter(data(1))
    assert BEST_DEMOS not in chosen_texts(Content(Options(), captured=True), program)
    assert len([*program.add.demos]) == 1
