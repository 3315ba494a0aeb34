"""What ends a part of a program at its budget: one exception on the way, another one where it comes out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..amounts import count_words, money_words

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..usage_sums import Usage
    from .bounded_scopes import BoundedScope
    from .bounds import Bound

__all__ = ["BudgetExceededError", "BudgetStop"]

_MODELS_TOLD = 5


class BudgetExceededError(Exception):
    """A bound of ``usage_scope``, or the budget of the process, was reached, and a call inside was not sent.

    ``bound`` says which: ``max_cost``, ``max_tokens``, ``max_calls``, or ``unknown_price`` where
    ``on_unknown="refuse"`` met a call without a price. ``limit`` is the number that was given, ``spent`` what was used
    up to now and ``by_model`` the same for each model. ``under_way`` calls were sent and had not ended: they may still
    add to the total. ``best_program`` is the best that an optimizer had found by then, ``None`` where none is known.
    """

    def __init__(
        self,
        bound: Bound,
        limit: float | None,
        spent: Usage,
        by_model: Mapping[str, Usage] | None = None,
        under_way: int = 0,
        best_program: Any = None,
    ) -> None:
        self.bound = bound
        self.limit = limit
        self.spent = spent
        self.by_model = dict(by_model or {})
        self.under_way = under_way
        self.best_program = best_program
        super().__init__(_message(bound, limit, spent, self.by_model, under_way))

    def __reduce__(self) -> tuple[Any, ...]:
        """Return how to make it anew in another process; a program need not be one that can go there."""
        return type(self), (self.bound, self.limit, self.spent, self.by_model, self.under_way)


class BudgetStop(BaseException):
    """Ends what runs inside a budget that is used up, and becomes ``BudgetExceededError`` where the budget ends.

    It is no ``Exception``, as ``asyncio.CancelledError`` is none: DSPy's evaluations, optimizers, agents and attempts
    catch those and go on. Whoever catches it inside may go on as well; nothing more is sent all the same.
    """

    def __init__(self, scope: BoundedScope, bound: Bound) -> None:
        self.scope = scope
        self.bound = bound
        self.best_program: Any = None
        super().__init__(str(self.ordinary()))

    def ordinary(self) -> BudgetExceededError:
        """Return the error that the application gets, with what was spent up to now."""
        scope = self.scope
        limit = scope.bounds.limit_of(self.bound)
        return BudgetExceededError(self.bound, limit, scope.total(), scope.by_model, scope.under_way, self.best_program)

    def __reduce__(self) -> tuple[Any, ...]:
        """Go to another process, where the budget is not, as the ordinary error."""
        return self.ordinary().__reduce__()


# Applications know both by the door.
for _error in (BudgetExceededError, BudgetStop):
    _error.__module__ = "opentelemetry.instrumentation.dspy"


def _message(bound: Bound, limit: float | None, spent: Usage, by_model: Mapping[str, Usage], under_way: int) -> str:
    dearest = sorted(by_model.items(), key=lambda item: item[1].cost, reverse=True)[:_MODELS_TOLD]
    models = ", ".join(f"{model} {money_words(usage.cost)}" for model, usage in dearest if usage.cost)
    said = f"{_reached(bound, limit)}, so no further call was sent. Spent: {money_words(spent.cost)}"
    said += f" on {count_words(spent.sent_calls, 'call')} and {count_words(spent.tokens, 'token')}"
    if spent.embedding_calls or spent.embedding_tokens:
        calls, tokens = count_words(spent.embedding_calls, "call"), count_words(spent.embedding_tokens, "token")
        said += f", of which {calls} and {tokens} of embedders"
    said += f" ({models})" if models else ""
    if spent.cost_unknown_calls:
        said += f"; {count_words(spent.cost_unknown_calls, 'call')} of unknown price not in it"
    if under_way:
        said += f"; {count_words(under_way, 'call')} under way may still add to it"
    return said + "."


def _reached(bound: Bound, limit: float | None) -> str:
    if bound == "max_cost":
        return f"The budget of {money_words(limit or 0)} (max_cost) is used up"
    if bound == "unknown_price":
        beside = "" if limit is None else f" (max_cost {money_words(limit)})"
        return f"A call has no known price, and on_unknown is 'refuse'{beside}"
    word = "token" if bound == "max_tokens" else "call"
    return f"The budget of {count_words(int(limit or 0), word)} ({bound}) is used up"
