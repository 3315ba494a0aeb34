"""Whatever an application gives for its labels, attributes and baggage: calls go on, and each is told with the rest."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import dspy
import pytest
from endless_values import ENDLESS
from numbered_calls import NumberedModel
from numbered_desk import Desk, assert_all_is_told_once, assert_the_program_is_as_ever
from odd_values import HOSTILE
from opentelemetry.baggage import set_baggage
from opentelemetry.context import attach, detach

from opentelemetry.instrumentation.dspy import telemetry_context

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from conftest import StartTelemetry

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.complaints]

CALLS = range(1, 4)
NAME = "tenant"


def refuse(*_: Any) -> Any:
    raise RuntimeError("do not touch")


class Text(str):
    """A text, with methods that raise."""

    __str__ = __repr__ = __eq__ = __len__ = __getitem__ = __add__ = encode = refuse  # type: ignore[assignment]
    __hash__ = None  # type: ignore[assignment]


class Whole(int):
    """A whole number, with methods that raise."""

    __str__ = __repr__ = __eq__ = __lt__ = __gt__ = __int__ = __index__ = __bool__ = refuse  # type: ignore[assignment]
    __hash__ = None  # type: ignore[assignment]


class Real(float):
    """A number, with methods that raise."""

    __str__ = __repr__ = __eq__ = __lt__ = __float__ = __int__ = is_integer = refuse  # type: ignore[assignment]
    __hash__ = None  # type: ignore[assignment]


class Unequal:
    """An object that can be nothing but held."""

    __str__ = __repr__ = __eq__ = __bool__ = __len__ = __iter__ = refuse
    __hash__ = None  # type: ignore[assignment]


SUBCLASSES: dict[Callable[[], Any], Any] = {lambda: Text("north"): "north", lambda: Whole(7): 7, lambda: Real(1.5): 1.5}
VALUES = {
    **{name: make for name, make in ENDLESS.items() if not name.startswith("a long")},
    **{f"hostile {number}": make for number, make in enumerate((*HOSTILE, *SUBCLASSES, Unequal))},
}


@contextmanager
def baggage(**entries: Any) -> Iterator[None]:
    """Make the entries the current baggage."""
    context = None
    for name, value in entries.items():
        context = set_baggage(name, value, context)
    token = attach(context) if context is not None else None
    try:
        yield
    finally:
        if token is not None:
            detach(token)


@pytest.fixture(autouse=True)
def model(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each entry of baggage stands on spans and points."""
    monkeypatch.setenv("OTEL_INSTRUMENTATION_DSPY_BAGGAGE", NAME)
    monkeypatch.setenv("OTEL_INSTRUMENTATION_DSPY_BAGGAGE_METRICS", "region")
    dspy.configure(lm=NumberedModel(model="numbered"))


@pytest.mark.parametrize("value", VALUES)
def test_any_value_among_the_attributes_of_spans(start_telemetry: StartTelemetry, value: str) -> None:
    telemetry = start_telemetry()
    with telemetry_context(attributes={NAME: VALUES[value](), "beside": "x"}, conversation_id=VALUES[value]()):
        Desk()(question="number 1")
    assert len(telemetry.spans) == 3
    for span in telemetry.spans:
        assert (span.attributes or {})["beside"] == "x"


@pytest.mark.parametrize("value", VALUES)
def test_any_value_among_the_attributes_of_points(start_telemetry: StartTelemetry, value: str) -> None:
    telemetry = start_telemetry()
    made = VALUES[value]()
    try:
        context = telemetry_context(metric_attributes={NAME: made})
        context.__enter__()
    except (TypeError, ValueError):
        # It is no value of a series, and the block is not entered: so it is documented.
        assert_the_program_is_as_ever(CALLS)
    else:
        try:
            Desk()(question="number 1")
        finally:
            context.__exit__(None, None, None)
        [point] = telemetry.metric_points("gen_ai.client.operation.duration")
        assert type((point.attributes or {})[NAME]) in (str, bool, int, float)
        telemetry.clear()
        return
    assert_all_is_told_once(telemetry, CALLS)


@pytest.mark.parametrize(("make", "told"), SUBCLASSES.items(), ids=["text", "whole", "real"])
def test_what_a_value_is_counts_and_not_what_its_class_says(
    start_telemetry: StartTelemetry, make: Callable[[], Any], told: Any
) -> None:
    telemetry = start_telemetry()
    for _ in range(2):
        with telemetry_context(metric_attributes={NAME: make()}, attributes={"beside": make()}):
            Desk()(question="number 1")
    [point] = telemetry.metric_points("gen_ai.client.operation.duration")
    assert (point.count, (point.attributes or {})[NAME]) == (2, told)
    for span in telemetry.spans:
        assert ((span.attributes or {})[NAME], (span.attributes or {})["beside"]) == (told, told)


@pytest.mark.parametrize("value", VALUES)
def test_any_value_in_the_baggage(start_telemetry: StartTelemetry, value: str) -> None:
    telemetry = start_telemetry()
    with baggage(**{NAME: VALUES[value](), "region": VALUES[value](), "other": VALUES[value]()}):
        Desk()(question="number 1")
        for span in telemetry.spans:
            assert type((span.attributes or {}).get(NAME, "")) is str
        telemetry.clear()
    [point] = telemetry.metric_points("gen_ai.client.operation.duration")
    assert point.count == 1
    assert type((point.attributes or {}).get("region", "")) is str


def test_a_handler_of_the_logging_that_hangs_keeps_no_other_from_its_calls(
    start_telemetry: StartTelemetry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_INSTRUMENTATION_DSPY_METRIC_VALUES", "2")
    telemetry = start_telemetry()
    hanging, release = threading.Event(), threading.Event()

    class Hanging(logging.Filter):
        """One that no lock of the logging is held around."""

        def filter(self, record: logging.LogRecord) -> bool:
            if threading.current_thread().name.startswith("hanging"):
                hanging.set()
                release.wait()
            return True

    def ask(tenant: str) -> Any:
        with telemetry_context(metric_attributes={NAME: tenant}):
            return Desk()(question="number 1").answer

    of_bounds, hang = logging.getLogger("opentelemetry.instrumentation.dspy.labels.bounded_values"), Hanging()
    of_bounds.addFilter(hang)
    with ThreadPoolExecutor(1, "hanging") as pool, ThreadPoolExecutor(2, "other") as others:
        try:
            assert [ask("first"), ask("second")] == ["here"] * 2
            late = pool.submit(ask, "third")
            assert hanging.wait(30)
            answers = [others.submit(ask, tenant) for tenant in ("first", "fourth", "fifth")]
            assert [answer.result(30) for answer in answers] == ["here"] * 3
        finally:
            release.set()
            of_bounds.removeFilter(hang)
        assert late.result() == "here"
    assert sum(point.count for point in telemetry.metric_points("gen_ai.client.operation.duration")) == 6  # type: ignore[union-attr]
