"""What a language model said, as content of its call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..content.messages import output_messages

if TYPE_CHECKING:
    from opentelemetry.util.genai.invocation import InferenceInvocation

    from ..content import Content
    from ..language_models.outcomes import LMOutcome

__all__ = ["record_reply"]


def record_reply(content: Content, invocation: InferenceInvocation, outcome: LMOutcome | None, result: Any) -> None:
    """Set what the language model said: as it came, else as DSPy hands it out, else what the call returned.

    A class that overrides ``__call__`` and its like pass none of the places where DSPy tells of a reply.
    """
    replies, said, reasons = (
        ((), result, []) if outcome is None else (outcome.replies, outcome.outputs or result, outcome.finish_reasons)
    )
    invocation.output_messages = output_messages(content.make_room_for_answer(), replies, said, reasons)
