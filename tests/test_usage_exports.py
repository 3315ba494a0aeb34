"""What one process used is added in another exactly once, and what is no export is refused."""

from __future__ import annotations

import json
import multiprocessing
import os
import pickle
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opentelemetry.instrumentation.dspy import Usage, UsageScope, usage_scope
from opentelemetry.instrumentation.dspy.usage_exports import MAX_EXPORTS

ONE = Usage(lm_calls=1, input_tokens=10, output_tokens=3, cost=0.5)


def exported(*models: str) -> dict[str, Any]:
    """What another process would export that made one call of each model."""
    with usage_scope() as scope:
        for model in models:
            scope.add(ONE, model)
        return scope.export()


def times(count: int) -> Usage:
    return Usage(lm_calls=count, input_tokens=10 * count, output_tokens=3 * count, cost=0.5 * count)


def test_an_export_is_plain_json_and_names_its_version() -> None:
    export = exported("small", "large")
    assert json.loads(json.dumps(export)) == export
    assert pickle.loads(pickle.dumps(export)) == export
    assert set(export) == {"version", "id", "by_model"}
    assert export["version"] == 1
    assert export["by_model"]["small"] == {
        "lm_calls": 1,
        "input_tokens": 10,
        "output_tokens": 3,
        "cost": 0.5,
        "cost_unknown_calls": 0,
        "cache_hits": 0,
        "saved_cost": 0.0,
        "embedding_calls": 0,
        "embedding_tokens": 0,
    }


def test_an_export_from_before_embeddings_were_counted_is_merged() -> None:
    export = exported("small")
    for numbers in export["by_model"].values():
        del numbers["embedding_calls"], numbers["embedding_tokens"]
    scope = UsageScope()
    scope.merge(export)
    scope.merge(export)
    assert scope.total() == times(1)


def test_embeddings_of_another_process_are_merged_once_and_later_ones_are_added() -> None:
    elsewhere, scope = UsageScope(), UsageScope()
    for tokens in (5, 7):
        elsewhere.add(Usage(embedding_calls=1, embedding_tokens=tokens, cost=0.25), "small-embedder")
        scope.merge(json.loads(json.dumps(elsewhere.export())))
    assert scope.total() == Usage(embedding_calls=2, embedding_tokens=12, cost=0.5)
    assert scope.by_model == {"small-embedder": scope.total()}


def test_a_merged_export_is_in_the_scope_and_in_those_around_it_by_model() -> None:
    with usage_scope() as outer:
        outer.add(ONE, "small")
        with usage_scope() as inner:
            inner.merge(json.loads(json.dumps(exported("small", "large"))))
    assert inner.by_model == {"small": times(1), "large": times(1)}
    assert outer.by_model == {"small": times(2), "large": times(1)}
    assert (inner.total(), outer.total()) == (times(2), times(3))


def test_the_same_export_counts_once_in_each_scope() -> None:
    export = exported("small")
    with usage_scope() as outer:
        with usage_scope() as inner:
            inner.merge(export)
            inner.merge(json.loads(json.dumps(export)))
        outer.merge(export)
        with usage_scope() as beside:
            beside.merge(export)
    assert [scope.total() for scope in (outer, inner, beside)] == [times(1)] * 3


def test_a_later_export_of_the_same_scope_adds_what_is_new_in_whatever_order_they_come() -> None:
    with usage_scope() as scope:
        scope.add(ONE, "small")
        early = scope.export()
        scope.add(ONE, "small")
        scope.add(ONE, "large")
        late = scope.export()
    for order in ([early, late], [late, early], [early, late, early, late]):
        home = UsageScope()
        for export in order:
            home.merge(export)
        assert home.by_model == {"small": times(2), "large": times(1)}


def test_two_scopes_with_the_same_numbers_are_two() -> None:
    home = UsageScope()
    home.merge(exported("small"))
    home.merge(exported("small"))
    assert home.total() == times(2)


def test_an_export_has_in_it_what_was_merged_before() -> None:
    with usage_scope() as middle:
        middle.add(ONE, "small")
        middle.merge(exported("large"))
    home = UsageScope()
    home.merge(middle.export())
    assert home.by_model == {"small": times(1), "large": times(1)}


def test_what_ran_in_this_process_after_all_is_not_added_again() -> None:
    with usage_scope() as outer:
        with usage_scope() as inner:
            inner.add(ONE, "small")
        outer.merge(inner.export())
        inner.merge(inner.export())
        inner.add(ONE, "small")
        outer.merge(inner.export())
    assert (outer.total(), inner.total()) == (times(2), times(2))


@given(st.lists(st.tuples(st.integers(0, 2), st.booleans()), max_size=30))
def test_however_often_exports_come_each_call_is_counted_once(steps: list[tuple[int, bool]]) -> None:
    home, workers, made = UsageScope(), [UsageScope() for _ in range(3)], 0
    sent: list[Any] = []
    for number, calls in steps:
        if calls:
            workers[number].add(ONE, f"model-{number}")
            made += 1
        sent.append(workers[number].export())
        home.merge(sent[len(sent) // 2])
    for worker in workers:
        home.merge(worker.export())
    assert home.total() == times(made)


def test_threads_that_merge_the_same_exports_add_each_once() -> None:
    exports = [exported("small") for _ in range(50)]
    home = UsageScope()
    start = threading.Barrier(4)

    def merge_all() -> None:
        start.wait()
        for export in exports:
            home.merge(export)

    threads = [threading.Thread(target=merge_all) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert home.total() == times(50)


def test_a_total_remembers_the_last_exports_and_no_more() -> None:
    home = UsageScope()
    first = exported("small")
    home.merge(first)
    for number in range(MAX_EXPORTS):
        home.merge({**first, "id": f"id-{number}", "by_model": {}})
    assert home.ledger is not None
    assert len(home.ledger._received) == MAX_EXPORTS
    home.merge({**first, "id": "id-9"})
    assert home.total() == times(2)


WHOLE = {"version": 1, "id": "a", "by_model": {"small": {"lm_calls": 1, "cost": 0.5}}}


def test_a_missing_number_is_zero_and_one_of_a_newer_version_is_passed_over() -> None:
    home = UsageScope()
    home.merge({**WHOLE, "by_model": {"small": {"lm_calls": 1, "joules": 12}}, "host": "a"})
    assert home.by_model == {"small": Usage(lm_calls=1)}


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (None, "it is of the type NoneType"),
        ([WHOLE], "it is of the type list"),
        (json.dumps(WHOLE), "it is of the type str"),
        ({}, "its version is None, and this library reads version 1"),
        ({**WHOLE, "version": 2}, "its version is 2, and this library reads version 1"),
        ({**WHOLE, "version": True}, "its version is True, and this library reads version 1"),
        ({**WHOLE, "id": ""}, "its id is ''"),
        ({**WHOLE, "id": 7}, "its id is 7"),
        ({**WHOLE, "by_model": [1]}, "its by_model is [1]"),
        ({**WHOLE, "by_model": {"small": 3}}, "its by_model has 3 for 'small'"),
        ({**WHOLE, "by_model": {3: {}}}, "its by_model has {} for 3"),
        ({**WHOLE, "by_model": {"small": {"lm_calls": 1.5}}}, "its lm_calls of 'small' is 1.5"),
        ({**WHOLE, "by_model": {"small": {"lm_calls": -1}}}, "its lm_calls of 'small' is -1"),
        (
            {**WHOLE, "by_model": {"small": {"lm_calls": 1, "cache_hits": 2}}},
            "of its 1 lm_calls of 'small' 2 were cache_hits",
        ),
        ({**WHOLE, "by_model": {"small": {"cost": float("nan")}}}, "its cost of 'small' is nan"),
        ({**WHOLE, "by_model": {"small": {"cost": "0.5"}}}, "its cost of 'small' is '0.5'"),
        ({**WHOLE, "by_model": {"large": {"cost": 1}, "small": {"cost": None}}}, "its cost of 'small' is None"),
    ],
)
def test_what_is_no_export_is_refused_with_its_reason_and_adds_nothing(given: Any, reason: str) -> None:
    home = UsageScope()
    with pytest.raises(ValueError, match="This is no usage that") as refusal:
        home.merge(given)
    assert str(refusal.value) == f"This is no usage that UsageScope.export() returned: {reason}."
    assert home.total() == Usage()


def test_a_scope_of_another_process_says_that_it_cannot_be_exported_here() -> None:
    with usage_scope() as scope:
        scope.add(ONE, "small")
        context = multiprocessing.get_context("spawn")
        with context.Pool(1) as pool:
            told = pool.apply(refusal_of, (scope,))
    assert told[0] != os.getpid()
    assert told[1].startswith("This usage was begun in another process, and has in it what was used there.")


def refusal_of(scope: UsageScope) -> tuple[int, str]:
    try:
        scope.export()
    except RuntimeError as error:
        return os.getpid(), str(error)
    return os.getpid(), "no error"
