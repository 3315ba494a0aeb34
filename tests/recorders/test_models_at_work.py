"""Which language models and signatures stand on the spans of evaluations and optimizer runs."""

from __future__ import annotations

import contextlib
import inspect
from typing import TYPE_CHECKING, Any

import dspy
import pytest
from odd_values import Nameless as Nobody
from odd_values import Odd, Refusing, Untouchable

from opentelemetry.instrumentation.dspy.optimization.models_at_work import optimizer_models

if TYPE_CHECKING:
    from collections.abc import Callable

    from model_server import ModelServer
    from recorded import Recorded

TRAINSET = [
    dspy.Example(question=f"{number} + 1?", answer=str(number + 1)).with_inputs("question") for number in range(4)
]

FIELDS, NAME, SIGNATURES = "dspy.signature.fields", "dspy.signature.name", "dspy.program.signatures"
TASK, PROMPT, REFLECTION, TEACHER = "dspy.lm.task", "dspy.lm.prompt", "dspy.lm.reflection", "dspy.lm.teacher"


class Answer(dspy.Signature):
    """Answer the question."""

    question: str = dspy.InputField()
    answer: str = dspy.OutputField()


class Steps(dspy.Module):
    """Two predictors, one of them in a chain of thought."""

    def __init__(self) -> None:
        super().__init__()
        self.plan = dspy.Predict("question -> plan")
        self.answers = [dspy.ChainOfThought("question, plan -> answer: int")]

    def forward(self, question: str) -> dspy.Prediction:
        return self.answers[0](question=question, plan=self.plan(question=question).plan)


class OneStep(dspy.Module):
    def __init__(self) -> None:
        super().__init__()
        self.answer = dspy.ChainOfThought(Answer)

    def forward(self, question: str) -> dspy.Prediction:
        return self.answer(question=question)


class Nameless(dspy.BaseLM):  # type: ignore[misc]
    """A language model whose ``model`` is no text."""

    def __init__(self) -> None:
        super().__init__(model="")
        self.model = object()


def models(server: ModelServer, *names: str) -> list[dspy.LM]:
    return [dspy.LM(name, api_base=server.url, api_key="sk-test-1234567890", cache=False) for name in names]


def is_right(example: dspy.Example, prediction: Any, trace: Any = None, *_: Any) -> float:
    return float(getattr(prediction, "answer", None) == example.answer)


def evaluated(telemetry: Recorded, program: Any) -> dict[str, Any]:
    dspy.Evaluate(devset=TRAINSET[:1], metric=is_right, num_threads=1, max_errors=10)(program)
    found = telemetry.attributes("evaluate is_right")
    return {name: found[name] for name in (FIELDS, NAME, SIGNATURES, TASK) if name in found}


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: dspy.Predict("question -> answer"), {FIELDS: "question -> answer"}),
        (lambda: dspy.Predict(Answer), {FIELDS: "question -> answer", NAME: "Answer"}),
        (lambda: dspy.ChainOfThought(Answer), {FIELDS: "question -> answer", NAME: "Answer"}),
        (lambda: dspy.ReAct(Answer, tools=[]), {FIELDS: "question -> answer", NAME: "Answer"}),
        (OneStep, {FIELDS: "question -> answer", NAME: "Answer"}),
        (
            Steps,
            {
                SIGNATURES: [
                    "plan=question -> plan",
                    "answers[0].predict=question, plan -> reasoning, answer: int",
                ]
            },
        ),
    ],
    ids=["predictor", "named", "chain of thought", "agent", "one step", "several steps"],
)
def test_an_evaluation_names_the_signature_or_signatures_of_its_program(
    telemetry: Recorded, lm: dspy.LM, make: Callable[[], dspy.Module], told: dict[str, Any]
) -> None:
    assert evaluated(telemetry, make()) == {**told, TASK: ["gpt-4o-mini"]}


def test_a_function_in_the_place_of_a_program_has_the_model_of_the_settings_and_no_signature(
    telemetry: Recorded, lm: dspy.LM
) -> None:
    assert evaluated(telemetry, lambda question: question) == {TASK: ["gpt-4o-mini"]}


def test_a_module_without_predictors_has_neither(telemetry: Recorded, lm: dspy.LM) -> None:
    class Fixed(dspy.Module):  # type: ignore[misc]
        def forward(self, question: str) -> dspy.Prediction:
            return dspy.Prediction(answer="2")

    assert evaluated(telemetry, Fixed()) == {}


def test_the_models_of_the_predictors_go_before_that_of_the_settings(
    telemetry: Recorded, lm: dspy.LM, model_server: ModelServer
) -> None:
    [own] = models(model_server, "anthropic/claude-3-5-haiku-20241022")
    program = Steps()
    program.plan.lm = own
    assert evaluated(telemetry, program)[TASK] == ["claude-3-5-haiku-20241022", "gpt-4o-mini"]
    telemetry.clear()
    program.set_lm(own)
    assert evaluated(telemetry, program)[TASK] == ["claude-3-5-haiku-20241022"]


def test_a_model_without_a_name_is_named_as_its_calls_are(telemetry: Recorded) -> None:
    program = dspy.Predict("question -> answer")
    with dspy.context(lm=Nameless()):
        assert evaluated(telemetry, program)[TASK] == ["Nameless"]
    chats = [span for span in telemetry.spans if span.name.startswith("chat ")]
    assert {span.name for span in chats} == {"chat Nameless"}


def test_no_model_at_all_is_no_name(telemetry: Recorded) -> None:
    assert evaluated(telemetry, dspy.Predict("question -> answer")) == {FIELDS: "question -> answer"}


def compiled(telemetry: Recorded, optimizer: Any, student: dspy.Module, **arguments: Any) -> dict[str, Any]:
    """What the span of a run tells of its models, however far the run came."""
    if "trainset" in inspect.signature(optimizer.compile).parameters:
        arguments["trainset"] = TRAINSET
    with contextlib.suppress(Exception):
        optimizer.compile(student, **arguments)
    [root] = [span for span in telemetry.spans if span.parent is None and span.name.startswith("optimize ")]
    attributes = root.attributes or {}
    return {name: list(attributes[name]) for name in (TASK, PROMPT, REFLECTION, TEACHER) if name in attributes}


def test_each_optimizer_names_the_models_that_it_works_with(
    telemetry: Recorded, lm: dspy.LM, model_server: ModelServer
) -> None:
    task, prompt, teacher = models(model_server, "openai/task", "openai/prompt", "openai/teacher")
    teaching = {"teacher_settings": {"lm": teacher}}
    stopped = {"requires_permission_to_run": False} if dspy.__version__.startswith("2.") else {}
    default = ["gpt-4o-mini"]
    runs: list[tuple[Any, dict[str, Any], dict[str, Any]]] = [
        (dspy.LabeledFewShot(k=1), {}, {TASK: default}),
        (dspy.BootstrapFewShot(metric=is_right, max_labeled_demos=1), {}, {TASK: default}),
        (dspy.BootstrapFewShot(metric=is_right, **teaching), {}, {TASK: default, TEACHER: ["teacher"]}),
        (
            dspy.BootstrapFewShotWithRandomSearch(is_right, num_candidate_programs=1, **teaching),
            {},
            {TASK: default, TEACHER: ["teacher"]},
        ),
        (dspy.COPRO(metric=is_right, breadth=2, depth=1), {"eval_kwargs": {}}, {TASK: default, PROMPT: default}),
        (
            dspy.COPRO(metric=is_right, breadth=2, depth=1, prompt_model=prompt),
            {"eval_kwargs": {}},
            {TASK: default, PROMPT: ["prompt"]},
        ),
        (
            dspy.MIPROv2(
                metric=is_right, prompt_model=prompt, task_model=task, auto=None, num_candidates=2, **teaching
            ),
            {"num_trials": 1, "minibatch": False, **stopped},
            {TASK: ["task"], PROMPT: ["prompt"], TEACHER: ["teacher"]},
        ),
        (
            dspy.SIMBA(metric=is_right, bsize=2, max_steps=1, num_candidates=2, prompt_model=prompt, **teaching),
            {},
            {TASK: default, PROMPT: ["prompt"], TEACHER: ["teacher"]},
        ),
        (
            dspy.InferRules(metric=is_right, num_candidates=1, **teaching),
            {},
            {TASK: default, PROMPT: ["teacher"], TEACHER: ["teacher"]},
        ),
    ]
    for optimizer, arguments, told in runs:
        telemetry.clear()
        assert compiled(telemetry, optimizer, OneStep(), **arguments) == told, optimizer


@pytest.mark.skipif(not hasattr(dspy, "GEPA"), reason="This DSPy has no GEPA.")
def test_gepa_names_the_model_that_reflects(telemetry: Recorded, lm: dspy.LM, model_server: ModelServer) -> None:
    [reflecting] = models(model_server, "openai/thinker")
    optimizer = dspy.GEPA(metric=is_right, max_metric_calls=4, reflection_lm=reflecting)
    assert compiled(telemetry, optimizer, OneStep()) == {TASK: ["gpt-4o-mini"], REFLECTION: ["thinker"]}


def test_what_is_set_on_a_program_goes_before_what_the_optimizer_was_given(
    telemetry: Recorded, lm: dspy.LM, model_server: ModelServer
) -> None:
    own, other, teacher = models(model_server, "openai/own", "openai/other", "openai/teacher")
    student, tutor = OneStep(), OneStep()
    student.set_lm(own)
    optimizer = dspy.BootstrapFewShot(metric=is_right, teacher_settings={"lm": teacher})
    assert compiled(telemetry, optimizer, student) == {TASK: ["own"], TEACHER: ["own"]}
    telemetry.clear()
    assert compiled(telemetry, optimizer, student, teacher=tutor) == {TASK: ["own"], TEACHER: ["teacher"]}
    telemetry.clear()
    tutor.set_lm(other)
    assert compiled(telemetry, optimizer, student, teacher=tutor) == {TASK: ["own"], TEACHER: ["other"]}


def test_a_run_names_the_signatures_of_its_program(telemetry: Recorded, lm: dspy.LM) -> None:
    compiled(telemetry, dspy.LabeledFewShot(k=1), OneStep())
    run = telemetry.attributes("optimize LabeledFewShot")
    assert (run[FIELDS], run[NAME]) == ("question -> answer", "Answer")
    telemetry.clear()
    compiled(telemetry, dspy.LabeledFewShot(k=1), Steps())
    assert len(telemetry.attributes("optimize LabeledFewShot")[SIGNATURES]) == 2


def test_names_are_no_content_and_no_keys(telemetry: Recorded, model_server: ModelServer) -> None:
    [language_model] = models(model_server, "openai/gpt-4o-mini")
    with dspy.context(lm=language_model):
        assert evaluated(telemetry, OneStep())[TASK] == ["gpt-4o-mini"]
    assert "sk-test" not in telemetry.everything()


@pytest.mark.parametrize("name", ["prompt_model", "task_model", "reflection_lm", "teacher_settings"])
@pytest.mark.parametrize(
    "odd",
    [
        Odd(lambda: 7),
        Odd(lambda: "sk-test-1234567890"),
        Odd(object),
        Odd(Untouchable),
        Odd(Nobody),
        Odd(lambda: Refusing(lm=7)),
        Odd(lambda: {"lm": Untouchable()}),
        Odd(lambda: {1: 2}),
        Odd(list),
    ],
)
def test_a_setting_may_be_anything(lm: dspy.LM, name: str, odd: Odd) -> None:
    class Strange:
        def __init__(self) -> None:
            setattr(self, name, odd.make())

    told = optimizer_models(Strange(), {"student": OneStep(), "teacher": None})
    texts = [text for names in told.values() for text in names]  # type: ignore[union-attr]
    assert "gpt-4o-mini" in texts or name == "task_model"
    assert all(isinstance(text, str) and "sk-test" not in text for text in texts)
