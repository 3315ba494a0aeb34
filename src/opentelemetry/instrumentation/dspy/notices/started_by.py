"""How the program was started, as far as that decides who sets telemetry up."""

from __future__ import annotations

import os
import sys
from importlib.metadata import entry_points
from importlib.util import find_spec
from typing import TYPE_CHECKING

from opentelemetry.instrumentation.environment_variables import OTEL_PYTHON_DISABLED_INSTRUMENTATIONS

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "children_are_instrumented",
    "configurators",
    "has_sdk",
    "is_left_out",
    "is_notebook",
    "is_started_by_command",
]

_AUTO = "opentelemetry.instrumentation.auto_instrumentation"


def is_started_by_command() -> bool:
    """Return whether ``opentelemetry-instrument``, or an operator in its way, set this process up.

    Either does it from a ``sitecustomize`` in the folder of that package; to import the package sets nothing up.
    """
    package, site = sys.modules.get(_AUTO), getattr(sys.modules.get("sitecustomize"), "__file__", None)
    folders = list(getattr(package, "__path__", ()))
    return site is not None and os.path.dirname(os.path.abspath(site)) in map(os.path.abspath, folders)


def is_left_out(variables: Mapping[str, str]) -> bool:
    """Return whether the environment tells ``opentelemetry-instrument`` to leave DSPy alone."""
    names = {name.strip() for name in variables.get(OTEL_PYTHON_DISABLED_INSTRUMENTATIONS, "").split(",")}
    return not names.isdisjoint({"dspy", "*"})


def children_are_instrumented() -> bool:
    """Return whether Python processes that this one starts are set up by ``opentelemetry-instrument`` as it was."""
    spec = find_spec(_AUTO)
    folders = {os.path.abspath(folder) for folder in (spec.submodule_search_locations or ())} if spec else set()
    paths = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    return any(os.path.abspath(path) in folders for path in paths if path)


def has_sdk() -> bool:
    """Return whether the OpenTelemetry SDK is installed, without importing it."""
    try:
        return find_spec("opentelemetry.sdk.trace") is not None
    except ModuleNotFoundError:
        return False


def configurators() -> list[str]:
    """Return the packages that set the SDK up under ``opentelemetry-instrument``, of which one is needed."""
    return [point.value for point in entry_points(group="opentelemetry_configurator")]


def is_notebook() -> bool:
    """Return whether the program is typed into IPython, in a notebook or a terminal."""
    get_ipython = getattr(sys.modules.get("IPython"), "get_ipython", None)
    return get_ipython is not None and get_ipython() is not None
