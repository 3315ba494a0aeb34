"""With nothing switched on, no text of an error holds what a program was given, was answered or keeps secret."""

from __future__ import annotations

import datetime
import enum
import json
from typing import TYPE_CHECKING, Any, Literal, Optional, Union

import dspy
import pydantic
import pytest
from model_server import Failure, Reply

if TYPE_CHECKING:
    from conftest import MakeLM
    from model_server import ModelServer
    from recorded import Recorded

REPLY = "Wilhelmina Oppenheim-Vance lives at 12 Quarry Lane"
QUESTION = "Where does Bartholomew Featherstonehaugh live?"
PRIVATE = ("Wilhelmina", "Oppenheim", "Quarry", "Bartholomew", "Featherstone")


class Colour(enum.Enum):
    """Two colours."""

    RED = "red"
    BLUE = "blue"


class Address(pydantic.BaseModel):
    """Where somebody lives."""

    street: str
    number: int


class Person(pydantic.BaseModel):
    """Somebody, with a rule of the application's own that quotes what breaks it."""

    name: str
    address: Address

    @pydantic.field_validator("name")
    @classmethod
    def name_is_short(cls, value: str) -> str:
        if len(value) > 5:
            raise ValueError(f"{value} is too long a name")
        return value


TYPES: dict[str, Any] = {
    "int": int,
    "float": float,
    "bool": bool,
    "literal": Literal["yes", "no"],
    "enum": Colour,
    "date": datetime.date,
    "list": list[int],
    "dict": dict[str, int],
    "optional": Optional[int],  # noqa: UP045 - as older programs write it
    "union": Union[int, Address],  # noqa: UP007 - as above
    "model": Person,
    "models": list[Person],
}

REPLIES = {
    "a sentence": REPLY,
    "a field": f"[[ ## value ## ]]\n{REPLY}\n\n[[ ## completed ## ]]",
    "json": f'{{"value": "{REPLY}"}}',
    "a list": f'{{"value": ["{REPLY}"]}}',
    "an object": json.dumps({"value": {REPLY: REPLY, "name": REPLY, "address": {"street": 1, "number": REPLY}}}),
    "xml": f"<value>{REPLY}</value>",
    "broken json": f'{{"value": {{"name": "{REPLY}"',
}


class Answering(dspy.BaseLM):  # type: ignore[misc]
    """A language model that says one thing."""

    def __init__(self, text: str) -> None:
        super().__init__(model="answering")
        self.text = text

    def __call__(self, *arguments: Any, **keyword_arguments: Any) -> list[str]:
        return [self.text]

    async def acall(self, *arguments: Any, **keyword_arguments: Any) -> list[str]:
        return [self.text]


def leaks(telemetry: Recorded, *words: str) -> list[str]:
    """What is in any signal of all that must not be there."""
    everything = telemetry.everything()
    return [word for word in (*PRIVATE, *words) if word in everything]


@pytest.mark.parametrize("adapter", ["ChatAdapter", "JSONAdapter", "XMLAdapter"])
@pytest.mark.parametrize("kind", TYPES)
def test_a_field_that_is_filled_wrongly(telemetry: Recorded, kind: str, adapter: str) -> None:
    if not hasattr(dspy, adapter):
        return
    fields = {"question": (str, dspy.InputField()), "value": (TYPES[kind], dspy.OutputField())}
    predictor = dspy.Predict(dspy.Signature(fields, "Answer."))
    failures = 0
    for reply in REPLIES.values():
        with dspy.context(lm=Answering(reply), adapter=getattr(dspy, adapter)()):
            try:
                predictor(question=QUESTION)
            except Exception:  # noqa: BLE001 - whatever this DSPy raises
                failures += 1
    assert failures > 0
    assert leaks(telemetry) == []
    described = [span.status.description for span in telemetry.spans if span.status.description]
    assert len(described) >= failures


def forecast(city: str, days: int = 1) -> str:
    """Tell the weather."""
    raise LookupError(f"there is no weather in {city} for {days} days")


def test_a_tool_that_is_called_wrongly_or_fails(telemetry: Recorded) -> None:
    tool = dspy.Tool(forecast)
    for arguments in ({"city": QUESTION, "days": REPLY}, {"town": REPLY}, {"city": REPLY, "days": 471_180_471_180}):
        with pytest.raises(Exception, match=r".+"):
            tool(**arguments)
    assert leaks(telemetry, "471180471180") == []
    assert all(span.status.description for span in telemetry.named("execute_tool forecast"))


def test_an_application_that_quotes_what_a_model_said(telemetry: Recorded) -> None:
    class Ordering(dspy.Module):
        def __init__(self) -> None:
            super().__init__()
            self.read = dspy.Predict("question -> name")

        def forward(self, question: str) -> None:
            name = self.read(question=question).name
            raise RuntimeError(f"order of {name[:30]!r} was not found in region 7")

    reply = f"[[ ## name ## ]]\n{REPLY}\n\n[[ ## completed ## ]]"
    with dspy.context(lm=Answering(reply), adapter=dspy.ChatAdapter()), pytest.raises(RuntimeError):
        Ordering()(question=QUESTION)
    assert leaks(telemetry) == []
    told = telemetry.span("invoke_workflow Ordering").status.description or ""
    assert told.startswith("order of ")
    assert told.endswith("was not found in region 7")


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (401, "Incorrect API key provided: k-9f2b77aa41."),
        (400, f"This model's maximum context length is 8 tokens; your prompt was '{QUESTION}' and is too long."),
        (400, "Invalid header X-Tenant-Mark: tenant-mark-31337."),
    ],
    ids=["key", "prompt", "header"],
)
def test_a_provider_that_quotes_what_it_was_sent(
    telemetry: Recorded, model_server: ModelServer, make_lm: MakeLM, status: int, message: str
) -> None:
    settings: dict[str, Any] = {"api_key": "k-9f2b77aa41"}
    if "header" in message.lower():
        settings["extra_headers"] = {"X-Tenant-Mark": "tenant-mark-31337"}
    lm = make_lm(**settings)
    model_server.fail_when(lambda request: True, Failure(status, message))
    with pytest.raises(Exception, match=r".+"):
        lm(QUESTION)
    assert leaks(telemetry, "k-9f2b77aa41", "tenant-mark-31337") == []
    assert telemetry.span("chat gpt-4o-mini").status.description


def test_a_server_that_is_down_behind_an_address_with_a_password(telemetry: Recorded, make_lm: MakeLM) -> None:
    lm = make_lm(api_base="http://somebody:hunter2-very@127.0.0.1:9/v1")
    with pytest.raises(Exception, match=r".+"):
        lm("Where?")
    assert leaks(telemetry, "hunter2") == []


def test_a_reply_that_a_module_survives_is_in_no_event_either(
    telemetry: Recorded, model_server: ModelServer, make_lm: MakeLM
) -> None:
    make_lm()
    model_server.reply = lambda request: Reply(text=REPLY)
    with pytest.raises(Exception, match=r".+"):
        dspy.Predict("question -> count: int")(question=QUESTION)
    assert leaks(telemetry) == []


def test_a_metric_that_quotes_what_bare_predictors_said(telemetry: Recorded) -> None:
    judge = dspy.Predict("answer -> verdict")

    def metric(example: Any, prediction: Any, trace: object = None) -> float:
        verdict = judge(answer=prediction.answer).verdict
        raise AssertionError(f"user_{prediction.answer} is {verdict}, expected {example.answer.split()}")

    examples = [dspy.Example(question="Who?", answer="Yaroslav Quillon").with_inputs("question")]
    evaluate = dspy.Evaluate(devset=examples, metric=metric, num_threads=1, max_errors=9)
    reply = "[[ ## answer ## ]]\nSchneider\n\n[[ ## verdict ## ]]\nHIVpositive\n\n[[ ## completed ## ]]"
    with dspy.context(lm=Answering(reply), adapter=dspy.ChatAdapter()):
        evaluate(dspy.Predict("question -> answer"))
    assert leaks(telemetry, "Schneider", "HIVpositive", "Yaroslav", "Quillon") == []
    assert telemetry.named("evaluate_example")[0].status.description == "user_… is …, expected ['…', '…']"
