"""Whatever an object of the application says of itself, its call is recorded, and OTLP can carry what is."""

from __future__ import annotations

import asyncio
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dspy
import pytest
from recorded import attributes_of

from opentelemetry.instrumentation.dspy import telemetry_context

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import StartTelemetry
    from recorded import Recorded

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

SURROGATE = "\ud83d"
REPLY = "[[ ## answer ## ]]\nHere\n\n[[ ## completed ## ]]"


class Touchy:
    """Has no truth, no length and no equality, as arrays and data frames."""

    __hash__ = None  # type: ignore[assignment]

    def __bool__(self) -> bool:
        raise ValueError("ambiguous")

    def __len__(self) -> int:
        raise ValueError("ambiguous")

    def __eq__(self, other: object) -> Any:
        raise ValueError("ambiguous")


class Gone:
    """Of which only a proxy is left."""


def dead_proxy() -> Any:
    return weakref.proxy(Gone())


class Echo(dspy.BaseLM):
    """Answers without asking anybody."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(model="echo")
        vars(self).update(attributes)

    def __call__(self, prompt: Any = None, messages: Any = None, **settings: Any) -> Any:
        return [REPLY]

    async def acall(self, prompt: Any = None, messages: Any = None, **settings: Any) -> Any:
        return [REPLY]


class Guarded(Echo):
    """Raises when it is asked for anything about itself."""

    def __getattribute__(self, name: str) -> Any:
        if name in ("model", "kwargs", "model_type", "base_url", "supports_decision_requests"):
            raise RuntimeError(name)
        return super().__getattribute__(name)


class Nameless(Echo):
    def __init__(self) -> None:
        super().__init__()
        del self.model, self.kwargs


MODELS: dict[str, Callable[[], Any]] = {
    "nothing": lambda: None,
    "empty": str,
    "number": lambda: 7,
    "bytes": lambda: b"gpt",
    "path": lambda: Path("models/own"),
    "mapping": lambda: {"name": "own"},
    "touchy": Touchy,
    "gone": dead_proxy,
    "object": object,
}


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("model", MODELS)
def test_a_language_model_whose_model_is_no_text_is_named_after_its_class(
    model: str, asynchronous: bool, telemetry: Recorded
) -> None:
    echo = Echo(model=MODELS[model]())
    assert (asyncio.run(echo.acall("Where?")) if asynchronous else echo("Where?")) == [REPLY]
    attributes = telemetry.attributes("chat Echo")
    assert (attributes["gen_ai.request.model"], attributes["gen_ai.provider.name"]) == ("Echo", "Echo")


@pytest.mark.parametrize("language_model", [Guarded, Nameless])
def test_one_that_tells_nothing_is_named_after_its_class(language_model: type[Echo], telemetry: Recorded) -> None:
    assert language_model()("Where?") == [REPLY]
    assert telemetry.tree() == f"chat {language_model.__name__}"


@pytest.mark.parametrize("capture", ["", "SPAN_AND_EVENT"])
@pytest.mark.parametrize("kind", ["touchy", "gone", "nothing", "number"])
def test_odd_settings_and_arguments_cost_no_span(kind: str, capture: str, start_telemetry: StartTelemetry) -> None:
    odd = MODELS[kind]()
    telemetry = start_telemetry(capture=capture)
    Echo(kwargs=odd, model_type=odd)("Where?")
    Echo()(odd, messages=odd)
    Echo()("Where?", request=odd, api_base=odd, base_url=odd, tools=odd)
    assert telemetry.tree() == "chat echo\nchat echo\nchat echo"


def test_an_address_that_is_an_object_is_read_as_the_url_it_stands_for(telemetry: Recorded) -> None:
    class URL:
        def __str__(self) -> str:
            return "https://models.example:8443/v1"

    Echo()("Where?", api_base=URL())
    attributes = telemetry.attributes("chat echo")
    assert (attributes["server.address"], attributes["server.port"]) == ("models.example", 8443)


def test_a_path_is_no_address(telemetry: Recorded) -> None:
    Echo()("Where?", api_base=Path("https://models.example"))
    assert "server.address" not in telemetry.attributes("chat echo")


@pytest.mark.parametrize("capture", ["", "SPAN_AND_EVENT"])
def test_every_text_on_a_span_can_be_sent(capture: str, start_telemetry: StartTelemetry) -> None:
    class Desk(dspy.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = {f"first{SURROGATE}": dspy.Predict("question -> answer")}

        def forward(self, question: str) -> Any:
            tool = dspy.Tool(lambda text: text, name=f"look{SURROGATE}", desc=f"Looks {SURROGATE}")
            tool(text=question)
            return self.table[f"first{SURROGATE}"](question=question)

    telemetry = start_telemetry(capture=capture)
    dspy.configure(lm=Echo(model=f"echo{SURROGATE}"), adapter=dspy.ChatAdapter())
    with telemetry_context(
        conversation_id=f"talk{SURROGATE}", attributes={f"tenant{SURROGATE}": f"a{SURROGATE}", "tags": [SURROGATE]}
    ):
        assert Desk()(question="Where?").answer == "Here"
    assert telemetry.tree() == ("invoke_workflow Desk\n  execute_tool look?\n  Predict table\n    chat echo?")
    for span in telemetry.spans:
        attributes = attributes_of(span)
        assert (attributes["tenant?"], attributes["tags"]) == ("a?", ["?"])
        assert attributes["gen_ai.conversation.id"] == "talk?"
        repr_of_all = "".join([span.name, *(f"{name}{value}" for name, value in attributes.items())])
        assert repr_of_all.encode().decode() == repr_of_all
    assert telemetry.attributes("Predict table")["dspy.module.path"] == "table['first?']"


@pytest.mark.parametrize("kind", ["number", "nothing", "touchy", "gone", "mapping"])
def test_a_tool_whose_name_is_no_text_is_named_after_its_function(kind: str, telemetry: Recorded) -> None:
    def look(text: str) -> str:
        return text

    tool = dspy.Tool(look)
    vars(tool).update(name=MODELS[kind](), desc=Touchy())
    assert tool(text="x") == "x"
    assert telemetry.tree() == "execute_tool look"


def test_a_program_that_holds_odd_things_is_recorded_with_its_paths(telemetry: Recorded) -> None:
    class Desk(dspy.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gone, self.table, self.mixed = dead_proxy(), Touchy(), [dead_proxy(), Touchy()]
            self.answer = dspy.Predict("question -> answer")

        def forward(self, question: str) -> Any:
            return self.answer(question=question)

    dspy.configure(lm=Echo(), adapter=dspy.ChatAdapter())
    assert Desk()(question="Where?").answer == "Here"
    assert telemetry.attributes("Predict answer")["dspy.module.path"] == "answer"


def test_a_retriever_that_tells_nothing_is_a_search(telemetry: Recorded) -> None:
    class Shelf(dspy.Retrieve):
        def __init__(self) -> None:
            super().__init__(k=1)
            self.gone_index_name, self.url = dead_proxy(), Touchy()

        def __call__(self, query: str) -> list[str]:
            return [query]

    assert Shelf()("boats") == ["boats"]
    assert telemetry.tree() == "retrieval"


@pytest.mark.parametrize("kind", ["nameless", "raising", "odd", "partial"])
def test_a_metric_without_a_name_is_named_after_its_class(kind: str, telemetry: Recorded) -> None:
    class Judge:
        def __call__(self, example: Any, prediction: Any, trace: Any = None) -> float:
            return 1.0

    class Raising(Judge):
        @property
        def __name__(self) -> str:
            raise RuntimeError

    metrics: dict[str, Any] = {"nameless": Judge(), "raising": Raising(), "odd": Judge(), "partial": Judge()}
    vars(metrics["odd"])["__name__"] = Touchy()
    vars(metrics["partial"])["__module__"] = 7
    dspy.configure(lm=Echo(), adapter=dspy.ChatAdapter())
    devset = [dspy.Example(question="Where?", answer="Here").with_inputs("question")]
    dspy.Evaluate(devset=devset, metric=metrics[kind], num_threads=1)(dspy.Predict("question -> answer"))
    assert telemetry.tree().splitlines()[0] == ("evaluate Raising" if kind == "raising" else "evaluate Judge")


def test_demonstrations_of_every_kind_cost_no_span(telemetry: Recorded) -> None:
    dspy.configure(lm=Echo(), adapter=dspy.ChatAdapter())
    predict = dspy.Predict("question -> answer")
    circular: list[Any] = []
    circular.append(circular)
    demo = dspy.Example(question="Who?", answer="Me")
    for demos in ((demo for _ in range(1)), (demo,), [dspy.Example(question="Who?", answer="Me", more=circular)]):
        telemetry.clear()
        assert predict(question="Where?", demos=demos).answer == "Here"
        assert telemetry.tree() == "Predict question -> answer\n  chat echo"
