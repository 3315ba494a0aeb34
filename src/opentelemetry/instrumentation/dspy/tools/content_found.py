"""Which content is recorded, and whether a redaction sees it first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry.util.genai.completion_hook import load_completion_hook
from opentelemetry.util.genai.environment_variables import (
    OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT,
    OTEL_INSTRUMENTATION_GENAI_COMPLETION_HOOK,
)
from opentelemetry.util.genai.utils import get_content_capturing_mode

from ..config import CONSOLE, REDACT
from ..notices.first_call import why_no_events
from ..redaction import Redaction
from .findings import Section

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..delivery.signals import Taken
    from .heard import HeardLog

__all__ = ["content_found"]

_CAPTURE = OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT
_OF_HOOKS = ("opentelemetry.util.genai.completion_hook", "opentelemetry.util.genai._upload")
_MODES = "NO_CONTENT, SPAN_ONLY, EVENT_ONLY or SPAN_AND_EVENT"


def content_found(variables: Mapping[str, str], logs: Taken, heard: HeardLog) -> Section:
    """Return what of prompts, replies, inputs and outputs is recorded."""
    section = Section("content", "Content")
    mode = get_content_capturing_mode().name
    if heard.take("opentelemetry.util.genai.utils"):
        section.change(
            "mode",
            f"{_CAPTURE}={variables.get(_CAPTURE, '')} is not valid, and no content is recorded",
            f"It takes {_MODES}.",
            mode,
        )
    elif mode == "NO_CONTENT":
        section.ok("mode", "no content is recorded: neither prompts nor replies, inputs or outputs", mode)
    else:
        where = {"SPAN_ONLY": "spans", "EVENT_ONLY": "log events"}.get(mode, "spans and log events")
        section.ok("mode", f"prompts, replies, inputs and outputs are recorded on {where} ({mode})", mode)
    if mode in ("EVENT_ONLY", "SPAN_AND_EVENT"):
        _add_events(section, mode, logs, variables)
    _add_redaction(section, variables, heard, is_recorded=mode != "NO_CONTENT")
    _add_hook(section, variables.get(OTEL_INSTRUMENTATION_GENAI_COMPLETION_HOOK, ""), heard)
    asked = variables.get("OTEL_TRACES_EXPORTER", "")
    if "dspy_console" in asked and mode in ("SPAN_ONLY", "SPAN_AND_EVENT") and not variables.get(CONSOLE, "").strip():
        section.note("console", "dspy_console prints no prompts and replies", remedy=f"Set {CONSOLE}=content.")
    return section


def _add_events(section: Section, mode: str, logs: Taken, variables: Mapping[str, str]) -> None:
    why = why_no_events(logs, variables)
    if why is None:
        return
    if mode == "EVENT_ONLY" and not variables.get(OTEL_INSTRUMENTATION_GENAI_COMPLETION_HOOK):
        section.change(
            "events", f"log events are to have it alone, and {why}", f"Change that, or set {_CAPTURE}=SPAN_ONLY.", mode
        )
    else:
        section.note("events", f"no log event brings it anywhere: {why}", mode)


def _add_hook(section: Section, name: str, heard: HeardLog) -> None:
    if not name:
        return
    heard.take(*_OF_HOOKS)
    load_completion_hook()
    wrong = heard.take(*_OF_HOOKS)
    if wrong:
        section.change(
            "hook",
            f"the completion hook {name} gets nothing: {wrong[0]}",
            f"Correct {OTEL_INSTRUMENTATION_GENAI_COMPLETION_HOOK}, or what the hook needs.",
            name,
        )
    else:
        section.note("hook", f"the completion hook {name} gets content too", name)


def _add_redaction(section: Section, variables: Mapping[str, str], heard: HeardLog, *, is_recorded: bool) -> None:
    from .. import DSPyInstrumentor  # Here: the whole library.

    name = variables.get(REDACT, "").strip() or None
    redaction = DSPyInstrumentor()._redaction or Redaction(None, name)
    heard.take("opentelemetry.instrumentation.dspy.redaction")
    if not redaction.is_ready:
        why = " ".join(heard.take("opentelemetry.instrumentation.dspy.redaction"))
        why = why[why.find("(") + 1 : why.rfind("). ")] if "(" in why else "it could not be loaded before"
        section.change(
            "redaction",
            f"{REDACT}={name} cannot be loaded ({why}), and no content is recorded for it",
            "Name a function as package.module:function, in a module that can be imported where the program runs.",
            "cannot be loaded",
        )
    elif redaction.is_given:
        section.ok("redaction", f"a redaction is in force: {name or 'given in code'}", "in force")
    elif is_recorded:
        section.note("redaction", "no redaction is in force: content is recorded as it is", "none")
    else:
        section.ok("redaction", "no redaction is needed while no content is recorded", "none")
