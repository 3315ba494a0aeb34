"""Optimizer runs: one span for each logical ``compile``, with totals over everything below it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import semconv
from ..budgets.stop import BudgetStop
from ..context import with_call
from ..encodable import encodable
from ..openings import carry_on
from ..optimization.evaluations import EVALUATION
from ..optimization.models_at_work import optimizer_models
from ..optimization.optimizer_runs import OPTIMIZER, ExamplePlace, OptimizerPlace, OptimizerRun
from ..optimization.optimizer_settings import compile_arguments, setting_attributes
from ..optimization.planned_trials import planned_trials
from ..optimization.program_texts import chosen_texts
from ..optimization.roles import role_attributes
from ..programs.program_signatures import program_signature_attributes
from ..programs.prompts import prompt_version
from ..programs.running_modules import MODULE, RunningModule
from ..reading import size_of
from ..spans import enter, open_span
from ..tracers import RUN_ATTRIBUTES, KnownAtStart
from ..usage import SCOPE, UsageScope
from ..usage_attributes import usage_attributes
from ..wrapping.calls import Recording

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..config import OptimizerTraces
    from ..content import Content
    from ..context import Call
    from ..spans import OpenSpan
    from ..telemetry import Telemetry

__all__ = ["JudgeRecorder", "OptimizerRecorder"]


class OptimizerRecorder:
    """Makes one span of each run; ``super().compile()`` inside an optimizer's own is the same run."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry

    def begin(self, call: Call) -> OptimizerRecording | None:
        """Start the span of a run and make it the current one."""
        place = OPTIMIZER.of(call)
        if place is not None and place.run.optimizer is call.instance:
            return None
        optimizer, name, given = call.instance, type(call.instance).__name__, compile_arguments(call)
        # The record names no instance: an optimizer calls other methods on itself that are recorded too.
        call.instance, call.owner, call.attribute = None, None, ""
        run = OptimizerRun(
            optimizer,
            name,
            _traces(call, self._telemetry.options.optimizer_traces),
            UsageScope.below(SCOPE.of(call)),
            place.run if place is not None else None,
        )
        run.planned_trials = planned_trials(optimizer, given)
        call.kept = {
            **call.kept,
            SCOPE: run.scope,
            EVALUATION: None,
            OPTIMIZER: OptimizerPlace(run),
            RUN_ATTRIBUTES: {semconv.DSPY_OPTIMIZER_RUN_ID: run.run_id},
        }
        call.teller = KnownAtStart(run.attributes)
        opened = open_span(call, self._telemetry.tracer, f"optimize {name}")
        if opened.is_recording:
            carry_on(call, _describe, opened, run, given)
        return OptimizerRecording(run, opened, self._telemetry.content)


class OptimizerRecording(Recording):
    """One run under way."""

    __slots__ = ("_content", "_opened", "_run")

    def __init__(self, run: OptimizerRun, opened: OpenSpan, content: Content) -> None:
        self._run = run
        self._opened = opened
        self._content = content

    def finish(self, result: Any) -> None:
        """Record the program that a run returned."""
        if not self._opened.is_recording:
            return
        versions = _prompt_versions(result)
        if versions:
            self._opened.attributes[semconv.DSPY_OPTIMIZER_BEST_PROMPT_VERSIONS] = versions
        content = self._content.of_span()
        self._opened.attributes.update(chosen_texts(content, result) if content.on_spans else {})

    def fail(self, error: BaseException) -> None:
        """Give the stop of a budget the best program to take with it."""
        if isinstance(error, BudgetStop):
            error.best_program = self._run.best_programs.best or error.best_program

    def end(self, error: BaseException | None) -> None:
        """Record what was tried and used, also in a run that an exception ended."""
        run, attributes = self._run, self._opened.attributes
        if self._opened.is_recording:
            attributes[semconv.DSPY_OPTIMIZER_TRIALS] = run.trials
            if run.best_score is not None:
                attributes[semconv.DSPY_OPTIMIZER_BEST_SCORE] = run.best_score
            attributes.update(usage_attributes(run.scope))
            attributes.update(role_attributes(run))


class JudgeRecorder:
    """Marks what an optimizer asks the metric outside of an evaluation: GEPA does, for its feedback."""

    def begin(self, call: Call) -> Recording | None:
        """Let the language model calls inside count as the judge's."""
        place = OPTIMIZER.of(call)
        if place is None:
            return None
        inside = (call.caller or call).part()
        inside.kept = {
            **call.kept,
            MODULE: None,
            OPTIMIZER: OptimizerPlace(place.run, place.trial, ExamplePlace(None)),
        }
        enter(call, with_call(inside))
        return Recording()


def _traces(call: Call, traces: OptimizerTraces) -> OptimizerTraces:
    """Return where the run's examples go: what a program compiles while it answers stays in the answer's trace."""
    place = OPTIMIZER.of(call)
    is_inside = MODULE.of(call) is not None or (place is not None and place.example is not None)
    return "nested" if is_inside and traces in ("auto", "linked") else traces


def _describe(opened: OpenSpan, run: OptimizerRun, arguments: Mapping[str, Any]) -> None:
    attributes = opened.attributes
    for argument, name in (
        ("trainset", semconv.DSPY_OPTIMIZER_TRAINSET_SIZE),
        ("valset", semconv.DSPY_OPTIMIZER_VALSET_SIZE),
    ):
        examples = arguments.get(argument)
        size = size_of(examples)
        if size is not None:
            attributes[name] = size
    attributes.update(setting_attributes(run.optimizer, arguments))
    attributes.update(program_signature_attributes(arguments.get("student")))
    attributes.update(optimizer_models(run.optimizer, arguments))


def _prompt_versions(program: Any) -> list[str]:
    """Return ``path=version`` for each predictor; the version is the one that its language model calls carry."""
    if not hasattr(type(program), "named_predictors"):
        return []
    return [
        f"{encodable(path)}={prompt_version(RunningModule.of(predictor, None, {}))}"
        for path, predictor in program.named_predictors()
    ]
