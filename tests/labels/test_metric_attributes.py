"""``telemetry_context(metric_attributes=…)``: what the application gives stands on points and spans of calls inside."""

from __future__ import annotations

import asyncio
import enum
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import dspy
import numpy as np
import pytest
from dspy.utils.unbatchify import Unbatchify
from labelled_points import COST, DURATION, METRICS, TOKENS, labels_on
from opentelemetry.context import attach, detach, get_current

from opentelemetry.instrumentation.dspy import telemetry_context, usage_scope

if TYPE_CHECKING:
    from collections.abc import Iterator

    from model_server import ModelServer
    from recorded import Recorded

QUESTION = "question -> answer"
BARE = {"dspy.program": QUESTION, "gen_ai.prompt.name": QUESTION}


class Plan(str, enum.Enum):
    GOLD = "gold"


def ask(question: str = "Where?") -> Any:
    return dspy.Predict(QUESTION)(question=question)


def tenants(telemetry: Recorded, metric: str = DURATION) -> dict[Any, int]:
    """How many calls of each tenant were counted."""
    counted: dict[Any, int] = {}
    for point in telemetry.metric_points(metric):
        tenant = (point.attributes or {}).get("tenant")
        counted[tenant] = counted.get(tenant, 0) + point.count
    return counted


def test_they_stand_on_cost_tokens_and_duration_and_on_every_span(telemetry: Recorded, lm: dspy.LM) -> None:
    given = {"tenant": "north", "seats": 7, "trial": True, "share": 0.5}
    with telemetry_context(metric_attributes=given):
        ask()
    assert labels_on(telemetry) == {**BARE, **given}
    assert len(telemetry.spans) == 2
    for span in telemetry.spans:
        assert given.items() <= dict(span.attributes or {}).items()
    for metric in ("dspy.cache.requests", "dspy.module.duration"):
        assert all("tenant" not in (point.attributes or {}) for point in telemetry.metric_points(metric))


def test_inner_blocks_add_to_outer_ones_and_win(telemetry: Recorded, lm: dspy.LM) -> None:
    with (
        telemetry_context(metric_attributes={"tenant": "north", "plan": "gold"}, attributes={"user.id": "u-7"}),
        usage_scope(),
        telemetry_context(metric_attributes={"tenant": "south"}),
        telemetry_context(conversation_id="c-42"),
    ):
        ask()
    assert labels_on(telemetry) == {**BARE, "tenant": "south", "plan": "gold"}
    assert telemetry.attributes("chat gpt-4o-mini").items() >= {"tenant": "south", "user.id": "u-7"}.items()
    ask()
    assert tenants(telemetry) == {"south": 1, None: 1}


def test_attributes_of_spans_are_none_of_metrics(telemetry: Recorded, lm: dspy.LM) -> None:
    with telemetry_context(attributes={"user.id": "u-7"}):
        ask()
    assert labels_on(telemetry) == BARE


def test_values_of_one_text_are_one_series_and_spans_tell_them_apart(telemetry: Recorded, lm: dspy.LM) -> None:
    for value in (1, 1.0, "1", "0", 0):
        with telemetry_context(metric_attributes={"tenant": value}):
            ask()
    assert tenants(telemetry) == {1: 3, "0": 2}
    for value in (True, False):
        with telemetry_context(metric_attributes={"tenant": value}):
            ask()
    # The SDK adds points up whose attributes are equal to Python; this library hands each on as it is.
    assert sum(tenants(telemetry).values()) == 7
    spans = [(span.attributes or {})["tenant"] for span in telemetry.named("chat gpt-4o-mini")]
    assert [(type(value), value) for value in spans] == [
        (int, 1),
        (float, 1.0),
        (str, "1"),
        (str, "0"),
        (int, 0),
        (bool, True),
        (bool, False),
    ]


def test_values_are_plain_and_texts_are_bounded(telemetry: Recorded, lm: dspy.LM) -> None:
    given = {"plan": Plan.GOLD, "half": np.float64(0.5), "long": "x" * 300, "odd": "\ud800"}
    with telemetry_context(metric_attributes=given):
        ask()
    told = labels_on(telemetry, DURATION)
    assert told == {**BARE, "plan": "gold", "half": 0.5, "long": "x" * 255 + "…", "odd": "?"}
    assert [type(told[name]) for name in given] == [str, float, str, str]


@pytest.mark.parametrize(
    ("given", "error", "says"),
    [
        ({"tenant": None}, TypeError, "takes a str, bool, int or float, of few different values, not NoneType"),
        ({"tenant": ["north"]}, TypeError, r"metric_attributes\['tenant'\] takes a str, bool, int or float"),
        ({"tenant": b"north"}, TypeError, "not bytes"),
        ({"tenant": float("nan")}, ValueError, "takes finite numbers, not nan"),
        ({"tenant": float("inf")}, ValueError, "takes finite numbers, not inf"),
        ({"tenant": 2**63}, ValueError, "takes whole numbers of 64 bits"),
        ({7: "north"}, TypeError, "is a text, such as 'tenant', not int"),
        ({" ": "north"}, ValueError, "not empty"),
        ({"gen_ai.request.model": "mine"}, ValueError, "cannot set 'gen_ai.request.model', which the instrumentation"),
        ({"dspy.program": "mine"}, ValueError, "Take a name of your own, such as 'tenant'"),
        ({"error.type": "mine"}, ValueError, "cannot set 'error.type'"),
        ({"server.port": 1}, ValueError, "cannot set 'server.port'"),
        # Prometheus would make one label of these and of ours.
        ({"error_type": "mine"}, ValueError, "cannot set 'error_type'"),
        ({"gen_ai_request_model": "mine"}, ValueError, "cannot set 'gen_ai_request_model'"),
        ({"dspy/program": "mine"}, ValueError, "cannot set 'dspy/program'"),
        ({"gen-ai.prompt-name": "mine"}, ValueError, "cannot set 'gen-ai.prompt-name'"),
        ({"gen__ai..prompt--name": "mine"}, ValueError, "which the instrumentation sets itself"),
        # Prometheus would write its own value over these: two jobs would be one series, which has the calls of one.
        ({"job": "nightly"}, ValueError, "cannot set 'job', which Prometheus sets itself. Take a name of your own"),
        ({"instance": 1}, ValueError, "cannot set 'instance', which Prometheus sets itself"),
        ({"le": "north"}, ValueError, "cannot set 'le', which Prometheus sets itself"),
        ({"__name__": "north"}, ValueError, "cannot set '__name__', which Prometheus sets itself"),
        ({"service.name": "north"}, ValueError, "cannot set 'service.name', which Prometheus sets itself"),
        ({"otel.scope.name": "north"}, ValueError, "cannot set 'otel.scope.name', which Prometheus sets itself"),
        # It refuses a whole request for one of these.
        ({"客户": "north"}, ValueError, "cannot set '客户', of which Prometheus leaves nothing"),
        ({"_": "north"}, ValueError, "cannot set '_', of which Prometheus leaves nothing"),
        ("tenant=north", TypeError, "takes a mapping of names to values, not str"),
        ([("tenant", "north")], TypeError, "takes a mapping of names to values, not list"),
    ],
)
def test_what_is_no_attribute_of_a_metric_is_an_error_that_says_what_is(
    telemetry: Recorded, given: Any, error: type[Exception], says: str
) -> None:
    before = get_current()
    with pytest.raises(error, match=says), telemetry_context(metric_attributes=given):
        raise AssertionError("the block was entered")
    assert get_current() is before


class Odd(int):
    def __int__(self) -> int:
        raise RuntimeError("no")


class OddFraction(float):
    def __float__(self) -> float:
        raise RuntimeError("no")


def test_numbers_are_what_they_are_whatever_their_class_does(telemetry: Recorded, lm: dspy.LM) -> None:
    with telemetry_context(metric_attributes={"whole": Odd(7), "half": OddFraction(0.5)}):
        ask()
    assert labels_on(telemetry, DURATION) == {**BARE, "whole": 7, "half": 0.5}


def test_names_that_stores_take_for_the_same_are_one_and_the_inner_one_wins(telemetry: Recorded, lm: dspy.LM) -> None:
    outer, inner = {"tenant.id": "north", "plan": "gold"}, {"tenant_id": "south"}
    with telemetry_context(metric_attributes=outer), telemetry_context(metric_attributes=inner):
        ask()
    assert labels_on(telemetry, DURATION) == {**BARE, "plan": "gold", "tenant_id": "south"}


def test_of_several_spellings_of_a_name_the_first_is_on_all_points(telemetry: Recorded, lm: dspy.LM) -> None:
    for name in ("tenant.id", "tenant_id", "tenant-id"):
        with telemetry_context(metric_attributes={name: "north"}):
            ask()
    assert labels_on(telemetry, DURATION) == {**BARE, "tenant.id": "north"}
    on_spans = [name for span in telemetry.named("chat gpt-4o-mini") for name in span.attributes or {}]
    assert [name for name in on_spans if "tenant" in name] == ["tenant.id", "tenant_id", "tenant-id"]


def test_an_empty_text_is_no_label_as_in_stores_and_takes_away_what_is_around(telemetry: Recorded, lm: dspy.LM) -> None:
    ask()
    with telemetry_context(metric_attributes={"tenant": ""}):
        ask()
    with telemetry_context(metric_attributes={"tenant": "north"}):
        with telemetry_context(metric_attributes={"tenant": ""}):
            ask()
        ask()
    assert tenants(telemetry) == {None: 3, "north": 1}


@pytest.mark.parametrize("names", [("tenant.id", "tenant__id"), ("1st", "key_1st"), ("_tenant", "key_tenant")])
def test_names_that_a_store_spells_the_same_are_one(telemetry: Recorded, lm: dspy.LM, names: tuple[str, str]) -> None:
    outer, inner = names
    with telemetry_context(metric_attributes={outer: "north"}), telemetry_context(metric_attributes={inner: "south"}):
        ask()
    assert labels_on(telemetry, DURATION) == {**BARE, inner: "south"}


@pytest.mark.parametrize("given", [None, {}])
def test_nothing_given_is_nothing(telemetry: Recorded, lm: dspy.LM, given: Any) -> None:
    with telemetry_context(metric_attributes=given):
        ask()
    assert labels_on(telemetry) == BARE


def test_what_the_application_changes_afterwards_changes_nothing(telemetry: Recorded, lm: dspy.LM) -> None:
    given: dict[str, Any] = {"tenant": "north"}
    with telemetry_context(metric_attributes=given):
        given["tenant"] = "south"
        ask()
    assert tenants(telemetry) == {"north": 1}


async def test_tasks_at_the_same_time_have_their_own(telemetry: Recorded, lm: dspy.LM) -> None:
    async def of(tenant: str) -> None:
        with telemetry_context(metric_attributes={"tenant": tenant}):
            for _ in range(2):
                await dspy.Predict(QUESTION).acall(question=tenant)

    await asyncio.gather(*(of(tenant) for tenant in ("north", "south", "east")))
    for metric in METRICS:
        counted = tenants(telemetry, metric)
        calls = 4 if metric == TOKENS else 2
        assert counted == dict.fromkeys(("north", "south", "east"), calls)


def test_the_threads_of_dspys_pools_have_those_of_whoever_started_them(telemetry: Recorded, lm: dspy.LM) -> None:
    def of(tenant: str) -> None:
        with telemetry_context(metric_attributes={"tenant": tenant}):
            pairs = [(dspy.Predict(QUESTION), {"question": f"{tenant} {number}"}) for number in range(3)]
            dspy.Parallel(num_threads=2, disable_progress_bar=True)(pairs)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(of, ("north", "south")))
    assert tenants(telemetry) == {"north": 3, "south": 3}
    assert tenants(telemetry, COST) == {"north": 3, "south": 3}


async def test_a_stream_has_them_to_its_last_chunk(telemetry: Recorded, lm: dspy.LM) -> None:
    with telemetry_context(metric_attributes={"tenant": "north"}):
        async for _ in dspy.streamify(
            dspy.Predict(QUESTION), stream_listeners=[dspy.streaming.StreamListener("answer")]
        )(question="Where?"):
            pass
    for metric in (DURATION, "gen_ai.client.operation.time_to_first_chunk"):
        assert [*tenants(telemetry, metric)] == ["north"]
    assert [*tenants(telemetry, "gen_ai.client.operation.time_per_output_chunk")] == ["north"]


def test_a_framework_that_takes_the_context_away_does_not_take_them(telemetry: Recorded, lm: dspy.LM) -> None:
    outside = get_current()
    with (
        telemetry_context(metric_attributes={"plan": "gold"}),
        telemetry_context(metric_attributes={"tenant": "north"}),
    ):
        token = attach(outside)
        ask()
        detach(token)
    assert labels_on(telemetry) == {**BARE, "tenant": "north", "plan": "gold"}


@pytest.fixture
def unbatchify(model_server: ModelServer) -> Iterator[Unbatchify]:
    """It embeds two texts at once, whoever asks for them."""
    embedder = dspy.Embedder(
        "openai/text-embedding-3-small", api_base=model_server.url, api_key="test-key", caching=False
    )
    made = Unbatchify(lambda batch: [*embedder(batch)], max_batch_size=2, max_wait_time=10)
    yield made
    made.stop_event.set()


@pytest.mark.parametrize(
    ("given", "shared"),
    [
        ([{"tenant": "north"}, {"tenant": "north"}], {"tenant": "north"}),
        ([{"tenant": "north", "plan": "gold"}, {"tenant": "south", "plan": "gold"}], {"plan": "gold"}),
        ([{"tenant": "north"}, {}], {}),
        ([{"trial": True}, {"trial": 1}], {}),
    ],
)
def test_a_batch_has_what_all_of_its_callers_have(
    telemetry: Recorded, unbatchify: Unbatchify, given: list[dict[str, Any]], shared: dict[str, Any]
) -> None:
    def embed(labels: dict[str, Any]) -> None:
        with telemetry_context(metric_attributes=labels):
            unbatchify("a lamp")

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(embed, given))
    assert labels_on(telemetry, DURATION, TOKENS) == shared


def test_an_embedder_has_them(telemetry: Recorded, model_server: ModelServer) -> None:
    embedder = dspy.Embedder(
        "openai/text-embedding-3-small", api_base=model_server.url, api_key="test-key", caching=False
    )
    with telemetry_context(metric_attributes={"tenant": "north"}):
        embedder(["a lamp"])
    assert labels_on(telemetry, DURATION, TOKENS) == {"tenant": "north"}


def test_calls_from_many_threads_are_counted_to_the_last_one_and_keep_little(telemetry: Recorded, lm: dspy.LM) -> None:
    start = threading.Barrier(4)

    def of(number: int) -> None:
        start.wait()
        for _ in range(5):
            with telemetry_context(metric_attributes={"tenant": f"t-{number % 2}"}):
                lm("Where?")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(of, range(4)))
    assert tenants(telemetry) == {"t-0": 10, "t-1": 10}
