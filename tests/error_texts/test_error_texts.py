"""What a failed call knows is cut from the texts of all calls around it and beside it, and quickly."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus

import dspy
import pytest
from dspy.utils import DummyLM
from model_server import Failure
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, Sampler, SamplingResult

from opentelemetry.instrumentation.dspy.error_texts.known_values import credentials_in
from opentelemetry.instrumentation.dspy.error_texts.quotations import without_values
from opentelemetry.instrumentation.dspy.errors import Surroundings, message_of

if TYPE_CHECKING:
    from conftest import StartTelemetry
    from model_server import ModelServer
    from recorded import Recorded

KEY = "m4r1goldq2wz88kk"
REPLY = "Ferdinand Umbrella-Lake, born in Quillon"
QUESTION = "Which person is behind Theodora Blackwood-Ince?"
PRIVATE = ("Ferdinand", "Umbrella", "Quillon", "Theodora", "Blackwood")


def leaks(telemetry: Recorded, *words: str) -> list[str]:
    """What is in any signal of all that must not be there."""
    everything = telemetry.everything()
    return [word for word in (*PRIVATE, *words) if word in everything]


class Asking(dspy.Module):  # type: ignore[misc]
    """A program that tells what a model said in words of its own, chained, unchained, or not at all."""

    def __init__(self, retold: str) -> None:
        super().__init__()
        self.answer = dspy.ChainOfThought("question -> answer")
        self.retold = retold

    def forward(self, question: str) -> Any:
        try:
            return self.answer(question=question)
        except Exception as error:
            if self.retold == "chained":
                raise RuntimeError(f"it said {error}") from error
            if self.retold == "unchained":
                raise RuntimeError(f"it said {error}") from None
            raise


@pytest.mark.parametrize("retold", ["not", "chained", "unchained"])
@pytest.mark.parametrize("capture", ["", "SPAN_AND_EVENT"])
@pytest.mark.parametrize("status", [401, 429, 500])
def test_a_key_is_in_no_text_of_the_modules_around_the_model(
    start_telemetry: StartTelemetry, model_server: ModelServer, capture: str, retold: str, status: int
) -> None:
    telemetry = start_telemetry(capture=capture)
    model_server.fail_when(lambda request: True, Failure(status, f"No access for {KEY} nor for tenant-orchid-5."))
    lm = dspy.LM(
        "openai/gpt-4o-mini",
        api_base=model_server.url,
        api_key=KEY,
        cache=False,
        num_retries=0,
        extra_headers={"X-Tenant": "tenant-orchid-5"},
    )
    with dspy.context(lm=lm), pytest.raises(Exception, match="No access"):
        Asking(retold)(question="Which?")
    assert leaks(telemetry, KEY, "tenant-orchid-5") == []
    assert "No access for [secret]" in (telemetry.span("invoke_workflow Asking").status.description or "")


class WithoutChat(Sampler):
    """Samples all but the spans of language model calls."""

    def should_sample(self, parent_context: Any, trace_id: int, name: str, *others: Any, **more: Any) -> SamplingResult:
        sampler = ALWAYS_OFF if name.startswith("chat ") else ALWAYS_ON
        return sampler.should_sample(parent_context, trace_id, name, *others, **more)

    def get_description(self) -> str:
        return "WithoutChat"


def test_a_key_that_a_call_knows_whose_own_span_is_not_sampled(
    start_telemetry: StartTelemetry, model_server: ModelServer
) -> None:
    telemetry = start_telemetry(sampler=WithoutChat())
    model_server.fail_when(lambda request: True, Failure(500, f"No access for {KEY}."))
    lm = dspy.LM("openai/gpt-4o-mini", api_base=model_server.url, api_key=KEY, cache=False, num_retries=0)
    with dspy.context(lm=lm), pytest.raises(Exception, match="No access"):
        Asking("unchained")(question="Which?")
    assert [span.name for span in telemetry.spans if span.name.startswith("chat")] == []
    assert leaks(telemetry, KEY) == []
    assert "No access for [secret]" in (telemetry.span("invoke_workflow Asking").status.description or "")


@pytest.mark.parametrize("sampler", [ALWAYS_ON, ALWAYS_OFF], ids=["sampled", "not sampled"])
def test_the_text_of_an_error_is_read_only_where_a_span_can_tell_it(
    start_telemetry: StartTelemetry, sampler: Sampler
) -> None:
    class CountingError(Exception):
        read = 0

        def __str__(self) -> str:
            CountingError.read += 1
            return "no such thing"

    class Failing(dspy.Module):  # type: ignore[misc]
        def forward(self) -> None:
            raise CountingError

    start_telemetry(sampler=sampler)
    with pytest.raises(CountingError):
        Failing()()
    assert (CountingError.read > 0) == (sampler is ALWAYS_ON)


def test_a_key_of_a_model_that_a_module_holds(telemetry: Recorded) -> None:
    class Holding(dspy.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.lm = dspy.LM("openai/gpt-4o-mini", api_key=KEY)

        def forward(self) -> None:
            raise ValueError(f"not with {self.lm.kwargs['api_key']}")

    with pytest.raises(ValueError, match="not with"):
        Holding()()
    assert telemetry.span("invoke_workflow Holding").status.description == "not with [secret]"


@pytest.mark.parametrize("setting", ["lm", "rm"])
def test_a_key_of_what_dspy_is_configured_with(telemetry: Recorded, setting: str) -> None:
    class Quoting(dspy.Module):  # type: ignore[misc]
        def forward(self) -> None:
            raise ValueError(f"not with {vars(dspy.settings.get(setting))['api_key']}")

    configured = dspy.LM("openai/gpt-4o-mini") if setting == "lm" else dspy.Retrieve()
    vars(configured)["api_key"] = KEY
    with dspy.context(**{setting: configured}), pytest.raises(ValueError, match="not with"):
        Quoting()()
    assert telemetry.span("invoke_workflow Quoting").status.description == "not with [secret]"


@pytest.mark.parametrize(
    ("address", "credentials"),
    [
        (f"http://{KEY}@host:9/v1", {KEY}),
        (f"https://somebody:{KEY}@host/v1", {KEY}),
        ("https://host/v1?api-version=1&subscription-key=a%20b%20c%20d", {"a b c d", "a%20b%20c%20d"}),
        (f"http://somebody%3A{KEY}%40host/v1", {KEY}),
        ("https://host/v1?api-version=1", set()),
        ("http://[broken", set()),
        ("no address of somebody:who@knows", set()),
    ],
)
def test_credentials_in_the_addresses_of_a_client(address: str, credentials: set[str]) -> None:
    assert set(credentials_in({"kwargs": {"api_base": address}})) == credentials


def test_a_server_that_is_down_behind_an_address_with_a_key_alone(telemetry: Recorded) -> None:
    lm = dspy.LM("openai/gpt-4o-mini", api_base=f"http://{KEY}@127.0.0.1:9/v1", api_key="x", cache=False, num_retries=0)
    with dspy.context(lm=lm), pytest.raises(Exception, match=r".+"):
        Asking("unchained")(question="Which?")
    assert leaks(telemetry, KEY) == []


@pytest.mark.parametrize("optimizer", [False, True])
def test_a_metric_that_quotes_question_and_answer(telemetry: Recorded, optimizer: bool) -> None:
    def metric(example: Any, prediction: Any, trace: object = None) -> float:
        raise LookupError(f"{example.question}: {prediction.answer}: no such person in ledger 7")

    program = dspy.Predict("question -> answer")
    examples = [dspy.Example(question=QUESTION).with_inputs("question")]
    with dspy.context(lm=DummyLM([{"answer": REPLY}] * 3)):
        if optimizer:
            dspy.BootstrapFewShot(metric=metric, max_errors=9).compile(program, trainset=examples)
        else:
            dspy.Evaluate(devset=examples, metric=metric, num_threads=1, max_errors=9)(program)
    assert leaks(telemetry) == []
    assert "no such person in ledger 7" in (telemetry.named("evaluate_example")[0].status.description or "")


def look_up(name: str) -> str:
    """Look somebody up."""
    return REPLY


class Passages:
    """Finds one passage."""

    def __call__(self, query: str, k: int = 3, **settings: Any) -> list[dspy.Example]:
        return [dspy.Example(long_text=REPLY)]


@pytest.mark.parametrize("source", ["tool", "search", "the first of many replies"])
def test_a_program_that_quotes_what_it_got_on_its_way(telemetry: Recorded, source: str) -> None:
    tool, predictor = dspy.Tool(look_up), dspy.Predict("question -> answer")

    class Gathering(dspy.Module):  # type: ignore[misc]
        def forward(self, place: int) -> None:
            if source == "tool":
                found = f"{tool(name=QUESTION)} for {QUESTION}"
            elif source == "search":
                found = dspy.Retrieve(k=1)(QUESTION).passages[0]
            else:
                found, *_ = [predictor(question=f"{number}?").answer for number in range(50)]
            raise ValueError(f"{found} is not known in region {place}")

    replies = [{"answer": REPLY}, *({"answer": f"nobody {number}"} for number in range(50))]
    with dspy.context(lm=DummyLM(replies), rm=Passages()), pytest.raises(ValueError, match="is not known"):
        Gathering()(place=7)
    assert leaks(telemetry) == []
    assert "is not known in region" in (telemetry.span("invoke_workflow Gathering").status.description or "")


@pytest.mark.parametrize(
    "write",
    [
        str,
        str.upper,
        str.lower,
        repr,
        quote,
        quote_plus,
        lambda value: repr(value.encode()),
        lambda value: value[5:19],
        lambda value: f"{value[:14]}...",
    ],
)
def test_a_value_is_cut_however_it_is_written(write: Any) -> None:
    value = "Zoë's Ärger über İstanbul\nund Köln"
    told = without_values(f"before {write(value)} after", [value])
    assert told.startswith("before ")
    assert told.endswith("after")
    pieces = (write(value)[start : start + 12] for start in range(len(write(value)) - 11))
    assert [piece for piece in pieces if piece in told] == []


def test_a_short_value_beside_a_very_long_one_is_cut_and_leaves_no_pieces_of_another() -> None:
    values = ["x" * 3_000_000, "Ann Lee", "Ann Lee lives here with Bob"]
    assert without_values("no ANN LEE, and no Ann Lee lives here wit", values) == "no …, and no …"


def test_a_long_value_costs_a_failure_little() -> None:
    document = "".join(f"sentence {number} of a long document. " for number in range(30_000))
    began = time.process_time()
    message_of(RuntimeError("nothing of it is in here, whatever it may be"), Surroundings([document]))
    assert time.process_time() - began < 1.0


@pytest.mark.complaints
def test_a_failure_of_ours_around_an_example_is_logged_without_its_text(
    telemetry: Recorded, caplog: pytest.LogCaptureFixture
) -> None:
    from opentelemetry.instrumentation.dspy.recorders import example_runs

    class UnheardOfError(Exception):
        """Of no other test: each type is told of once."""

    def open_one(item: Any) -> Any:
        raise UnheardOfError(REPLY)

    with caplog.at_level(logging.WARNING):
        run: Any = example_runs.recording_examples(open_one, lambda item: item, lambda result: result)
        assert run(5) == 5
    assert "UnheardOfError" in caplog.text
    assert [word for word in PRIVATE if word in caplog.text] == []
