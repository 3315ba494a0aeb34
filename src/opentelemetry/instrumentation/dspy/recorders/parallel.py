"""Calls of what DSPy counts among its modules and does not derive from ``dspy.Module``: ``Parallel`` and ``KNN``."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any

from opentelemetry.semconv.attributes.error_attributes import ERROR_TYPE
from opentelemetry.util.genai.utils import fq_exception_type

from .. import semconv
from ..openings import carry_on
from ..programs.known_modules import conventional_names
from ..programs.running_modules import MODULE
from ..spans import OpenSpan, open_span
from ..tracers import KnownAtStart
from ..usage import SCOPE, UsageScope
from ..usage_attributes import usage_attributes
from ..wrapping.calls import Recording
from ..wrapping.threads import STRAGGLER

if TYPE_CHECKING:
    from opentelemetry.util.types import AttributeValue

    from ..context import Call
    from ..programs.running_modules import RunningModule
    from ..telemetry import Telemetry

__all__ = ["ParallelRecorder"]


class ParallelRecorder:
    """Makes one span of each call, with the roll-up of all language model calls below it, whatever their threads."""

    def __init__(self, telemetry: Telemetry, *, records_content: bool) -> None:
        self._telemetry = telemetry
        self._records_content = records_content
        """Whether arguments and result are content of this span; ``Parallel`` leaves them to the calls inside it."""

    def begin(self, call: Call) -> ParallelRecording:
        """Start the span of a call and make it the current one."""
        name = type(call.instance).__name__
        call.teller = KnownAtStart(partial(_known_at_start, name, MODULE.of(call)))
        opened = open_span(call, self._telemetry.tracer, name)
        scope = None
        if opened.is_recording:
            scope = UsageScope.below(SCOPE.of(call))
            SCOPE.put(call, scope)
        recording = ParallelRecording(self._telemetry, name, opened, scope, records_content=self._records_content)
        if opened.is_recording:
            carry_on(call, recording.describe, call)
        return recording


def _known_at_start(name: str, caller: RunningModule | None) -> dict[str, AttributeValue]:
    return {semconv.DSPY_MODULE_NAME: name, **conventional_names(caller)}


class ParallelRecording(Recording):
    """One call under way."""

    __slots__ = ("_began", "_content", "_name", "_opened", "_records_content", "_scope", "_telemetry")

    def __init__(
        self, telemetry: Telemetry, name: str, opened: OpenSpan, scope: UsageScope | None, *, records_content: bool
    ) -> None:
        self._telemetry = telemetry
        self._name = name
        self._opened = opened
        self._scope = scope
        self._content = telemetry.content.of_span() if opened.is_recording else telemetry.content
        self._records_content = records_content and opened.is_recording and self._content.on_spans
        self._began = time.perf_counter()

    def describe(self, call: Call) -> None:
        """Take note of what is known of the call before it runs."""
        attributes = self._opened.attributes
        if STRAGGLER.of(call.caller):
            attributes[semconv.DSPY_STRAGGLER] = True
        if self._records_content:
            inputs = self._content.named_json(call.keyword_arguments, "input")
            attributes[semconv.DSPY_MODULE_INPUTS] = inputs

    def finish(self, result: Any) -> None:
        """Record what the call returned."""
        if self._records_content:
            content = self._content.make_room_for_answer()
            self._opened.attributes[semconv.DSPY_MODULE_OUTPUTS] = content.json(result, "output")

    def end(self, error: BaseException | None) -> None:
        """Record what was used inside, and how long it took."""
        if self._scope is not None:
            self._opened.attributes.update(usage_attributes(self._scope))
        attributes = {semconv.DSPY_MODULE_NAME: self._name}
        if error is not None:
            attributes[ERROR_TYPE] = fq_exception_type(error)
        seconds = time.perf_counter() - self._began
        self._telemetry.metrics.module_duration.record(seconds, attributes, self._opened.context)
