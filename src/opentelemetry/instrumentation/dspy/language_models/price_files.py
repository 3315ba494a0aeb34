"""Prices of one's own, read from a file: for each model, dollars for a million tokens of each kind.

our-gateway/llama-3.1-70b:
  input: 0.60
  cached_input: 0.06   # without it as input
  cache_write: 0.75    # without it as input
  cache_write_1h: 1.20 # without it as cache_write
  output: 0.90
  batch: {input: 0.30, output: 0.45}
"""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..reading import shown
from .reply_values import number_of

if TYPE_CHECKING:
    from .token_usage import TokenUsage

__all__ = ["ModelPrices", "PriceFileError", "read_price_file"]

_MILLION = 1_000_000
_MOST = 1e9
"""Dollars for a million tokens that nobody asks for."""

_NEEDED = ("input", "output")
_FIELDS = ("input", "cached_input", "cache_write", "cache_write_1h", "output")
_TIERS = ("batch", "flex", "priority")


class PriceFileError(ValueError):
    """A file of prices cannot be read, or says something that is no price; the text names file, model and field."""


@dataclass(frozen=True, slots=True)
class ModelPrices:
    """What a model costs, in US dollars for a million tokens, and what it costs at other tiers."""

    input: float
    output: float
    cached_input: float
    cache_write: float
    cache_write_1h: float
    tiers: Mapping[str, ModelPrices] = field(default_factory=dict)

    def price(self, usage: TokenUsage, tier: str | None) -> float | None:
        """Return the price of a call in US dollars, ``None`` where it is not known what it used or its tier costs."""
        if tier is not None:
            prices = self.tiers.get(tier)
            return None if prices is None else prices.price(usage, None)
        if usage.input_tokens is None and usage.output_tokens is None:
            return None
        # The parts are of the whole, whatever a reply says.
        whole = usage.input_tokens or 0
        cached = min(usage.cache_read_input_tokens or 0, whole)
        written = min(usage.cache_write_input_tokens or 0, whole - cached)
        long = min(usage.long_cache_write_input_tokens or 0, written)
        amounts = (
            ((whole - cached - written), self.input),
            (cached, self.cached_input),
            (written - long, self.cache_write),
            (long, self.cache_write_1h),
            (usage.output_tokens or 0, self.output),
        )
        return sum(count * price for count, price in amounts) / _MILLION


def read_price_file(path: str | os.PathLike[str]) -> tuple[dict[str, ModelPrices], list[str]]:
    """Read a file of prices, and return with them what is wrong with the models that have none.

    YAML, for which the package ``pyyaml`` is needed, or JSON where the name ends in ``.json``. Raises
    ``PriceFileError`` where the file cannot be read or is none of models.
    """
    name = os.fspath(path)
    content = _parsed(name, _text(name))
    if not isinstance(content, Mapping) or not content:
        raise PriceFileError(f"{name} has no prices: it takes models, each with its prices, not {shown(content)}.")
    prices: dict[str, ModelPrices] = {}
    wrong = []
    seen: set[str] = set()
    for model, values in content.items():
        read = _read_model(model, values)
        asked_for = str(model).strip().lower()
        if isinstance(read, PriceFileError):
            wrong.append(f"{name}: {read}")
        elif asked_for in seen:
            wrong.append(f"{name}: model {shown(model)} stands there twice, since capitals do not matter.")
            prices.pop(asked_for, None)
        else:
            prices[asked_for] = read
        seen.add(asked_for)
    return prices, wrong


def _read_model(model: Any, values: Any) -> ModelPrices | PriceFileError:
    if not isinstance(model, str) or not model.strip():
        return PriceFileError(f"{shown(model)} is no name of a model.")
    if "*" in model:
        return PriceFileError(f"{shown(model)} is no name of a model: each has its own entry, by its whole name.")
    try:
        return _prices_of(f"model {shown(model)}", values)
    except PriceFileError as error:
        return error


def _text(name: str) -> str:
    try:
        with open(name, encoding="utf-8-sig") as file:
            return file.read()
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not in UTF-8"
        raise PriceFileError(f"{name} cannot be read: {reason}.") from None


def _parsed(name: str, text: str) -> Any:
    if name.lower().endswith(".json"):
        try:
            return json.loads(text, object_pairs_hook=_without_doubles)
        except (ValueError, RecursionError) as error:
            raise PriceFileError(f"{name} is not JSON: {error}.") from None
    try:
        import yaml
    except ImportError:
        raise PriceFileError(
            f"{name} cannot be read without the package pyyaml: install it, or write the prices as JSON, in a file "
            "whose name ends in .json."
        ) from None
    try:
        _refuse_doubles(yaml.compose(text, Loader=yaml.SafeLoader))
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = "" if mark is None else f" in line {mark.line + 1}"
        raise PriceFileError(f"{name} is not YAML{where}: {getattr(error, 'problem', None) or error}.") from None


def _refuse_doubles(root: Any) -> None:
    """Raise YAML's error for a mapping that has a name twice, of which PyYAML takes the last without a word.

    ``root``: YAML's nodes, which are a mapping still as it was written: merged ones (``<<``) may be overridden.
    """
    import yaml

    waiting, seen = [root], {id(root)}
    while waiting:
        node = waiting.pop()
        pairs = node.value if isinstance(node, yaml.MappingNode) else []
        names = set()
        for key in (key for key, _ in pairs if isinstance(key, yaml.ScalarNode)):
            if (key.tag, key.value) in names:
                problem = f"{shown(key.value)} stands there twice"
                raise yaml.MarkedYAMLError(problem=problem, problem_mark=key.start_mark)
            names.add((key.tag, key.value))
        inside = [value for _, value in pairs] or (node.value if isinstance(node, yaml.SequenceNode) else [])
        waiting += [each for each in inside if id(each) not in seen]
        seen.update(map(id, inside))


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{shown(next(name for name in names if names.count(name) > 1))} stands there twice")
    return found


def _prices_of(where: str, values: Any, *, of_tier: bool = False) -> ModelPrices:
    if not isinstance(values, Mapping):
        raise PriceFileError(f"{where} takes {', '.join(_FIELDS)}, not {shown(values)}.")
    known = _FIELDS if of_tier else (*_FIELDS, *_TIERS)
    for name in values:
        if name not in known:
            close = difflib.get_close_matches(str(name), known, n=1)
            hint = f" Did you mean {close[0]}?" if close else ""
            raise PriceFileError(f"{where} has no field {shown(name)}.{hint} Its fields: {', '.join(known)}.")
    missing = [name for name in _NEEDED if name not in values]
    if missing:
        raise PriceFileError(f"{where} lacks {' and '.join(missing)}, in dollars per million tokens.")
    amounts = {name: _amount(f"{where}, field {name}", values[name]) for name in _FIELDS if name in values}
    cache_write = amounts.get("cache_write", amounts["input"])
    return ModelPrices(
        input=amounts["input"],
        output=amounts["output"],
        cached_input=amounts.get("cached_input", amounts["input"]),
        cache_write=cache_write,
        cache_write_1h=amounts.get("cache_write_1h", cache_write),
        tiers={
            tier: _prices_of(f"{where}, field {tier}", values[tier], of_tier=True)
            for tier in ([] if of_tier else _TIERS)
            if tier in values
        },
    )


def _amount(where: str, value: Any) -> float:
    amount = number_of(value)
    if amount is None or not 0 <= amount <= _MOST:
        raise PriceFileError(f"{where}: {shown(value)} is no price: it takes dollars per million tokens, zero or more.")
    return amount
