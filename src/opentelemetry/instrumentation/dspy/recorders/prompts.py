"""The log event that tells what stands behind the name and version of a prompt, once for each of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.semconv._incubating.attributes.gen_ai_attributes import GEN_AI_PROMPT_NAME

from .. import semconv
from ..convention_names import GEN_AI_PROMPT_VERSION
from ..locks import ForkSafeLock
from ..log_events import emit_event
from ..programs.prompts import prompt_template

if TYPE_CHECKING:
    from opentelemetry.util.types import AttributeValue

    from ..programs.running_modules import RunningModule
    from ..telemetry import Telemetry

__all__ = ["PromptTeller"]

MAX_TOLD = 10_000
"""Prompts that are remembered; a program that makes more of them is told of the oldest again."""


class PromptTeller:
    """Emits the event at the first use of a prompt that somebody records."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry
        self._lock = ForkSafeLock()
        self._told: dict[tuple[str, str], None] = {}

    def tell(self, predictor: RunningModule, name: str, version: str | None) -> None:
        """Tell of the prompt of a predictor's call, if it is new and content may stand on events."""
        if version is None or not self._telemetry.content.on_events or not self._is_new((name, version)):
            return
        template, content = prompt_template(predictor), self._telemetry.content.of_language_model_span()
        attributes: dict[str, AttributeValue] = {
            GEN_AI_PROMPT_NAME: name,
            GEN_AI_PROMPT_VERSION: version,
            semconv.DSPY_PROMPT_INSTRUCTIONS: content.text(template.instructions, "system"),
            semconv.DSPY_PROMPT_FIELDS: content.named_json(template.fields, "system"),
        }
        if template.demos:
            attributes[semconv.DSPY_PROMPT_DEMOS] = content.json(template.demos, "input")
        emit_event(
            self._telemetry.logger,
            LogRecord(
                event_name=semconv.EVENT_DSPY_PROMPT,
                severity_number=SeverityNumber.DEBUG,
                severity_text=SeverityNumber.DEBUG.name,
                attributes=attributes,
            ),
        )

    def _is_new(self, prompt: tuple[str, str]) -> bool:
        with self._lock:
            if prompt in self._told:
                return False
            self._told[prompt] = None
            if len(self._told) > MAX_TOLD:
                del self._told[next(iter(self._told))]
            return True
