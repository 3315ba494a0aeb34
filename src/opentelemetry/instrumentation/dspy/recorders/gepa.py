"""GEPA: its iterations are the trials, told by ``gepa``'s own callbacks, which are added to those of the user.

An event never changes what GEPA does. What happens between two events of a trial (evaluations, proposals) happens in
the thread that gave the events, so the trial can be the current span from its first event to its last.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import semconv
from ..budgets.gepa_stop import stop_gepa_at_budget
from ..optimization.optimizer_runs import OPTIMIZER
from ..usage import SCOPE
from ..wrapping.calls import Recording
from .trials import OpenTrial, open_trial

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..context import Call
    from ..optimization.optimizer_runs import TrialKind
    from ..telemetry import Telemetry

__all__ = ["GEPARecorder"]


class GEPARecorder:
    """Listens to each run of ``gepa.optimize`` that DSPy's optimizer makes."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry

    def begin(self, call: Call) -> GEPARecording | None:
        """Add our callback behind the user's own."""
        if OPTIMIZER.of(call) is None:
            return None
        trials = _GEPATrials(self._telemetry)
        # The dictionary is the one that the call goes on with; the user's list stays as it is.
        call.keyword_arguments["callbacks"] = [*(call.keyword_arguments.get("callbacks") or ()), trials]
        stop_gepa_at_budget(call.keyword_arguments, SCOPE.of(call))
        # The program that GEPA was given is evaluated first; gepa before 0.1 does that before its first event.
        trials.begin("full")
        return GEPARecording(trials)


class GEPARecording(Recording):
    """One run of ``gepa.optimize`` under way."""

    __slots__ = ("_trials",)

    def __init__(self, trials: _GEPATrials) -> None:
        self._trials = trials

    def end(self, error: BaseException | None) -> None:
        """End a trial that no event ended, with the exception if one came up in it."""
        self._trials.end(error)


class _GEPATrials:
    """A callback of ``gepa`` (``gepa.core.callbacks``): it calls the methods that exist, each with one mapping."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry
        self._trial: OpenTrial | None = None
        self._minibatch_size = 0
        self._error: BaseException | None = None

    def end(self, error: BaseException | None) -> None:
        """End the trial that is open, if any."""
        trial, self._trial = self._trial, None
        if trial is not None:
            trial.end(error)

    def begin(self, kind: TrialKind) -> None:
        """Start a trial, after the one before it."""
        self.end(None)
        self._error = None
        self._trial = open_trial(self._telemetry, kind)
        self._trial.go_in()

    def _note(self, name: str, value: Any) -> None:
        if self._trial is not None:
            self._trial.attributes[name] = value

    def _propose(self, instructions: Mapping[str, Any]) -> None:
        if self._trial is not None:
            self._trial.tried.proposed = instructions

    def on_iteration_start(self, event: Mapping[str, Any]) -> None:
        """An iteration proposes one candidate."""
        self.begin("reflection")

    def on_minibatch_sampled(self, event: Mapping[str, Any]) -> None:
        """The candidate has to beat its parent on these examples."""
        self._minibatch_size = len(event["minibatch_ids"])

    def on_candidate_selected(self, event: Mapping[str, Any]) -> None:
        """The parent of the next candidate."""
        self._note(semconv.DSPY_OPTIMIZER_TRIAL_PARENTS, [event["candidate_idx"]])

    def on_proposal_end(self, event: Mapping[str, Any]) -> None:
        """New instructions were proposed."""
        self._note(semconv.DSPY_OPTIMIZER_TRIAL_COMPONENTS, sorted(event["new_instructions"]))
        self._propose(event["new_instructions"])

    def on_merge_attempted(self, event: Mapping[str, Any]) -> None:
        """Two candidates were merged into one."""
        if self._trial is not None:
            self._trial.kind = "merge"
            self._propose(event["merged_candidate"])
        self._note(semconv.DSPY_OPTIMIZER_TRIAL_PARENTS, list(event["parent_ids"]))

    def on_valset_evaluated(self, event: Mapping[str, Any]) -> None:
        """A candidate came as far as the validation set, whose mean is its score."""
        if self._trial is None:
            return
        self._trial.score = float(event["average_score"])
        self._trial.counts = True
        if event["iteration"] == 0:
            self._note(semconv.DSPY_OPTIMIZER_TRIAL_CANDIDATE, event["candidate_idx"])
            self.end(None)

    def on_candidate_accepted(self, event: Mapping[str, Any]) -> None:
        """The candidate is in the pool."""
        if self._trial is not None:
            self._trial.accepted = True
        self._note(semconv.DSPY_OPTIMIZER_TRIAL_CANDIDATE, event["new_candidate_idx"])
        self._note(semconv.DSPY_OPTIMIZER_TRIAL_PARENTS, list(event["parent_ids"]))

    def on_candidate_rejected(self, event: Mapping[str, Any]) -> None:
        """The candidate was not better than its parent on the minibatch; the score is a sum over that."""
        trial = self._trial
        if trial is None or trial.score is not None:
            return
        if self._minibatch_size:
            trial.score = float(event["new_score"]) / self._minibatch_size
            trial.counts = False

    def on_pareto_front_updated(self, event: Mapping[str, Any]) -> None:
        """Candidates that are the best on some example."""
        front: Sequence[int] = event["new_front"]
        self._note(semconv.DSPY_OPTIMIZER_PARETO_FRONT, list(front))

    def on_budget_updated(self, event: Mapping[str, Any]) -> None:
        """Metric calls were spent."""
        self._note(semconv.DSPY_OPTIMIZER_METRIC_CALLS, event["metric_calls_used"])
        if event["metric_calls_remaining"] is not None:
            self._note(semconv.DSPY_OPTIMIZER_METRIC_CALLS_REMAINING, event["metric_calls_remaining"])

    def on_error(self, event: Mapping[str, Any]) -> None:
        """An exception ended the iteration."""
        self._error = event["exception"]

    def on_iteration_end(self, event: Mapping[str, Any]) -> None:
        """The iteration is over."""
        if self._trial is not None and self._trial.accepted is None:
            self._trial.accepted = bool(event["proposal_accepted"])
        error, self._error = self._error, None
        self.end(error)
