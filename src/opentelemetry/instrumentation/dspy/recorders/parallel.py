"""Calls of what DSPy counts among its modules and does not derive from ``dspy.Module``: ``Parallel`` and ``KNN``."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any

from opentelemetry.semconv.attributes.error_attributes import ERROR_TYPE
from opentelemetry.util.genai.utils import fq_exception_type

from .. import semconv
from ..context import ActiveCall, current_call, with_call
from ..openings import carry_on
from ..programs.known_modules import conventional_names
from ..spans import OpenSpan, open_span
from ..telemetry import usage_attributes
from ..usage import UsageScope

if TYPE_CHECKING:
    from opentelemetry.util.types import AttributeValue

    from ..calls import Call
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
        parent = current_call()
        active = parent.inside(call)
        active.known = partial(_known_at_start, type(call.instance).__name__, parent.module)
        opened = open_span(self._telemetry.tracer, type(call.instance).__name__, with_call(active))
        if opened.is_recording:
            active.scope = UsageScope(parent.scope)
        recording = ParallelRecording(self._telemetry, active, opened, records_content=self._records_content)
        if opened.is_recording:
            carry_on(recording.describe, call, parent)
        return recording


def _known_at_start(name: str, caller: RunningModule | None) -> dict[str, AttributeValue]:
    return {semconv.DSPY_MODULE_NAME: name, **conventional_names(caller)}


class ParallelRecording:
    """One call under way."""

    __slots__ = ("_active", "_began", "_content", "_opened", "_records_content", "_telemetry")

    def __init__(self, telemetry: Telemetry, active: ActiveCall, opened: OpenSpan, *, records_content: bool) -> None:
        self._telemetry = telemetry
        self._active = active
        self._opened = opened
        self._content = telemetry.content.of_span() if opened.is_recording else telemetry.content
        self._records_content = records_content and opened.is_recording and self._content.on_spans
        self._began = time.perf_counter()

    @property
    def _name(self) -> str:
        return type(self._active.instance).__name__

    def describe(self, call: Call, parent: ActiveCall) -> None:
        """Take note of what is known of the call before it runs."""
        attributes = self._opened.attributes
        if parent.straggler:
            attributes[semconv.DSPY_STRAGGLER] = True
        if self._records_content:
            inputs = self._content.named_json(call.keyword_arguments, "input")
            attributes[semconv.DSPY_MODULE_INPUTS] = inputs

    def finish(self, result: Any) -> None:
        """End the span of a call that returned."""
        try:
            if self._records_content:
                content = self._content.make_room_for_answer()
                self._opened.attributes[semconv.DSPY_MODULE_OUTPUTS] = content.json(result, "output")
        finally:
            self._end(None)

    def fail(self, error: BaseException) -> None:
        """End the span of a call that an exception ended."""
        self._end(error)

    def _end(self, error: BaseException | None) -> None:
        try:
            if self._opened.is_recording and self._active.scope is not None:
                self._opened.attributes.update(usage_attributes(self._active.scope))
            attributes = {semconv.DSPY_MODULE_NAME: self._name}
            if error is not None:
                attributes[ERROR_TYPE] = fq_exception_type(error)
            self._telemetry.metrics.module_duration.record(time.perf_counter() - self._began, attributes)
        finally:
            self._opened.end(error)
