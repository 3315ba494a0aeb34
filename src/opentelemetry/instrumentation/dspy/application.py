"""What an application can add to its telemetry, and ask of it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from .context import attach, current_call, detach, with_call
from .usage import UsageScope

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from opentelemetry.util.types import AttributeValue

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
    inner = outer.child(outer.instance, outer.owner, outer.attribute)
    inner.conversation_id = conversation_id if conversation_id is not None else outer.conversation_id
    inner.attributes = {**outer.attributes, **(attributes or {})}
    token = attach(with_call(inner))
    try:
        yield
    finally:
        detach(token)


@contextmanager
def usage_scope() -> Iterator[UsageScope]:
    """Count the language model calls inside the block, in whatever thread or task DSPy runs them.

    The scope that is yielded can be read at any time, within the block and after it. Calls count whether or not their
    spans are sampled. Costs are in US dollars.
    """
    outer = current_call()
    inner = outer.child(outer.instance, outer.owner, outer.attribute)
    inner.scope = scope = UsageScope(outer.scope)
    token = attach(with_call(inner))
    try:
        yield scope
    finally:
        detach(token)
