"""Other instrumentations of DSPy, and of what DSPy calls: installed, and at work."""

from __future__ import annotations

import sys
from importlib.metadata import distributions
from typing import TYPE_CHECKING, Any

from ..peers import other_instrumentors
from .findings import Section

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = ["peers_found"]

_OF_CLIENTS = ("litellm", "openai", "openai-v2", "anthropic", "genai-openai", "genai-anthropic", "httpx", "requests")
"""Names of instrumentors of what DSPy's language models call; each makes spans below this library's."""

_OTHERS = ("mlflow", "opik", "langfuse", "langsmith", "weave", "traceloop-sdk", "logfire", "arize-phoenix-otel")
"""Packages that can record DSPy in ways of their own: by callbacks, or by instrumentors that they bring."""


def peers_found() -> Section:
    """Return who else records DSPy calls."""
    section = Section("peers", "Other instrumentations")
    for name, point in sorted(other_instrumentors("dspy").items()):
        if _is_at_work(point):
            section.change(
                "dspy",
                f"{name} instruments DSPy too, and is at work: every call is recorded twice",
                f"Uninstall it, or leave it out. Under opentelemetry-instrument both go by the name dspy in "
                f"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS: pip uninstall {name}.",
                {"name": name, "at_work": True},
            )
        else:
            section.note(
                "dspy", f"{name} can instrument DSPy too; it is not at work here", {"name": name, "at_work": False}
            )
    for name, point in sorted(other_instrumentors(*_OF_CLIENTS).items()):
        at_work = _is_at_work(point)
        section.note(
            "clients",
            f"{name} is {'at work' if at_work else 'installed'}: {_of_spans(name)}",
            {"name": name, "at_work": at_work},
        )
    for callback in _callbacks():
        section.note("callbacks", f"a callback of {callback} is in dspy.settings and records too", {"name": callback})
    present = sorted({name for name in _OTHERS if _is_installed(name)})
    if present:
        section.note(
            "others",
            f"installed: {', '.join(present)}. Each can record DSPy in its own way, if the program asks it to",
            present,
        )
    if not section.findings:
        section.ok("none", "none is installed")
    return section


def _is_at_work(point: EntryPoint) -> bool:
    instrumentor = getattr(sys.modules.get(point.module), point.attr, None)
    if not isinstance(instrumentor, type):
        return False
    # One for each class, which exists once somebody has asked for it: to ask would make it.
    return bool(getattr(vars(instrumentor).get("_instance"), "is_instrumented_by_opentelemetry", False))


def _callbacks() -> list[str]:
    dspy: Any = sys.modules.get("dspy")
    try:
        callbacks = list(dspy.settings.callbacks) if dspy is not None else []
    except Exception:  # noqa: BLE001 - whatever the program has put there
        return []
    return sorted({type(callback).__module__.split(".")[0] for callback in callbacks})


def _is_installed(name: str) -> bool:
    return any(_normalized(found.metadata["Name"] or "") == name for found in distributions(name=name))


def _normalized(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")


def _of_spans(name: str) -> str:
    """Return what becomes of the spans of an instrumentation of a provider's client."""
    if name.startswith("opentelemetry-instrumentation-genai-"):
        # opentelemetry-util-genai makes one span of calls that lie in each other.
        return "inside DSPy's language model calls it makes no spans of its own"
    return (
        "its spans stand below those of language model calls, and a backend that adds tokens up over all spans counts "
        "them twice"
    )
