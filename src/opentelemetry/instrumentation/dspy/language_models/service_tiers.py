"""The tier at which a provider says that it served a call: most have prices of their own for batches and priority."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..reading import read
from .reply_values import member, name_of

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["BATCH", "MIXED", "STANDARD", "tier_of"]

BATCH = "batch"

MIXED = "several tiers"
"""Of a call whose requests were served at several: no table has a price for their sum."""

STANDARD = {"auto", "default", "on_demand", "standard"}
"""Providers' words for the ordinary tier."""


def tier_of(replies: Sequence[Any]) -> tuple[str | None, bool]:
    """Return the tier that all replies of a call name, ``None`` for the ordinary one, and whether tables know of it.

    DSPy's and LiteLLM's tables price a call as an ordinary one whose reply names its tier in the usage, as Anthropic's
    replies do.
    """
    told = [_tier_in(reply) for reply in replies]
    if len(told) == 1:
        return told[0]
    tiers = {tier for tier, _ in told}
    return MIXED if len(tiers) > 1 else next(iter(tiers), None), all(is_known for _, is_known in told)


def _tier_in(reply: Any) -> tuple[str | None, bool]:
    tier = _named(_found(reply, "service_tier"))
    if tier is None and (in_usage := _found(_found(reply, "usage"), "service_tier")) is not None:
        tier = _named(in_usage)
        return tier, tier is None
    if tier is None and type(reply) is dict and "usageMetadata" in reply:
        tier = _named(member(reply["usageMetadata"], "serviceTier"))  # Gemini's
    return tier, True


def _found(value: Any, name: str) -> Any:
    if type(value) is not dict and type(extra := read(value, "__pydantic_extra__")) is dict:
        # To ask one of pydantic's objects for what it does not have takes ten times as long.
        return extra[name] if name in extra else vars(value).get(name)
    return member(value, name)


def _named(value: Any) -> str | None:
    name = None if value is None else name_of(value)
    tier = None if name is None else name.lower()
    return None if tier in STANDARD else tier
