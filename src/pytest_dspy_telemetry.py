"""The pytest plugin of ``opentelemetry-instrumentation-dspy``: ``dspy_telemetry`` and ``dspy_budget``.

pytest loads it wherever it is installed, so it stands outside of the package, and imports that where the fixture is
used. pytest rewrites the assertions of whatever a distribution with a plugin holds at its top; without a module there
it would take our folder ``dspy`` for the package of that name, and rewrite DSPy.
"""

from __future__ import annotations

import inspect
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from opentelemetry.instrumentation.dspy.testing import Bounds, RecordedTelemetry  # noqa: F401 - in texts

__all__ = ["dspy_telemetry"]

Made = TypeVar("Made")

_FIXTURE = "dspy_telemetry"
_BUDGET = "dspy_budget"
_MARKERS = (
    f"{_BUDGET}(lm_calls=None, cost=None, tokens=None): fail the test if DSPy used more; cost in US dollars",
    f"{_FIXTURE}(content=None): how the fixture {_FIXTURE} records; content=True with prompts, replies and values",
)
_ANY_NAME = inspect.Parameter.VAR_KEYWORD
_recorded = pytest.StashKey["RecordedTelemetry"]()
_bounds = pytest.StashKey["Bounds"]()


def pytest_configure(config: pytest.Config) -> None:
    """Make the marks known."""
    for marker in _MARKERS:
        config.addinivalue_line("markers", marker)


def pytest_itemcollected(item: pytest.Item) -> None:
    """Give a test with a budget the fixture that counts, behind its others: what they call is not the test's."""
    if isinstance(item, pytest.Function) and item.get_closest_marker(_BUDGET) and _FIXTURE not in item.fixturenames:
        item.fixturenames.append(_FIXTURE)


@pytest.fixture
def dspy_telemetry(request: pytest.FixtureRequest) -> Iterator[RecordedTelemetry]:
    """What DSPy does in this test: ``.spans``, ``.chats``, ``.usage``, ``.tree()``, ``.assert_at_most(lm_calls=3)``."""
    testing, node = _testing(), request.node
    budget = _arguments(node, _BUDGET)
    if budget is not None:
        node.stash[_bounds] = _made(_BUDGET, testing.Bounds, budget)
    recording = _made(_FIXTURE, testing.recorded_telemetry, _arguments(node, _FIXTURE) or {})
    with ExitStack() as stack:
        try:
            recorded = stack.enter_context(recording)
        except RuntimeError as error:  # DSPy is not there, or not one that is supported.
            complaint = str(error)
        else:
            node.stash[_recorded] = recorded
            yield recorded
            return
    pytest.fail(complaint, pytrace=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Fail a test that went beyond its budget, and show what DSPy did in one that fails for itself."""
    try:
        result = yield
    except (Exception, pytest.fail.Exception) as error:
        recorded = item.stash.get(_recorded, None)
        tree = "" if recorded is None else recorded.tree()
        if tree and tree.rstrip() not in str(error):
            item.add_report_section("call", "DSPy", tree)
        raise
    bounds = item.stash.get(_bounds, None)
    excess = None if bounds is None else item.stash[_recorded].excess(bounds)
    if excess is not None:
        pytest.fail(excess, pytrace=False)
    return result


def _testing() -> Any:
    try:
        from opentelemetry.instrumentation.dspy import testing
    except ImportError as error:
        complaint = str(error)
    else:
        return testing
    pytest.fail(complaint, pytrace=False)


def _made(marker: str, make: Callable[..., Made], arguments: dict[str, Any]) -> Made:
    """Return what the arguments of a mark make, and fail the test where they cannot be right."""
    names = [name for name, parameter in inspect.signature(make).parameters.items() if parameter.kind != _ANY_NAME]
    unknown = sorted(arguments.keys() - set(names))
    complaint = f"there is no {', '.join(unknown)}; it takes {', '.join(names)}." if unknown else ""
    if not complaint:
        try:
            return make(**arguments)
        except (TypeError, ValueError) as error:
            complaint = str(error)
    pytest.fail(f"@pytest.mark.{marker}: {complaint}", pytrace=False)


def _arguments(node: pytest.Item, marker: str) -> dict[str, Any] | None:
    mark = node.get_closest_marker(marker)
    if mark is None:
        return None
    if mark.args:
        pytest.fail(f"@pytest.mark.{marker} takes arguments by name, such as lm_calls=3.", pytrace=False)
    return dict(mark.kwargs)
