"""One call of an embedder: what DSPy did for it, and what the replies of a hosted model told and cost."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from ..language_models.outcomes import total_of
from ..language_models.pricing import settle_price
from ..language_models.providers import model_text, prefix_of, response_model
from ..lm_results import outcome_of_embeddings
from ..slots import Slot
from ..usage_sums import UnpricedUsage, Usage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..language_models.outcomes import LMOutcome
    from ..language_models.own_prices import OwnPrices
    from ..language_models.providers import ModelIdentity
    from ..usage import UsageScope

__all__ = ["EMBEDDING", "EmbeddingCall"]


@dataclass(slots=True)
class EmbeddingCall:
    """One call of an embedder under way; DSPy's own functions tell of its batches here.

    What a reply tells is in the totals as soon as it is there, so that a budget can end a call of many batches between
    two of them; the call itself is counted when it ends.
    """

    embedder: Any
    identity: ModelIdentity
    is_hosted: bool
    """Whether it names a model that somebody serves; otherwise it is a function, of which nobody tells what it does."""
    own_prices: OwnPrices | None = None
    totals: Sequence[UsageScope] = ()
    """To these the call adds."""
    outer: EmbeddingCall | None = None
    """The call whose function this one was made by: what is told here is a part of that."""
    has_computed: bool = False
    """Whether there was anything that DSPy's cache did not have."""
    cache_answers: int = 0
    """Batches that DSPy's cache had."""
    replies: list[LMOutcome] = field(default_factory=list)
    """What the replies of a hosted model told, one for each batch that was computed."""
    failure: Exception | None = None
    """What went wrong with a reply here: the call of the program goes on."""

    @property
    def whole(self) -> EmbeddingCall:
        """The call that this one is a part of, itself where it is none of another."""
        return self if self.outer is None else self.outer.whole

    def note_reply(self, reply: Any) -> None:
        """Take note of the reply of a hosted model to one batch; DSPy keeps nothing of it but the vectors."""
        try:
            outcome = outcome_of_embeddings(reply)
            outcome.response_model = response_model(outcome.response_model, prefix_of(model_text(self.embedder)))
            settle_price(outcome, self.identity, self.own_prices, self.embedder)
            self.whole.take(outcome)
        except Exception as error:  # noqa: BLE001 - told of at the end of the call
            self.failure = error

    def take(self, outcome: LMOutcome) -> None:
        """Add what one batch used and cost."""
        self.replies.append(outcome)
        tokens = outcome.usage.input_tokens or 0
        if outcome.cost is not None:
            self._add(Usage(embedding_tokens=tokens, cost=outcome.cost))
        elif tokens:
            self._add(UnpricedUsage(embedding_tokens=tokens))

    def count(self, error: BaseException | None, vectors: int) -> bool:
        """Count the call, which has ended with so many vectors, or with an error; return whether it is one.

        What DSPy's cache answered whole is no call, nor what came to nothing before any text was embedded.
        """
        is_call = self.outer is None and (self.has_computed or bool(vectors and not self.cache_answers))
        if is_call:
            self._add(Usage(embedding_calls=1, cost_unknown_calls=int(self._lacks_price(error))))
        return is_call

    def _lacks_price(self, error: BaseException | None) -> bool:
        """Return whether something was paid that nobody knows the price of.

        A function that no reply was seen of may run in this process, and takes no price as far as is known.
        """
        if not self.replies:
            return self.is_hosted and self.has_computed and error is None
        return any(reply.cost is None for reply in self.replies)

    def _add(self, usage: Usage) -> None:
        for total in self.totals:
            total.add_sound(usage, self.identity.model)

    @property
    def is_from_cache(self) -> bool:
        """Whether DSPy's cache answered the whole call."""
        return self.cache_answers > 0 and not self.has_computed

    def outcome(self) -> LMOutcome | None:
        """Return what all batches used and cost, ``None`` where no reply told; a part that is not known leaves the
        whole unknown."""
        if not self.replies:
            return None
        outcome = total_of(self.replies)
        named = [reply.response_model for reply in self.replies if reply.response_model is not None]
        outcome.response_model = named[-1] if named else None
        if any(reply.usage.input_tokens is None for reply in self.replies):
            outcome.usage.input_tokens = None
        return outcome


EMBEDDING: Final = Slot[EmbeddingCall]("embedding")
"""The call of an embedder whose own code a call lies in."""
