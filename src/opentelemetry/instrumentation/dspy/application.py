"""What an application can add to its telemetry, and ask of it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from opentelemetry.context import get_current

from .blocks import INNERMOST_BLOCK, Block, still_open
from .context import attach, call_in, current_call, detach, with_call
from .encodable import encodable
from .usage import UsageScope

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from opentelemetry.util.types import AttributeValue

    from .context import ActiveCall

__all__ = ["telemetry_context", "usage_scope"]


@contextmanager
def telemetry_context(
    *, conversation_id: str | None = None, attributes: Mapping[str, AttributeValue] | None = None
) -> Iterator[None]:
    """Give every span of this library inside the block a conversation id and attributes.

    ``conversation_id`` becomes ``gen_ai.conversation.id``; it should be the application's own, stable for one
    conversation. ``attributes`` stand on every span, not on the root alone, since backends group by each span. Blocks
    nest: the inner one adds to the outer one, and wins where both set the same name. Works in ``async`` code too.
    """
    outer = current_call()
    leave = _enter(
        Block(
            outer.scope,
            outer.conversation_id if conversation_id is None else _encodable(conversation_id),
            {**outer.attributes, **{_encodable(name): _encodable(value) for name, value in (attributes or {}).items()}},
            outer.block,
        ),
        outer,
    )
    try:
        yield
    finally:
        leave()


@contextmanager
def usage_scope() -> Iterator[UsageScope]:
    """Count the language model calls inside the block, in whatever thread or task DSPy runs them.

    The scope that is yielded can be read at any time, within the block and after it. Calls count whether or not their
    spans are sampled. Costs are in US dollars.
    """
    outer = current_call()
    scope = UsageScope(outer.scope)
    leave = _enter(Block(scope, outer.conversation_id, outer.attributes, outer.block), outer)
    try:
        yield scope
    finally:
        leave()


def _encodable(value: Any) -> Any:
    """Return the texts of an attribute as ones that OTLP can carry, and all else as it is."""
    if isinstance(value, str):
        return encodable(value)
    return [_encodable(item) for item in value] if isinstance(value, (list, tuple)) else value


def _enter(block: Block, outer: ActiveCall) -> Callable[[], None]:
    """Enter a block, and return what leaves it, in whatever context and order blocks are left."""
    context = with_call(outer.with_block(block))
    token, block_token = attach(context), INNERMOST_BLOCK.set(block)

    def leave() -> None:
        innermost = INNERMOST_BLOCK.get()
        try:
            INNERMOST_BLOCK.reset(block_token)
            block.is_left = True
        except ValueError:
            block.is_lost = True
        # One that began inside and goes on stays; none comes back that is over.
        INNERMOST_BLOCK.set(still_open(block.outer if innermost is block else innermost))
        if get_current() is context:
            detach(token)
        call = left_in = call_in(get_current())
        while call.around is not None and call.block is not still_open(call.block):
            call = call.around
        if call is not left_in:
            attach(with_call(call))

    return leave
