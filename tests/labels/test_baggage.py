"""Entries of W3C Baggage that were named become attributes of spans and points, bounded, redacted and no others."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import dspy
import pytest
from dspy.utils import DummyLM
from dspy.utils.unbatchify import Unbatchify
from labelled_points import DURATION, labels_on, labels_on_each
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.context import Context, attach, detach
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, Decision, Sampler, SamplingResult

from opentelemetry import baggage
from opentelemetry.instrumentation.dspy import (
    DSPyInstrumentor,
    incoming_context,
    outgoing_context,
    telemetry_context,
)
from opentelemetry.instrumentation.dspy.labels import baggage as labels_of_baggage
from opentelemetry.instrumentation.dspy.labels.baggage_names import baggage_names_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import StartTelemetry
    from model_server import ModelServer
    from recorded import Recorded

ON_SPANS, ON_METRICS = "OTEL_INSTRUMENTATION_DSPY_BAGGAGE", "OTEL_INSTRUMENTATION_DSPY_BAGGAGE_METRICS"
PREDICT = "Predict question -> answer"


@pytest.fixture(autouse=True)
def names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ON_SPANS, "tenant.id, user.id")
    monkeypatch.setenv(ON_METRICS, "tenant.id")


class Carried:
    """Baggage as it comes in a header."""

    def __init__(self, header: str) -> None:
        self.context = W3CBaggagePropagator().extract({"baggage": header})

    def __enter__(self) -> None:
        self.token = attach(self.context)

    def __exit__(self, *error: object) -> None:
        detach(self.token)


def ask() -> None:
    with dspy.context(lm=DummyLM([{"answer": "here"}] * 10)):
        dspy.Predict("question -> answer")(question="Where?")


def on_spans(telemetry: Recorded) -> list[dict[str, Any]]:
    """What of the baggage stands on each span."""
    ours = ("dspy.", "gen_ai.", "error.", "server.", "openai.")
    return [
        {name: value for name, value in (span.attributes or {}).items() if not name.startswith(ours)}
        for span in telemetry.spans
    ]


def on_points(telemetry: Recorded) -> dict[str, Any]:
    told = labels_on(telemetry, DURATION)
    return {name: value for name, value in told.items() if not name.startswith(("dspy.", "gen_ai."))}


def test_what_was_named_stands_on_every_span_and_what_was_named_for_metrics_on_points_too(
    telemetry: Recorded,
) -> None:
    with Carried("tenant.id=north,user.id=u-7,session=s-1,Tenant.ID=other"):
        ask()
    assert on_spans(telemetry) == [{"tenant.id": "north", "user.id": "u-7"}] * 2
    assert on_points(telemetry) == {"tenant.id": "north"}


def test_a_name_for_metrics_needs_no_second_mention(
    start_telemetry: StartTelemetry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(ON_SPANS)
    telemetry = start_telemetry()
    with Carried("tenant.id=north,user.id=u-7"):
        ask()
    assert on_spans(telemetry) == [{"tenant.id": "north"}] * 2
    assert on_points(telemetry) == {"tenant.id": "north"}


def test_where_nothing_is_named_baggage_is_not_looked_at(
    start_telemetry: StartTelemetry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(ON_SPANS)
    monkeypatch.setenv(ON_METRICS, " , ")

    def fail(context: Any) -> Any:
        raise AssertionError("the baggage was looked at")

    monkeypatch.setattr(labels_of_baggage, "get_all", fail)
    telemetry = start_telemetry()
    with Carried("tenant.id=north"):
        ask()
    assert on_spans(telemetry) == [{}, {}]


def test_with_content_and_in_agents_it_is_the_same(start_telemetry: StartTelemetry, lm: dspy.LM) -> None:
    telemetry = start_telemetry(capture="SPAN_ONLY")
    with Carried("tenant.id=north"):
        lm("Where?")
    assert on_points(telemetry) == {"tenant.id": "north"}
    assert on_spans(telemetry) == [{"tenant.id": "north"}]


class OnlyNorth(Sampler):
    def should_sample(self, parent_context: Any, trace_id: int, name: str, *values: Any, **more: Any) -> SamplingResult:
        attributes = values[1] if len(values) > 1 else more.get("attributes")
        is_north = (attributes or {}).get("tenant.id") == "north"
        return SamplingResult(Decision.RECORD_AND_SAMPLE if is_north else Decision.DROP, attributes)

    def get_description(self) -> str:
        return "north"


def test_samplers_decide_by_it(start_telemetry: StartTelemetry) -> None:
    telemetry = start_telemetry(sampler=OnlyNorth())
    for tenant in ("north", "south"):
        with Carried(f"tenant.id={tenant}"):
            ask()
    assert [span.name for span in telemetry.spans] == [PREDICT, "chat dummy"]


def test_points_have_it_though_no_span_is_sampled(start_telemetry: StartTelemetry) -> None:
    telemetry = start_telemetry(sampler=ALWAYS_OFF)
    with Carried("tenant.id=north"):
        ask()
    assert on_points(telemetry) == {"tenant.id": "north"}


@pytest.mark.parametrize(
    ("header", "told"),
    [
        ("tenant.id=north%20east", "north east"),
        ("tenant.id=%C3%9Cbersee", "Übersee"),
        ("tenant.id=north;ttl=1", "north;ttl=1"),
        ("tenant.id=" + "x" * 1000, "x" * 255 + "…"),
        ("tenant.id=", None),
        ("tenant.id=%20%20north", "north"),
        ("tenant.id=Bearer%20abcdefghijkl", "Bearer [secret]"),
        ("tenant.id=sk-proj-1234567890abcdef", "[secret]"),
    ],
    ids=["a space", "letters", "a property", "long", "empty", "spaces first", "a bearer", "a key"],
)
def test_values_are_decoded_bounded_and_hold_no_secret(telemetry: Recorded, header: str, told: str | None) -> None:
    with Carried(header):
        ask()
    expected = {} if told is None else {"tenant.id": told}
    assert on_points(telemetry) == expected
    assert on_spans(telemetry) == [expected] * 2


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (7, "7"),
        (True, "True"),
        ("\ud800", "?"),
        (None, None),
        (["north"], None),
        (object(), None),
        (b"north", None),
    ],
)
def test_odd_values_that_a_program_sets_are_told_as_another_process_would_have_them(
    telemetry: Recorded, value: Any, told: str | None
) -> None:
    token = attach(baggage.set_baggage("tenant.id", value))
    ask()
    detach(token)
    assert on_points(telemetry) == ({} if told is None else {"tenant.id": told})


def test_what_the_application_says_itself_goes_before_what_came_with_a_request(telemetry: Recorded) -> None:
    with Carried("tenant.id=forged,user.id=u-7"), telemetry_context(metric_attributes={"tenant.id": "north"}):
        ask()
    assert on_points(telemetry) == {"tenant.id": "north"}
    assert on_spans(telemetry) == [{"tenant.id": "north", "user.id": "u-7"}] * 2


def test_what_came_with_a_request_does_not_stand_beside_what_stores_take_for_the_same(telemetry: Recorded) -> None:
    # Prometheus would make tenant_id="forged;north" of both.
    with Carried("tenant.id=forged"), telemetry_context(metric_attributes={"tenant_id": "north"}):
        ask()
    assert on_points(telemetry) == {"tenant_id": "north"}


def test_a_redaction_is_in_force_for_it_also_when_it_comes_late(start_telemetry: StartTelemetry) -> None:
    asked: list[tuple[str, str]] = []

    def hide(text: str, kind: str) -> str:
        asked.append((text, kind))
        return text.replace("@example.com", "@…")

    telemetry = start_telemetry()
    with Carried("tenant.id=north,user.id=jane%40example.com"):
        ask()
        DSPyInstrumentor().instrument(redact=hide)
        ask()
        ask()
    users = [attributes["user.id"] for attributes in on_spans(telemetry)]
    assert users == ["jane@example.com"] * 2 + ["jane@…"] * 4
    # Once for each set of values, and not on each span.
    assert asked == [("north", "input"), ("jane@example.com", "input")]


@pytest.mark.complaints
def test_what_a_redaction_fails_on_is_left_out(start_telemetry: StartTelemetry) -> None:
    def fail(text: str, kind: str) -> str:
        raise ValueError(text)

    telemetry = start_telemetry(redact=fail)
    with Carried("tenant.id=north"):
        ask()
    assert on_spans(telemetry) == [{}, {}]
    assert on_points(telemetry) == {}


def test_different_baggage_at_the_same_time_stays_apart_in_the_threads_of_dspy(telemetry: Recorded) -> None:
    def of(tenant: str) -> None:
        with Carried(f"tenant.id={tenant}"), dspy.context(lm=DummyLM([{"answer": "here"}] * 10)):
            pairs = [(dspy.Predict("question -> answer"), {"question": str(number)}) for number in range(3)]
            dspy.Parallel(num_threads=2, disable_progress_bar=True)(pairs)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(of, ("north", "south")))
    counted = {(point.attributes or {})["tenant.id"]: point.count for point in telemetry.metric_points(DURATION)}
    assert counted == {"north": 3, "south": 3}


def test_it_goes_where_the_trace_goes(telemetry: Recorded) -> None:
    with Carried("tenant.id=north,user.id=u-7"):
        carrier = outgoing_context()
    with incoming_context(carrier):
        ask()
    assert on_points(telemetry) == {"tenant.id": "north"}
    assert on_spans(telemetry) == [{"tenant.id": "north", "user.id": "u-7"}] * 2


def test_tables_that_are_full_begin_anew(telemetry: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(labels_of_baggage, "MAX_KEPT", 2)
    for number in (0, 1, 2, 3, 0):
        with Carried(f"tenant.id=t-{number}"):
            ask()
    told = [point["tenant.id"] for point in labels_on_each(telemetry, DURATION)]
    assert sorted(told) == ["t-0", "t-1", "t-2", "t-3"]


@pytest.fixture
def unbatchify(model_server: ModelServer) -> Iterator[Unbatchify]:
    """It embeds two texts at once, whoever asks for them."""
    embedder = dspy.Embedder(
        "openai/text-embedding-3-small", api_base=model_server.url, api_key="test-key", caching=False
    )
    made = Unbatchify(lambda batch: [*embedder(batch)], max_batch_size=2, max_wait_time=10)
    yield made
    made.stop_event.set()


@pytest.mark.parametrize("is_one_trace", [True, False])
def test_a_batch_has_the_entries_that_all_of_its_callers_have(
    telemetry: Recorded, unbatchify: Unbatchify, is_one_trace: bool
) -> None:
    tracer = telemetry.tracer_provider.get_tracer("app")

    def embed(header: str, around: Context | None) -> None:
        with Carried(header), tracer.start_as_current_span("GET", around):
            unbatchify("a lamp")

    with tracer.start_as_current_span("request") as request:
        from opentelemetry.trace import set_span_in_context

        around = set_span_in_context(request) if is_one_trace else Context()
        with ThreadPoolExecutor(2) as pool:
            headers = ("tenant.id=north,user.id=u-7", "tenant.id=north,user.id=u-8")
            list(pool.map(lambda header: embed(header, around), headers))
    assert on_points(telemetry) == {"tenant.id": "north"}
    [embedding] = [span for span in telemetry.spans if span.name.startswith("embeddings")]
    assert dict(embedding.attributes or {}).items() >= {"tenant.id": "north"}.items()
    assert "user.id" not in (embedding.attributes or {})


@pytest.mark.parametrize(
    ("text", "names", "wrong"),
    [
        ("", (), []),
        (" , ,", (), []),
        ("tenant.id", ("tenant.id",), []),
        (" tenant.id ,\tuser.id\n,tenant.id", ("tenant.id", "user.id"), []),
        ("Tenant,tenant", ("Tenant", "tenant"), []),
        ("*", (), ["*"]),
        ("tenant.*,user.id", ("user.id",), ["tenant.*"]),
        (
            "error_type,dspy_program,gen-ai.request.model,plan",
            ("plan",),
            ["error_type", "dspy_program", "gen-ai.request.model"],
        ),
        ("tenant id,ümlaut,a=b,a;b", (), ["tenant id", "ümlaut", "a=b", "a;b"]),
        ("gen_ai.request.model,dspy.program,error.type", (), ["gen_ai.request.model", "dspy.program", "error.type"]),
        ("api_key,authorization,tenant", ("tenant",), ["api_key", "authorization"]),
        ("x" * 300, (), ["x" * 300]),
    ],
)
def test_names_are_read_one_by_one(text: str, names: tuple[str, ...], wrong: list[str]) -> None:
    found, problems = baggage_names_of(text)
    assert found == names
    assert [name for name, _ in problems] == wrong
    assert all(said.startswith("it takes ") for _, said in problems)


def test_a_name_that_is_a_stores_own_can_stand_on_spans_and_not_on_metrics() -> None:
    assert baggage_names_of("job,_,tenant") == (("job", "_", "tenant"), [])
    found, problems = baggage_names_of("job,_,tenant", on_metrics=True)
    assert found == ("tenant",)
    assert [(name, said.partition(", and none ")[2]) for name, said in problems] == [
        ("job", "which Prometheus sets itself"),
        ("_", "of which Prometheus leaves nothing, since its labels have the letters A to Z and digits alone"),
    ]


def test_there_are_twenty_names_at_most() -> None:
    found, problems = baggage_names_of(",".join(f"name-{number}" for number in range(22)))
    assert len(found) == 20
    assert problems == [(f"name-{number}", "it takes 20 names at most, and this is one more") for number in (20, 21)]


@pytest.mark.complaints
def test_a_name_that_is_none_is_told_and_the_others_are_in_force(
    start_telemetry: StartTelemetry, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(ON_SPANS, "*,user.id")
    telemetry = start_telemetry()
    with Carried("tenant.id=north,user.id=u-7,other=1"):
        ask()
    assert on_spans(telemetry) == [{"tenant.id": "north", "user.id": "u-7"}] * 2
    [told] = [record.getMessage() for record in caplog.records if record.name.endswith("dspy.config")]
    assert told == (
        f"{ON_SPANS}='*' is not valid: it takes names of baggage entries, such as tenant.id, with commas between them, "
        "and none that stands for several, since whoever calls chooses what is in the baggage. The entry is left out."
    )
