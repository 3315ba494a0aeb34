"""Optimizer runs: one span for each logical ``compile``, with totals over everything below it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import semconv
from ..context import ActiveCall, current_call, with_call
from ..encodable import encodable
from ..openings import carry_on
from ..optimization.evaluations import EVALUATION
from ..optimization.models_at_work import optimizer_models
from ..optimization.optimizer_runs import OPTIMIZER, ExamplePlace, OptimizerPlace, OptimizerRun
from ..optimization.optimizer_settings import compile_arguments, setting_attributes
from ..optimization.program_texts import chosen_texts
from ..optimization.roles import role_attributes
from ..programs.program_signatures import program_signature_attributes
from ..programs.prompts import prompt_version
from ..programs.running_modules import RunningModule
from ..reading import size_of
from ..spans import OpenSpan, enter, open_span
from ..telemetry import usage_attributes
from ..usage import UsageScope

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..calls import Call
    from ..config import OptimizerTraces
    from ..content import Content
    from ..spans import EnteredContext
    from ..telemetry import Telemetry

__all__ = ["JudgeRecorder", "OptimizerRecorder"]


class OptimizerRecorder:
    """Makes one span of each run; ``super().compile()`` inside an optimizer's own is the same run."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry

    def begin(self, call: Call) -> OptimizerRecording | None:
        """Start the span of a run and make it the current one."""
        parent = current_call()
        place = OPTIMIZER.of(parent)
        if place is not None and place.run.optimizer is call.instance:
            return None
        name = type(call.instance).__name__
        # The record names no instance: an optimizer calls other methods on itself that are recorded too.
        active = parent.child(None, None, "")
        active.scope = UsageScope(parent.scope)
        EVALUATION.put(active, None)
        run = OptimizerRun(
            call.instance,
            name,
            _traces(parent, self._telemetry.options.optimizer_traces),
            active.scope,
            place.run if place is not None else None,
        )
        OPTIMIZER.put(active, OptimizerPlace(run))
        active.known = run.attributes
        opened = open_span(self._telemetry.tracer, f"optimize {name}", with_call(active))
        if opened.is_recording:
            carry_on(_describe, opened, run, compile_arguments(call))
        return OptimizerRecording(run, opened, self._telemetry.content)


class OptimizerRecording:
    """One run under way."""

    __slots__ = ("_content", "_opened", "_run")

    def __init__(self, run: OptimizerRun, opened: OpenSpan, content: Content) -> None:
        self._run = run
        self._opened = opened
        self._content = content

    def finish(self, result: Any) -> None:
        """End the span of a run that returned a program."""
        try:
            versions = _prompt_versions(result) if self._opened.is_recording else []
            if versions:
                self._opened.attributes[semconv.DSPY_OPTIMIZER_BEST_PROMPT_VERSIONS] = versions
            if self._opened.is_recording:
                content = self._content.of_span()
                self._opened.attributes.update(chosen_texts(content, result) if content.on_spans else {})
        finally:
            self._end(None)

    def fail(self, error: BaseException) -> None:
        """End the span of a run that an exception ended."""
        self._end(error)

    def _end(self, error: BaseException | None) -> None:
        run, attributes = self._run, self._opened.attributes
        try:
            if self._opened.is_recording:
                attributes[semconv.DSPY_OPTIMIZER_TRIALS] = run.trials
                if run.best_score is not None:
                    attributes[semconv.DSPY_OPTIMIZER_BEST_SCORE] = run.best_score
                attributes.update(usage_attributes(run.scope))
                attributes.update(role_attributes(run))
        finally:
            self._opened.end(error)


class JudgeRecorder:
    """Marks what an optimizer asks the metric outside of an evaluation: GEPA does, for its feedback."""

    def begin(self, call: Call) -> JudgeRecording | None:
        """Let the language model calls inside count as the judge's."""
        parent = current_call()
        place = OPTIMIZER.of(parent)
        if place is None:
            return None
        active = parent.child(None, None, "")
        active.module = None
        OPTIMIZER.put(active, OptimizerPlace(place.run, place.trial, ExamplePlace(None)))
        return JudgeRecording(enter(with_call(active)))


class JudgeRecording:
    """Feedback under way."""

    __slots__ = ("_entered",)

    def __init__(self, entered: EnteredContext) -> None:
        self._entered = entered

    def finish(self, result: Any) -> None:
        """Let calls count as the optimizer's own again."""
        self._entered.end()

    def fail(self, error: BaseException) -> None:
        """Do the same after an exception."""
        self.finish(None)


def _traces(parent: ActiveCall, traces: OptimizerTraces) -> OptimizerTraces:
    """Return where the run's examples go: what a program compiles while it answers stays in the answer's trace."""
    place = OPTIMIZER.of(parent)
    is_inside = parent.module is not None or (place is not None and place.example is not None)
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
        f"{encodable(path)}={prompt_version(RunningModule(predictor, None, {}))}"
        for path, predictor in program.named_predictors()
    ]
