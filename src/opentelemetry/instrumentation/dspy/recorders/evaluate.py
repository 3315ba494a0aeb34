"""Evaluations: ``dspy.Evaluate``, with one span for each example.

Inside an optimizer, an evaluation that no trial is open around is what the optimizer tries a candidate with: it is
the trial. DSPy has no callable around a candidate that all optimizers share, and each of them scores its candidates
through ``Evaluate``.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from opentelemetry.semconv._incubating.attributes.gen_ai_attributes import GEN_AI_EVALUATION_NAME

from .. import semconv
from ..openings import carry_on
from ..optimization.evaluation_results import metric_name
from ..optimization.evaluations import EVALUATION, Evaluation
from ..optimization.models_at_work import evaluation_models
from ..optimization.optimizer_runs import OPTIMIZER
from ..optimization.scores import score_of
from ..programs.program_signatures import program_signature_attributes
from ..reading import read, size_of, text_of_name
from ..spans import OpenSpan, open_span
from ..tracers import KnownAtStart
from ..usage import SCOPE, UsageScope
from ..usage_attributes import usage_attributes
from ..wrapping.calls import Recording, keyword_view
from .trials import OpenTrial, open_trial

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.util.types import AttributeValue

    from ..context import Call
    from ..optimization.optimizer_runs import TrialKind
    from ..telemetry import Telemetry

__all__ = ["EvaluateRecorder"]

_PARAMETERS = ("program", "metric", "devset", "num_threads")
"""The first parameters of ``Evaluate.__call__``; the others are given by name."""


class EvaluateRecorder:
    """Makes one span of each evaluation."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry

    def begin(self, call: Call) -> EvaluateRecording:
        """Start the span, and a trial around it where an optimizer evaluates a candidate."""
        arguments = keyword_view(_PARAMETERS, call)
        metric = _or_default(arguments, "metric", call.instance)
        trial = self._open_trial(call, arguments, metric)
        return self._open(call, arguments, metric, trial)

    def _open_trial(self, call: Call, arguments: Mapping[str, Any], metric: Any) -> OpenTrial | None:
        place = OPTIMIZER.of(call)
        if place is None or place.example is not None:
            return None
        if place.trial is not None:
            place.trial.tried.run(arguments.get("program"))
            return None
        trial = open_trial(self._telemetry, _trial_kind(arguments, metric))
        trial.tried.run(arguments.get("program"))
        trial.enter(call)
        return trial

    def _open(
        self, call: Call, arguments: Mapping[str, Any], metric: Any, trial: OpenTrial | None
    ) -> EvaluateRecording:
        if trial is not None:
            call.caller, call.kept = trial.call, trial.call.kept
        scope = UsageScope.below(SCOPE.of(call))
        SCOPE.put(call, scope)
        name = metric_name(metric)
        size = size_of(_or_default(arguments, "devset", call.instance)) or 0
        call.teller = KnownAtStart(partial(_known_at_start, arguments.get("program"), name, size))
        opened = open_span(call, self._telemetry.tracer, f"evaluate {name}" if name else "evaluate")
        evaluation = Evaluation(self._telemetry, call.instance, arguments.get("program"), metric, call, opened.context)
        EVALUATION.put(call, evaluation)
        if opened.is_recording:
            carry_on(call, _describe, opened, call, arguments)
        return EvaluateRecording(self._telemetry, evaluation, scope, opened, trial)


class EvaluateRecording(Recording):
    """One evaluation under way."""

    __slots__ = ("_evaluation", "_opened", "_scope", "_telemetry", "_trial")

    def __init__(
        self,
        telemetry: Telemetry,
        evaluation: Evaluation,
        scope: UsageScope,
        opened: OpenSpan,
        trial: OpenTrial | None,
    ) -> None:
        self._telemetry = telemetry
        self._evaluation = evaluation
        self._scope = scope
        self._opened = opened
        self._trial = trial

    def finish(self, result: Any) -> None:
        """Record the score that the evaluation came to."""
        # Up to 2.6 the result is the score, or a tuple that begins with it.
        score = score_of(result[0] if isinstance(result, tuple) else result).value
        if score is not None:
            self._opened.attributes[semconv.DSPY_EVALUATE_SCORE] = score
            if self._trial is not None:
                self._trial.score = score
            self._telemetry.metrics.evaluate_score.set(
                score,
                {
                    semconv.DSPY_EVALUATE_METRIC: self._evaluation.name,
                    semconv.DSPY_MODULE_NAME: type(self._evaluation.program).__name__,
                },
            )

    def end(self, error: BaseException | None) -> None:
        """Record the failures and what was used, also of an evaluation that was given up."""
        if self._opened.is_recording:
            self._opened.attributes[semconv.DSPY_EVALUATE_FAILURES] = len(self._evaluation.failures)
            self._opened.attributes.update(usage_attributes(self._scope))


def _or_default(arguments: Mapping[str, Any], name: str, evaluator: Any) -> Any:
    value = arguments.get(name)
    return read(evaluator, name) if value is None else value


def _trial_kind(arguments: Mapping[str, Any], metric: Any) -> TrialKind:
    if _metric_key(arguments) == "eval_minibatch":
        return "minibatch"
    # What bootstrap_trace_data evaluates is a source of training data, not a candidate.
    return "bootstrap" if text_of_name(read(metric, "__name__")) == "wrapped_metric" else "full"


def _metric_key(arguments: Mapping[str, Any]) -> str | None:
    metadata = arguments.get("callback_metadata")
    return text_of_name(metadata.get("metric_key")) if isinstance(metadata, dict) else None


def _known_at_start(program: object, metric: str | None, examples: int) -> dict[str, AttributeValue]:
    known: dict[str, AttributeValue] = {
        semconv.DSPY_MODULE_NAME: type(program).__name__,
        semconv.DSPY_EVALUATE_EXAMPLES: examples,
    }
    if metric is not None:
        known[semconv.DSPY_EVALUATE_METRIC] = known[GEN_AI_EVALUATION_NAME] = metric
    return known


def _describe(opened: OpenSpan, call: Call, arguments: Mapping[str, Any]) -> None:
    attributes = opened.attributes
    threads = _or_default(arguments, "num_threads", call.instance)
    attributes[semconv.DSPY_EVALUATE_THREADS] = threads if isinstance(threads, int) and threads else _default_threads()
    key = _metric_key(arguments)
    if key is not None:
        attributes[semconv.DSPY_EVALUATE_METRIC_KEY] = key
    program = arguments.get("program")
    attributes.update(program_signature_attributes(program))
    attributes.update(evaluation_models(program))


def _default_threads() -> int:
    from dspy.dsp.utils.settings import settings

    threads = settings.num_threads
    return threads if isinstance(threads, int) else 1
