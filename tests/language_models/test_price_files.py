"""A file of prices says what models cost, and what is wrong with it is told with file, model and field."""

from __future__ import annotations

import json
import logging
import sys
from typing import TYPE_CHECKING, Any

import pytest

from opentelemetry.instrumentation.dspy import DSPyInstrumentor
from opentelemetry.instrumentation.dspy.config import Options
from opentelemetry.instrumentation.dspy.language_models.price_files import PriceFileError, read_price_file
from opentelemetry.instrumentation.dspy.language_models.token_usage import TokenUsage

if TYPE_CHECKING:
    from pathlib import Path

NAME = "OTEL_INSTRUMENTATION_DSPY_PRICES"

YAML = """
our-gateway/Llama-3.1-70b:
  input: 0.6
  cached_input: 0.06
  cache_write: 0.75
  cache_write_1h: 1.2
  output: 0.9
  batch: {input: 0.3, output: 0.45}
free: {input: 0, output: 0}
"""


def written(folder: Path, content: Any, name: str = "prices.json") -> Path:
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


@pytest.mark.parametrize(
    ("usage", "tier", "dollars"),
    [
        (TokenUsage(input_tokens=1000, output_tokens=100), None, 1000 * 0.6 + 100 * 0.9),
        (
            TokenUsage(1000, 100, cache_read_input_tokens=600, cache_write_input_tokens=300),
            None,
            100 * 0.6 + 600 * 0.06 + 300 * 0.75 + 100 * 0.9,
        ),
        (
            TokenUsage(1000, 100, cache_write_input_tokens=300, long_cache_write_input_tokens=200),
            None,
            700 * 0.6 + 100 * 0.75 + 200 * 1.2 + 100 * 0.9,
        ),
        (TokenUsage(1000, 100, cache_read_input_tokens=600), "batch", 1000 * 0.3 + 100 * 0.45),
        (TokenUsage(input_tokens=1000), None, 1000 * 0.6),
        (TokenUsage(output_tokens=100), None, 100 * 0.9),
        # A reply that says that more was cached than there was.
        (TokenUsage(10, 0, cache_read_input_tokens=600, cache_write_input_tokens=600), None, 10 * 0.06),
    ],
)
def test_a_call_costs_what_its_tokens_cost(tmp_path: Path, usage: TokenUsage, tier: str | None, dollars: float) -> None:
    prices, wrong = read_price_file(written(tmp_path, YAML, "prices.yaml"))
    assert wrong == []
    assert prices["our-gateway/llama-3.1-70b"].price(usage, tier) == pytest.approx(dollars / 1e6)
    assert prices["free"].price(usage, None) == 0.0


def test_what_is_not_known_has_no_price(tmp_path: Path) -> None:
    prices, _ = read_price_file(written(tmp_path, YAML, "prices.yaml"))
    model = prices["our-gateway/llama-3.1-70b"]
    assert model.price(TokenUsage(), None) is None
    assert model.price(TokenUsage(10, 10), "priority") is None
    assert prices["free"].price(TokenUsage(10, 10), "batch") is None


def test_without_prices_of_their_own_cached_tokens_cost_what_input_costs(tmp_path: Path) -> None:
    prices, _ = read_price_file(written(tmp_path, {"m": {"input": 2, "output": 4, "cache_write": 3}}))
    usage = TokenUsage(100, 0, 50, 20, long_cache_write_input_tokens=10)
    assert prices["m"].price(usage, None) == pytest.approx((30 * 2 + 50 * 2 + 20 * 3) / 1e6)


def test_yaml_and_json_say_the_same(tmp_path: Path) -> None:
    import yaml

    json_file = written(tmp_path, yaml.safe_load(YAML), "prices.JSON")
    assert read_price_file(json_file) == read_price_file(written(tmp_path, YAML, "prices.yml"))


GOOD = {"input": 1, "output": 2}
FIELDS = "input, cached_input, cache_write, cache_write_1h, output"
ALL_FIELDS = f"{FIELDS}, batch, flex, priority"
TAKES = "it takes dollars per million tokens, zero or more."


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (3, f"model 'm' takes {FIELDS}, not 3."),
        (None, f"model 'm' takes {FIELDS}, not None."),
        ([1, 2], f"model 'm' takes {FIELDS}, not [1, 2]."),
        ({}, "model 'm' lacks input and output, in dollars per million tokens."),
        ({"input": 1}, "model 'm' lacks output, in dollars per million tokens."),
        ({**GOOD, "ouput": 1}, f"model 'm' has no field 'ouput'. Did you mean output? Its fields: {ALL_FIELDS}."),
        ({**GOOD, "gold": {}}, f"model 'm' has no field 'gold'. Its fields: {ALL_FIELDS}."),
        ({**GOOD, "input": -1}, f"model 'm', field input: -1 is no price: {TAKES}"),
        ({**GOOD, "input": "0.6"}, f"model 'm', field input: '0.6' is no price: {TAKES}"),
        ({**GOOD, "output": True}, f"model 'm', field output: True is no price: {TAKES}"),
        ({**GOOD, "output": None}, f"model 'm', field output: None is no price: {TAKES}"),
        ({**GOOD, "cached_input": float("nan")}, f"model 'm', field cached_input: nan is no price: {TAKES}"),
        ({**GOOD, "cache_write": float("inf")}, f"model 'm', field cache_write: inf is no price: {TAKES}"),
        ({**GOOD, "batch": {"input": 1}}, "model 'm', field batch lacks output, in dollars per million tokens."),
        ({**GOOD, "batch": 0.5}, f"model 'm', field batch takes {FIELDS}, not 0.5."),
        (
            {**GOOD, "batch": {**GOOD, "batch": GOOD}},
            f"model 'm', field batch has no field 'batch'. Its fields: {FIELDS}.",
        ),
        (
            {**GOOD, "priority": {"input": "x", "output": 1}},
            f"model 'm', field priority, field input: 'x' is no price: {TAKES}",
        ),
    ],
)
@pytest.mark.complaints
def test_a_wrong_model_is_named_and_the_others_keep_their_prices(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, values: Any, reason: str
) -> None:
    path = written(tmp_path, {"before": GOOD, "m": values, "after": GOOD})
    prices, wrong = read_price_file(path)
    assert set(prices) == {"before", "after"}
    assert wrong == [f"{path}: {reason}"]
    assert Options.read(environment={NAME: str(path)}).prices is not None
    [record] = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage() == f"{NAME}: {path}: {reason} The model has no price of your own."
    with pytest.raises(ValueError, match="model 'm'") as refusal:
        DSPyInstrumentor().instrument(prices=path)
    assert str(refusal.value) == f"{path}: {reason}"
    assert not DSPyInstrumentor().is_instrumented_by_opentelemetry


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("prices.yaml", "a: [", "is not YAML in line 1: "),
        ("prices.yaml", "a:\n  - b\n c: d", "is not YAML in line 3: "),
        ("prices.yaml", "a: !!python/object/apply:os.system ['true']", "is not YAML in line 1: "),
        ("prices.yaml", "a: \x00", "is not YAML: "),
        ("prices.yaml", "", "has no prices: it takes models, each with its prices, not None."),
        ("prices.yaml", "- a\n- b", "has no prices: it takes models, each with its prices, not ['a', 'b']."),
        ("prices.yaml", "just words", "has no prices: it takes models, each with its prices, not 'just words'."),
        ("prices.yaml", "a: {input: 1}\na: {input: 2}", "is not YAML in line 2: 'a' stands there twice."),
        ("prices.yaml", "a:\n  input: 1\n  'input': 2", "is not YAML in line 3: 'input' stands there twice."),
        ("prices.json", "{'a': 1}", "is not JSON: "),
        ("prices.json", "[" * 100_000, "is not JSON: "),
        ("prices.json", '{"a": {}, "a": {}}', "is not JSON: 'a' stands there twice."),
        ("prices.json", '{"a": {"input": 1, "input": 2}}', "is not JSON: 'input' stands there twice."),
        ("prices.json", "{}", "has no prices: it takes models, each with its prices, not {}."),
    ],
)
@pytest.mark.complaints
def test_a_file_that_is_none_of_prices_says_why(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str, content: str, reason: str
) -> None:
    path = written(tmp_path, content, name)
    with pytest.raises(PriceFileError) as refusal:
        read_price_file(path)
    assert str(refusal.value).startswith(f"{path} {reason}")
    assert Options.read(environment={NAME: str(path)}).prices is None
    [record] = caplog.records
    assert record.getMessage() == f"{NAME}: {refusal.value} No price of your own is used."
    with pytest.raises(ValueError, match="prices"):
        DSPyInstrumentor().instrument(prices=str(path))


@pytest.mark.complaints
def test_a_file_that_cannot_be_read_says_why(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    latin = tmp_path / "latin.yaml"
    latin.write_bytes(b"m\xfc: {input: 1, output: 1}")
    for path, reason in [
        (tmp_path / "none.yaml", "No such file or directory"),
        (tmp_path, "Is a directory"),
        (latin, "it is not in UTF-8"),
    ]:
        with pytest.raises(PriceFileError) as refusal:
            read_price_file(path)
        assert str(refusal.value) == f"{path} cannot be read: {reason}."


def test_without_pyyaml_json_is_read_and_yaml_says_what_it_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "yaml", None)
    assert set(read_price_file(written(tmp_path, {"m": GOOD}))[0]) == {"m"}
    path = written(tmp_path, YAML, "prices.yaml")
    with pytest.raises(PriceFileError) as refusal:
        read_price_file(path)
    assert str(refusal.value) == (
        f"{path} cannot be read without the package pyyaml: install it, or write the prices as JSON, in a file whose "
        "name ends in .json."
    )


def test_in_yaml_a_model_may_override_the_prices_that_it_shares_with_another(tmp_path: Path) -> None:
    text = """
base: &base {input: 1, output: 2, batch: &batch {input: 0.5, output: 1}}
dear: {<<: *base, output: 4, batch: &dear {<<: *batch, output: 2}}
dearer: {<<: *dear, input: 3}
"""
    prices, wrong = read_price_file(written(tmp_path, text, "prices.yaml"))
    assert wrong == []
    assert (prices["dear"].input, prices["dear"].output, prices["dear"].tiers["batch"].output) == (1, 4, 2)
    assert (prices["dearer"].input, prices["dearer"].output) == (3, 2)


@pytest.mark.parametrize("name", ["prices.yaml", "prices.json"])
def test_a_model_that_stands_there_twice_in_other_capitals_has_no_price(tmp_path: Path, name: str) -> None:
    path = written(tmp_path, json.dumps({"GPT-4o": GOOD, "other": GOOD, "gpt-4o": {**GOOD, "output": 9}}), name)
    prices, wrong = read_price_file(path)
    assert set(prices) == {"other"}
    assert wrong == [f"{path}: model 'gpt-4o' stands there twice, since capitals do not matter."]


@pytest.mark.parametrize("name", ["gpt-4o*", "*", "our-gateway/*"])
def test_a_name_stands_for_no_others(tmp_path: Path, name: str) -> None:
    path = written(tmp_path, {name: GOOD, "m": GOOD})
    prices, wrong = read_price_file(path)
    assert set(prices) == {"m"}
    assert wrong == [f"{path}: '{name}' is no name of a model: each has its own entry, by its whole name."]


@pytest.mark.parametrize("name", ["prices.yaml", "prices.json"])
def test_the_mark_that_editors_put_before_a_text_is_no_part_of_it(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text(json.dumps({"m": GOOD}), encoding="utf-8-sig")
    assert set(read_price_file(path)[0]) == {"m"}


def test_names_of_models_are_texts(tmp_path: Path) -> None:
    path = written(tmp_path, "4: {input: 1, output: 1}\n' ': {input: 1, output: 1}\n", "prices.yaml")
    assert read_price_file(path) == ({}, [f"{path}: 4 is no name of a model.", f"{path}: ' ' is no name of a model."])


@pytest.mark.parametrize("given", [3, {"m": GOOD}, [GOOD], b"prices.yaml"])
def test_an_argument_of_another_type_is_an_error(given: Any) -> None:
    with pytest.raises(TypeError, match=r"^prices= takes a function of a PricedCall or the path of a file, not "):
        DSPyInstrumentor().instrument(prices=given)


def test_a_coroutine_function_prices_nothing() -> None:
    async def later(call: Any) -> float:
        return 1.0

    class Later:
        async def __call__(self, call: Any) -> float:
            return 1.0

    for given in (later, Later()):
        with pytest.raises(TypeError, match=r"^prices= takes a function .* not a coroutine function\.$"):
            DSPyInstrumentor().instrument(prices=given)
