"""Warnings of what is called name the line of the program, as they do without instrumentation."""

from __future__ import annotations

import asyncio
import inspect
import warnings
from typing import TYPE_CHECKING, Any

from patched import Worker, patched

from opentelemetry.instrumentation.dspy.wrapping import importlib_bootstrap_frames
from opentelemetry.instrumentation.dspy.wrapping.calls import Recording

if TYPE_CHECKING:
    from opentelemetry.instrumentation.dspy.context import Call


class Silent(Recording):
    """A recorder that records every call, of which nothing is to be told."""

    def begin(self, call: Call) -> Silent:
        return self

    def finish(self, result: Any) -> None:
        """Nothing."""

    def fail(self, error: BaseException) -> None:
        """Nothing."""


def test_a_warning_about_the_caller_names_the_caller() -> None:
    class Old(Worker):
        def __call__(self, *values: Any, **options: Any) -> Any:
            warnings.warn("old", DeprecationWarning, stacklevel=2)
            return inspect.stack()[1].filename

        async def acall(self, *values: Any, **options: Any) -> Any:
            warnings.warn("old", DeprecationWarning, stacklevel=2)
            return inspect.stack()[1].filename

    def places() -> tuple[list[Any], list[tuple[str, int]]]:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            between = [Old()(), asyncio.run(Old().acall())]
        return between, [(warning.filename, warning.lineno) for warning in caught]

    _, plain = places()
    with patched(Silent()):
        between, recorded = places()
    assert recorded == plain
    assert recorded[0][0] == __file__
    # The frames are there, under the name of their own file.
    assert between == [importlib_bootstrap_frames.__file__] * 2
