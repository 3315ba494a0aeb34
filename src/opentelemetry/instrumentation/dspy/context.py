"""What travels with a running DSPy call: one record in the OpenTelemetry Context.

The calls inside read it to find what is around them. It knows none of the concepts that rooms keep with it (``slots``).
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, Final, Protocol

from opentelemetry.context import Context
from opentelemetry.trace import INVALID_SPAN, set_span_in_context

from opentelemetry import context as context_api

from .blocks import INNERMOST_BLOCK, lies_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from contextvars import Token

    from opentelemetry.trace import Span
    from opentelemetry.util.types import AttributeValue

    from .blocks import Block
    from .slots import OwnSlot, Slot

__all__ = [
    "CALL_KEY",
    "NO_CALL",
    "Call",
    "Opening",
    "Teller",
    "attach",
    "call_in",
    "current_call",
    "current_context",
    "detach",
    "inside_span",
    "with_call",
]

CALL_KEY: Final = context_api.create_key("opentelemetry.instrumentation.dspy.call")
"""Under which the record stands in a Context."""


class Opening(Protocol):
    """Something that was opened for a call and ends with it: a span, a context that was entered."""

    below: Opening | None
    """What was opened before it, for the same call."""

    def end(self, error: BaseException | None) -> object:
        """End it, with the error that ended the call if one did; do nothing where it has ended."""


class Teller(Protocol):
    """Tells what is known of a call before it runs; asked only where somebody may look at the start of its span."""

    def name_at_start(self, name: str) -> str:
        """Return the name of the span, where it takes work; given the name that it has without."""

    def attributes_at_start(self) -> Mapping[str, AttributeValue]:
        """Return what stands on the span from its start."""


class Call:
    """A call of an instrumented callable that is under way, or a part of one.

    There is one for each recorded call: what most have nothing of stands in the class until there is something.
    """

    own: dict[OwnSlot[Any], Any] | None = None
    """What rooms keep with this call alone."""
    around: Call | None = None
    """Of a record that a block of the application made: the record of the call around the block."""
    steps: list[str] | None = None
    """The methods that this call went on with so far, of its own object."""
    opened: Opening | None = None
    """What was opened last for the call and ends with it (``openings``)."""
    teller: Teller | None = None
    """Tells what its span starts with."""
    place: tuple[int, int] | None = None
    """The process and the thread that it began in; noted where there are budgets alone."""
    tells_errors: bool = False
    """Whether an exception that ends it is told of: its span records, or it is an operation that has a log event."""
    failures: list[Exception] | None = None
    """What went wrong in the beginning of its recording and did not end it."""

    def __init__(
        self,
        instance: Any,
        owner: object,
        attribute: str,
        arguments: tuple[Any, ...],
        keyword_arguments: dict[str, Any],
        caller: Call,
    ) -> None:
        self.instance = instance
        self.owner = owner
        """The class, or the Python module, in whose own ``__dict__`` the callable stands."""
        self.attribute = attribute
        self.arguments = arguments
        self.keyword_arguments = keyword_arguments
        self.caller: Call | None = caller
        """The call that made this one: of the outermost call the empty record, which alone has none."""
        self.kept: Mapping[Slot[Any], Any] = caller.kept
        """What rooms keep with the call; calls inside inherit it."""
        self.block: Block | None = caller.block
        """The innermost block of the application that the call lies in."""

    @property
    def given(self) -> tuple[Any, ...]:
        """What it was given, for the text of an error not to quote it."""
        return self.arguments, self.keyword_arguments

    def goes_on_with(self, step: str) -> bool:
        """Note that the call goes on with a method of its own object; false where it did before, or began with it."""
        if self.attribute == step:
            return False
        if self.steps is None:
            self.steps = [step]
            return True
        if step in self.steps:
            return False
        self.steps.append(step)
        return True

    def goes_on_in(self, instance: object, owner: object, attribute: str) -> bool:
        """Return whether a method that an object is asked for is this same call: ``super()``, or another door."""
        if instance is None or self.instance is not instance or (self.steps is not None and attribute in self.steps):
            return False
        return self.attribute != attribute or self.owner is not owner

    def part(
        self, instance: object = None, owner: object = None, attribute: str = "", arguments: tuple[Any, ...] = ()
    ) -> Call:
        """Return the record of a part of this call, which inherits what is kept with it."""
        part = Call(instance, owner, attribute, arguments, {}, self)
        if self.place is not None:
            part.place = self.place
        return part

    def with_block(self, block: Block) -> Call:
        """Return the record of the same call in a block, with what that adds."""
        if self.own is None and self.caller is not None:
            self.own = {}  # one for both
        same = copy.copy(self)
        same.kept, same.block, same.around = block.added_to(self.kept), block, self
        same.opened = same.failures = None
        return same

    def outwards(self) -> Iterator[Call]:
        """Yield this call and those around it, the innermost first."""
        call = self
        while call.caller is not None:
            yield call
            call = call.caller


class _NoCall(Call):
    """The empty record, of no call."""

    def __init__(self) -> None:
        self.instance = self.owner = self.caller = self.block = None
        self.attribute, self.arguments, self.keyword_arguments, self.kept = "", (), {}, {}


NO_CALL: Final[Call] = _NoCall()


def current_call(context: Context | None = None) -> Call:
    """Return the record of the innermost call under way, an empty one outside of any.

    It has in it what the application's innermost block adds, also where the Context does not know of that block.
    ``context`` is the current Context, for who has asked for it already.
    """
    if context is None:
        context = context_api.get_current()
    call: Call = context.get(CALL_KEY, NO_CALL)  # type: ignore[assignment]
    block = INNERMOST_BLOCK.get()
    if call.block is block and (block is None or not block.is_lost):
        return call
    while call.around is not None and call.block is not None and call.block.is_lost:
        call = call.around
    while block is not None and block.is_lost:
        block = block.outer
    return call if block is None or lies_in(call.block, block) else call.with_block(block)


def current_context() -> Context:
    """Return the current OpenTelemetry Context for work that runs elsewhere, with ``current_call`` in it."""
    context, call = context_api.get_current(), current_call()
    return context if call_in(context) is call else with_call(call, context)


def call_in(context: Context) -> Call:
    """Return the record of the innermost call under way that a context knows of, an empty one outside of any."""
    call: Call = context.get(CALL_KEY, NO_CALL)  # type: ignore[assignment]
    return call


def with_call(call: Call, context: Context | None = None) -> Context:
    """Return a context, by default the current one, with the record in it."""
    return Context({**(context_api.get_current() if context is None else context), CALL_KEY: call})


_SPAN_KEY: Final = next(iter(set_span_in_context(INVALID_SPAN, Context())))
"""Under which OpenTelemetry keeps the current span."""


def inside_span(call: Call, span: Span, context: Context) -> Context:
    """Return a context with the record, in which its span is the current one."""
    return Context(context, **{CALL_KEY: call, _SPAN_KEY: span})


def attach(context: Context) -> Token[Context]:
    """Make the context the current one and return what ``detach`` needs."""
    return context_api.attach(context)


def detach(token: Token[Context]) -> None:
    """Restore the context that was current before ``attach``.

    A coroutine or generator that is closed by the garbage collector ends in another context than it began in. There
    is nothing to restore there, and ``opentelemetry.context.detach`` would log an error about it.
    """
    try:
        token.var.reset(token)
    except ValueError:
        return
    except AttributeError:
        # The application has a way of its own to keep the Context (``OTEL_PYTHON_CONTEXT``), and so have its tokens.
        context_api.detach(token)
