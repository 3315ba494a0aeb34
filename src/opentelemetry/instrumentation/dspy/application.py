"""What an application can add to its telemetry, and ask of it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from opentelemetry.context import get_current

from .application_blocks import application_block
from .blocks import ATTRIBUTES, CONVERSATION_ID, INNERMOST_BLOCK, Block, still_open
from .budgets.bounds import Bounds
from .budgets.edges import ordinary_error
from .budgets.opening import leave_bounds, open_bounds
from .context import attach, call_in, current_call, detach, with_call
from .given_attributes import given_attributes, given_text
from .labels.given import GIVEN, given_labels, joined_labels
from .notices.usage import tell_of_no_usage, usage_is_read
from .projections import Progress
from .usage import SCOPE, UsageScope
from .usage_exports import Ledger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from opentelemetry.util.types import AttributeValue

    from .budgets.bounded_scopes import BoundedScope
    from .budgets.bounds import OnUnknown
    from .context import Call
    from .labels.given import LabelValue

__all__ = ["telemetry_context", "usage_scope"]


@application_block
def telemetry_context(
    *,
    conversation_id: str | None = None,
    attributes: Mapping[str, AttributeValue] | None = None,
    metric_attributes: Mapping[str, LabelValue] | None = None,
) -> Iterator[None]:
    """Give every span of this library inside the block a conversation id and attributes, and metrics some of them.

    ``conversation_id`` becomes ``gen_ai.conversation.id``; it should be the application's own, stable for one
    conversation. ``attributes`` stand on every span, not on the root alone, since backends group by each span.
    ``metric_attributes`` do too, and on the cost, token and duration points of language model and embedder calls as
    well: texts, booleans and numbers of few different values, such as a tenant. Blocks nest: the inner one adds to the
    outer one, and wins where both set the same name. Works in ``async`` code too.

    Raises ``TypeError`` for metric attributes of another type, ``ValueError`` for a name that this library sets itself
    and for a number that is no value of a time series.
    """
    labels, outer = given_labels(metric_attributes), current_call()
    leave = _enter(
        Block(
            SCOPE.of(outer),
            CONVERSATION_ID.of(outer) if conversation_id is None else given_text(conversation_id),
            {
                **(ATTRIBUTES.of(outer) or {}),
                **({} if attributes is None else given_attributes(attributes)),
                **({} if labels is None else labels.attributes),
            },
            outer.block,
            labels=joined_labels(GIVEN.of(outer), labels),
        ),
        outer,
    )
    try:
        yield
    finally:
        leave()


@application_block
def usage_scope(
    *,
    max_cost: float | None = None,
    max_tokens: int | None = None,
    max_calls: int | None = None,
    on_unknown: OnUnknown = "count_tokens",
) -> Iterator[UsageScope]:
    """Count the calls of language models and embedders inside the block, in whatever thread or task DSPy runs them.

    The scope that is yielded can be read at any time, within the block and after it. Calls count whether or not their
    spans are sampled. Costs are in US dollars.

    Once a bound is reached, the next call of a language model or an embedder inside is not sent, and the block ends
    with ``BudgetExceededError``; what was sent by then goes on, and what DSPy's cache answers is free.
    ``on_unknown`` says what a call of unknown price is to ``max_cost``: its tokens at the average price of the other
    calls of its kind (``"count_tokens"``), the last call (``"refuse"``), or nothing (``"ignore"``). Raises
    ``TypeError`` or ``ValueError`` for what is no bound, and ``RuntimeError`` for bounds where DSPy is not
    instrumented.
    """
    usage_is_read()
    bounds = Bounds(max_cost, max_tokens, max_calls, on_unknown)
    outer = current_call()
    around = SCOPE.of(outer)
    bounded = open_bounds(around, bounds) if bounds.are_any else None
    scope = UsageScope(around) if bounded is None else bounded
    scope.progress, scope.ledger = Progress(), Ledger()
    block = Block(scope, CONVERSATION_ID.of(outer), ATTRIBUTES.of(outer) or {}, outer.block, labels=GIVEN.of(outer))
    leave = _enter(block, outer)
    try:
        if bounded is None:
            yield scope
        else:
            with _bounds_kept(bounded):
                yield scope
    finally:
        leave()
        tell_of_no_usage()


@contextmanager
def _bounds_kept(scope: BoundedScope) -> Iterator[None]:
    """End a block with bounds: what stopped the calls inside comes out as an ordinary error."""
    try:
        yield
    except BaseException as error:
        leave_bounds(scope, error)
        ordinary = ordinary_error(error, scope)
        if ordinary is None:
            raise
        raise ordinary from error
    leave_bounds(scope, None)


def _enter(block: Block, outer: Call) -> Callable[[], None]:
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
