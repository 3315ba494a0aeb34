"""What tests of adapters look for: replies that cannot be parsed, and the events and counts that they leave."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from model_server import Reply

if TYPE_CHECKING:
    from collections.abc import Callable

    from model_server import Request
    from recorded import Recorded

__all__ = [
    "JSON_ANSWER",
    "NONSENSE",
    "PARSE_ERROR",
    "PREDICT",
    "counts",
    "events",
    "fallback",
    "parse_error",
    "replying",
]

PREDICT = "Predict question -> answer"
NONSENSE = "I would rather not say."
JSON_ANSWER = '{"answer": "here"}'
PARSE_ERROR = "dspy.utils.exceptions.AdapterParseError"


def replying(*texts: str) -> Callable[[Request], Reply]:
    """A script of these replies, one after the other."""
    left = iter(texts)
    return lambda _: Reply(text=next(left))


def events(telemetry: Recorded, name: str = PREDICT) -> list[tuple[str, dict[str, Any]]]:
    found = [(event.name, dict(event.attributes or {})) for event in telemetry.span(name).events]
    return [event for event in found if event[0] != "exception"]


def parse_error(adapter: str, error_type: str = PARSE_ERROR) -> tuple[str, dict[str, Any]]:
    return "dspy.adapter.parse_error", {"dspy.adapter.name": adapter, "error.type": error_type}


def fallback(giving_up: str, going_on: str) -> tuple[str, dict[str, Any]]:
    return "dspy.adapter.fallback", {"dspy.adapter.from": giving_up, "dspy.adapter.to": going_on}


def counts(telemetry: Recorded, metric: str) -> list[tuple[float, dict[str, Any]]]:
    return [(point.value, dict(point.attributes or {})) for point in telemetry.metric_points(metric)]
