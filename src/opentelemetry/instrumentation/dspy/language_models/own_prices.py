"""Prices of the application's own: from a function or a file, for deployments that no table knows or has right.

They go before every price that is worked out from a table, and never before one that the provider's reply carries.
"""

from __future__ import annotations

import contextlib
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from opentelemetry.instrumentation.utils import suppress_instrumentation

from ..reading import name_of_type, shown
from .price_files import read_price_file
from .providers import model_text
from .reply_values import is_a, price_of

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping
    from typing import Any

    from .outcomes import LMOutcome
    from .price_files import ModelPrices
    from .providers import ModelIdentity
    from .token_usage import TokenUsage

__all__ = ["OwnPrices", "PricedCall", "Prices"]

Prices: TypeAlias = "Callable[[PricedCall], float | None] | str | os.PathLike[str]"
"""A function that prices a call, or the path of a file."""

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PricedCall:
    """What is known of a call that is to be priced; counts are ``None`` where the provider did not tell them.

    Input tokens include those that the provider had cached or cached now, output tokens those of reasoning.
    """

    provider: str
    """As ``gen_ai.provider.name`` has it."""
    model: str
    """The model that was asked for, without the provider: ``gen_ai.request.model``."""
    response_model: str | None
    """The model that answered, as the reply names it."""
    tier: str | None
    """The provider's word for it (``batch``, ``flex``, ``priority``); ``None`` is the ordinary one."""
    input_tokens: int | None
    output_tokens: int | None
    cached_input_tokens: int | None
    cache_write_tokens: int | None
    reasoning_tokens: int | None


class OwnPrices:
    """Prices from a function of the application's, or from a file."""

    __slots__ = ("_complained", "_function", "_models")

    def __init__(
        self,
        function: Callable[[PricedCall], float | None] | None = None,
        models: Mapping[str, ModelPrices] | None = None,
    ) -> None:
        self._function = function
        self._models = models or {}
        self._complained = False

    @classmethod
    def read(cls, given: Prices) -> tuple[OwnPrices, list[str]]:
        """Return prices from a function or the path of a file, and what is wrong with the file's models.

        Raises ``PriceFileError`` where the file cannot be read.
        """
        if callable(given):
            return cls(given), []
        models, wrong = read_price_file(given)
        return cls(models=models), wrong

    def find(
        self, usage: TokenUsage, outcome: LMOutcome, identity: ModelIdentity, language_model: Any
    ) -> tuple[bool, float | None]:
        """Return whether there is a price of its own for a model, and which; ``None`` where it cannot be told."""
        if self._function is not None:
            return self._asked(self._function, usage, outcome, identity)
        prices = self._prices_of(identity, model_text(language_model), outcome.response_model)
        return (False, None) if prices is None else (True, prices.price(usage, outcome.tier))

    def _prices_of(self, identity: ModelIdentity, text: str, answered_by: str | None) -> ModelPrices | None:
        """Return the prices of the model that was asked for, else of the one that answered under another name."""
        prefix, separator, _ = text.partition("/")
        names = [text, f"{identity.provider}/{identity.model}", identity.model]
        if answered_by is not None:
            names += [f"{prefix}/{answered_by}"] if separator else []
            names += [f"{identity.provider}/{answered_by}", answered_by]
        return next((self._models[name] for name in map(str.lower, names) if name in self._models), None)

    def _asked(
        self,
        function: Callable[[PricedCall], float | None],
        usage: TokenUsage,
        outcome: LMOutcome,
        identity: ModelIdentity,
    ) -> tuple[bool, float | None]:
        call = PricedCall(
            identity.provider,
            identity.model,
            outcome.response_model,
            outcome.tier,
            usage.input_tokens,
            usage.output_tokens,
            usage.cache_read_input_tokens,
            usage.cache_write_input_tokens,
            usage.reasoning_output_tokens,
        )
        try:
            # What it calls is no part of the trace: with DSPy in it, it would be asked for its own prices for ever.
            with suppress_instrumentation():
                told = function(call)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - the application's function must not end the application's call
            self._complain(f"raised {name_of_type(error)}")
            return True, None
        if told is None:
            return False, None
        price = None if is_a(told, str) else price_of(told)
        if price is None:
            self._complain(f"returned {shown(told) if is_a(told, (int, float)) else name_of_type(told)}")
        return True, price

    def _complain(self, what: str) -> None:
        if not self._complained:
            self._complained = True
            # The application's logging may raise as well, and the call must go on.
            with contextlib.suppress(Exception):
                _logger.warning(
                    "The function of prices= %s: it takes a PricedCall and returns US dollars, or None for a model "
                    "that it has no price for. Prices that it cannot tell are not known; further failures are not "
                    "logged.",
                    what,
                )
