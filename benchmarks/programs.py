"""The programs that are measured, on a language model that answers in process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import dspy
from dspy.lm15 import Message, Request, Response, TextPart, Usage

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["PROGRAMS", "SETTINGS", "MeasuredProgram", "language_model"]

PRICE = 0.000123
"""US dollars of each call."""

_REPLY = """[[ ## reasoning ## ]]
The customer was charged twice and asks for the money back.

[[ ## department ## ]]
billing

[[ ## urgency ## ]]
4

[[ ## answer ## ]]
The second charge goes back to your card within three days.

[[ ## completed ## ]]"""
"""Holds the output fields of every predictor; the adapter takes those of its own signature."""

_DEPARTMENTS = ("billing", "shipping", "accounts", "billing")

_TICKET = "I was charged twice for order 4711 on Monday and would like to have one of the payments back. " * 3


class Engine:
    """Answers each request at once, with the same text.

    The reply carries its price, where OpenRouter puts it: DSPy knows none for an engine that is not its own, and a
    call without a price would be cheaper to record than one to a provider.
    """

    def complete(self, request: Request) -> Response:
        """Return the reply."""
        return Response(
            id="reply-1",
            model="gpt-4o-mini-2024-07-18",
            message=Message(role="assistant", parts=(TextPart(_REPLY),)),
            finish_reason="stop",
            usage=Usage(input_tokens=812, output_tokens=64),
            provider_data={"usage": {"cost": PRICE}},
        )


class RouteTicket(dspy.Signature):  # type: ignore[misc]
    """Route a customer's ticket to the department that can help, and say how urgent it is."""

    ticket: str = dspy.InputField()
    history: str = dspy.InputField(desc="what the customer wrote before")
    department: Literal["billing", "shipping", "accounts"] = dspy.OutputField()
    urgency: int = dspy.OutputField(desc="1 to 5")


class SupportDesk(dspy.Module):  # type: ignore[misc]
    """One chain of thought with demonstrations, as an optimizer leaves it."""

    def __init__(self) -> None:
        super().__init__()
        self.route = dspy.ChainOfThought(RouteTicket)
        self.route.predict.demos = [
            dspy.Example(
                ticket=f"Example ticket {number}. {_TICKET}",
                history="none",
                reasoning="The words of the ticket tell the department.",
                department=department,
                urgency=number,
            ).with_inputs("ticket", "history")
            for number, department in enumerate(_DEPARTMENTS, 1)
        ]

    def forward(self, ticket: str, history: str) -> Any:
        """Route one ticket."""
        return self.route(ticket=ticket, history=history)


class SupportAnswer(dspy.Module):  # type: ignore[misc]
    """A chain of thought and a predictor, one after the other."""

    def __init__(self) -> None:
        super().__init__()
        self.route = dspy.ChainOfThought(RouteTicket)
        self.draft = dspy.Predict("ticket, department -> answer")

    def forward(self, ticket: str, history: str) -> Any:
        """Route one ticket and answer it."""
        department = self.route(ticket=ticket, history=history).department
        return self.draft(ticket=ticket, department=department)


class SupportPipeline(dspy.Module):  # type: ignore[misc]
    """Four predictors, one after the other."""

    def __init__(self) -> None:
        super().__init__()
        self.route = dspy.Predict("ticket -> department")
        self.rate = dspy.Predict("ticket, department -> urgency: int")
        self.draft = dspy.Predict("ticket, department, urgency: int -> answer")
        self.polish = dspy.Predict("ticket, draft -> answer")

    def forward(self, ticket: str) -> Any:
        """Answer one ticket."""
        department = self.route(ticket=ticket).department
        urgency = self.rate(ticket=ticket, department=department).urgency
        draft = self.draft(ticket=ticket, department=department, urgency=urgency).answer
        return self.polish(ticket=ticket, draft=draft)


@dataclass(frozen=True, slots=True)
class MeasuredProgram:
    """A program and how to make a function that calls it once."""

    title: str
    create: Callable[[], Callable[[], object]]


def _support_desk() -> Callable[[], object]:
    program = SupportDesk()
    return lambda: program(ticket=_TICKET, history="none")


def _bare_predictor() -> Callable[[], object]:
    predict = dspy.Predict("ticket -> answer")
    return lambda: predict(ticket=_TICKET)


def _support_answer() -> Callable[[], object]:
    program = SupportAnswer()
    return lambda: program(ticket=_TICKET, history="none")


def _cached_answer() -> Callable[[], object]:
    program = SupportAnswer()
    program.set_lm(language_model(cache=True))
    return lambda: program(ticket=_TICKET, history="none")


def _support_pipeline() -> Callable[[], object]:
    program = SupportPipeline()
    return lambda: program(ticket=_TICKET)


PROGRAMS = {
    "answer": MeasuredProgram("workflow with ChainOfThought and Predict", _support_answer),
    "cached": MeasuredProgram("the same, answered by DSPy's cache", _cached_answer),
    "desk": MeasuredProgram("support desk: workflow, ChainOfThought with 4 demos, Predict, chat", _support_desk),
    "predict": MeasuredProgram("one bare Predict", _bare_predictor),
    "pipeline": MeasuredProgram("workflow with 4 predictors", _support_pipeline),
}
"""By the name that selects one on the command line; the targets are about the first two."""


SETTINGS = {"disable_history": True}
"""DSPy's settings beside the language model: a history grows, and a call would take longer from one to the next."""


def language_model(*, cache: bool = False) -> dspy.LM:
    """Return the language model that answers in process, or from DSPy's cache where it may."""
    return dspy.LM("openai/gpt-4o-mini", engine=Engine(), cache=cache, temperature=0.2, max_tokens=500)
