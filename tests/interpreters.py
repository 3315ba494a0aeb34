"""What tests of code interpreters share: a model that writes programs, and the events of an interpreter's start."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from model_server import Request
    from opentelemetry.sdk.trace import ReadableSpan

__all__ = ["EXECUTION_ERROR", "LOCAL", "seconds", "starts", "writing"]

LOCAL = "execute_tool local_interpreter"
EXECUTION_ERROR = "dspy.primitives.code_interpreter.CodeExecutionError"


def writing(*programs: str) -> Callable[[Request], dict[str, str] | None]:
    """A model that writes these programs, one after the other, and answers everything else with defaults."""
    left = iter(programs)

    def script(request: Request) -> dict[str, str] | None:
        fields = [field.name for field in request.prompt.fields]
        for field in ("code", "generated_code"):
            if field in fields:
                return {field: f"```python\n{next(left)}\n```"}
        return None

    return script


def starts(span: ReadableSpan) -> list[float]:
    """How long the interpreter took to start, for each start that the span has an event of."""
    return [
        float(str((event.attributes or {})["dspy.interpreter.startup_duration"]))
        for event in span.events
        if event.name == "dspy.interpreter.start"
    ]


def seconds(span: ReadableSpan) -> float:
    assert span.end_time is not None
    assert span.start_time is not None
    return (span.end_time - span.start_time) / 1e9
