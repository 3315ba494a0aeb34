"""What calls of language models and embedders used and cost: live totals that know their parent."""

from __future__ import annotations

import os
import threading
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any, Final

from .projections import Progress, Projection
from .slots import Slot
from .usage_exports import Export, Ledger, as_dictionary, read_export
from .usage_sums import NOTHING, Usage

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["SCOPE", "UsageScope", "joined", "outwards", "shared_scope"]

OTHER_MODELS = "other"
"""Under this key a scope adds up the models that came after it had seen ``MAX_MODELS`` of them."""

MAX_MODELS = 100

_lock = threading.RLock()
"""One for all scopes: it is held for some additions only, and no more.

Re-entrant, because the garbage collector may end a call at any line.
"""

if hasattr(os, "register_at_fork"):
    # A child process gets the sums complete, and the lock open.
    os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release)


@dataclass(slots=True)
class UsageScope:
    """A live total of everything that runs inside, in whatever thread or task.

    What is added here is added to every enclosing scope as well. Reading is possible at any time, while calls run
    and after them. The size is bounded: models beyond the hundredth are added up under ``"other"``, and
    of exports that were merged the last 10,000 are remembered.
    """

    parent: UsageScope | None = None
    _total: Usage = field(default_factory=lambda: NOTHING)
    """Never changed in place, as those of the models: most scopes have one call inside, whose numbers are the sum."""
    _by_model: dict[str, Usage] | None = field(default_factory=dict)
    """``None`` in a scope of this library's own, of which nobody asks for the models."""
    beside: UsageScope | None = None
    """A second scope around this one, where the application's block and the running call do not lie in each other."""
    ledger: Ledger | None = None
    """Who the scope is in other processes, and what it has of theirs; only of scopes that can be asked for."""
    exceeded: str | None = None
    """The bound for which a call inside was not sent: ``max_cost``, ``max_tokens``, ``max_calls``, ``unknown_price``;
    ``None`` while all were sent."""
    progress: Progress | None = None
    """What ``projected`` was asked so far."""

    def __repr__(self) -> str:
        """Return the sums that are not zero: what is shown where a test fails, or a program prints it."""
        sums = [f"{each.name}={number!r}" for each in fields(Usage) if (number := getattr(self._total, each.name))]
        return f"{type(self).__name__}({', '.join(sums)})"

    @classmethod
    def below(cls, parent: UsageScope | None) -> UsageScope:
        """Return a scope of a span, whose total is all that is asked for."""
        return cls(parent, NOTHING, None)

    def add(self, usage: Usage, model: str) -> None:
        """Add what one call used to this scope and to those around it."""
        self.add_sound(usage.copy(), model)

    def add_sound(self, usage: Usage, model: str) -> None:
        """Do the same with numbers that are known to be counts and prices."""
        with _lock:
            scope: UsageScope | None = self
            while scope is not None and scope.beside is None:
                scope._add_here(usage, model)
                scope = scope.parent
            for each in outwards(scope):
                each._add_here(usage, model)

    def _add_here(self, usage: Usage, model: str) -> None:
        total = self._total
        self._total = usage if total is NOTHING and type(usage) is Usage else total.plus(usage)
        if self._by_model is None:
            return
        key = model if model in self._by_model or len(self._by_model) < MAX_MODELS else OTHER_MODELS
        self._by_model[key] = self._by_model.get(key, NOTHING).plus(usage)

    def projected(self, done: int, total: int) -> Projection:
        """Return what all of the work will have cost, where ``done`` of ``total`` equal parts are behind it.

        Costs are in US dollars, times in seconds from the beginning of the block or of the first question. Ask after
        each part, or after every few: the spread is that of the parts between two questions, and there is none before
        the third. Where several such works lie in one block, each begins anew with its first part; what was spent
        before it is in ``cost`` and ``spent`` all the same.

        Raises ``ValueError`` unless 0 <= done <= total < 2**63, and ``TypeError`` for what is no number.
        """
        if self.progress is None:
            self.progress = Progress()
        return self.progress.project(self.total().cost, done, total)

    def total(self) -> Usage:
        """Return all numbers, taken at one moment."""
        return self._total.copy()

    @property
    def standing(self) -> Usage:
        """The same numbers as they stand, for who only reads them."""
        return self._total

    @property
    def lm_calls(self) -> int:
        """Language model calls that ended, failed ones and cache hits included."""
        return self._total.lm_calls

    @property
    def input_tokens(self) -> int:
        """Input tokens, those that the provider had cached included."""
        return self._total.input_tokens

    @property
    def output_tokens(self) -> int:
        """Output tokens, reasoning included."""
        return self._total.output_tokens

    @property
    def cost(self) -> float:
        """Sum of the known prices, in US dollars."""
        return self._total.cost

    @property
    def cost_unknown_calls(self) -> int:
        """Paid calls, of language models and hosted embedders, whose price is not known, and so not in ``cost``."""
        return self._total.cost_unknown_calls

    @property
    def cache_hits(self) -> int:
        """Language model calls that DSPy's own cache answered."""
        return self._total.cache_hits

    @property
    def saved_cost(self) -> float:
        """What the cache hits would have cost, in US dollars, where the stored reply tells."""
        return self._total.saved_cost

    @property
    def embedding_calls(self) -> int:
        """Calls of embedders that ended, failed ones included; what DSPy's cache answered whole is none of them."""
        return self._total.embedding_calls

    @property
    def embedding_tokens(self) -> int:
        """Tokens that were embedded, as far as replies have told; a function in this process tells none."""
        return self._total.embedding_tokens

    @property
    def by_model(self) -> Mapping[str, Usage]:
        """The same numbers for each request model, taken at one moment."""
        with _lock:
            return {model: usage.copy() for model, usage in (self._by_model or {}).items()}

    def export(self) -> dict[str, Any]:
        """Return all numbers for ``merge`` in another process, as a dictionary that JSON and pickle can carry.

        It may be taken as often as one likes; a later one holds the earlier ones. Raises ``RuntimeError`` for a scope
        that was begun in another process: what was used there would be brought home once more.
        """
        with _lock:
            ledger = self._own_ledger()
            ledger.check_process()
            by_model = {model: asdict(usage.copy()) for model, usage in (self._by_model or {}).items()}
            export = Export(ledger.identity, by_model)
            for scope in outwards(self):
                # Those around have it already: where the work ran in this process after all, it is not added again.
                scope._own_ledger().take(export)
        return as_dictionary(export)

    def merge(self, export: Mapping[str, Any]) -> None:
        """Add what ``export`` returned in another process to this scope and to those around it, exactly once.

        One that came before, in whole or in part, adds only what is new in it. Raises ``ValueError``, with what is
        wrong, for anything that ``export`` does not return; nothing is added then.
        """
        read = read_export(export, _KINDS)
        with _lock:
            for scope in outwards(self):
                for model, numbers in scope._own_ledger().take(read).items():
                    if any(numbers.values()):
                        scope._add_merged(Usage(**numbers), model)  # type: ignore[arg-type]

    def _add_merged(self, usage: Usage, model: str) -> None:
        self._add_here(usage, model)

    def _own_ledger(self) -> Ledger:
        if self.ledger is None:
            self.ledger = Ledger()
        return self.ledger


SCOPE: Final = Slot[UsageScope]("scope")
"""The innermost total that a call adds to."""


_KINDS = {number.name: type(number.default) for number in fields(Usage)}
"""The fields of ``Usage``, and whether each is a whole number."""


def shared_scope(scopes: Sequence[UsageScope | None]) -> UsageScope | None:
    """Return the innermost scope that is one of, or around, all of the given ones; ``None`` where there is none."""
    others = [{id(scope) for scope in outwards(scope)} for scope in scopes[1:]]
    for scope in outwards(scopes[0]) if scopes else ():
        if all(id(scope) in other for other in others):
            return scope
    return None


def joined(inner: UsageScope | None, outer: UsageScope | None) -> UsageScope | None:
    """Return the scope of what runs inside both, a new one only where neither lies in the other."""
    if inner is None or outer is None:
        return outer if inner is None else inner
    if any(scope is outer for scope in outwards(inner)):
        return inner
    if any(scope is inner for scope in outwards(outer)):
        return outer
    return UsageScope(outer, beside=inner)


def outwards(scope: UsageScope | None) -> Iterator[UsageScope]:
    """Yield a scope and all that are around it, each of them once."""
    seen: set[int] | None = None
    branches: list[UsageScope] = []
    while scope is not None:
        if seen is None or id(scope) not in seen:
            yield scope
            if scope.beside is not None:
                seen = set() if seen is None else seen
                branches.append(scope.beside)
            if seen is not None:
                seen.add(id(scope))
            scope = scope.parent
        else:
            scope = None
        if scope is None and branches:
            scope = branches.pop()
