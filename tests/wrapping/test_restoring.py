"""After ``uninstrument()`` every class is what it was: the same attributes, the same objects, in the same order."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import inspect
import pkgutil
import sys
from typing import TYPE_CHECKING, Any

import dspy
import pytest
import wrapt
from every_kind import run_every_kind, script
from opentelemetry.instrumentation.utils import unwrap
from patched import Notebook, Worker, patched
from search_server import SearchServer

from opentelemetry.instrumentation.dspy import DSPyInstrumentor
from opentelemetry.instrumentation.dspy.seams import seams
from opentelemetry.instrumentation.dspy.telemetry import Telemetry
from opentelemetry.instrumentation.dspy.wrapping.traced import TracedAttribute

if TYPE_CHECKING:
    from conftest import StartTelemetry
    from model_server import ModelServer
    from recorded import Recorded

Contents = list[tuple[str, Any]]


class Workflow(dspy.Module):
    """A class of the application, there before the instrumentation."""

    def __call__(self, *values: Any, **options: Any) -> Any:
        return super().__call__(*values, **options)

    async def acall(self, *values: Any, **options: Any) -> Any:
        return await super().acall(*values, **options)

    def forward(self, question: str) -> str:
        return question


class WithHook(dspy.Module):
    """A class with a hook of its own, which has to be called as before."""

    kinds: tuple[str, ...] = ()

    def __init_subclass__(cls, kind: str = "none", **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.kinds = (*cls.kinds, kind)


def all_of_dspy() -> list[Any]:
    """Every class and every Python module of DSPy, and the application's classes that derive from them."""
    for found in pkgutil.walk_packages(dspy.__path__, "dspy."):
        with contextlib.suppress(ImportError):  # Some need a library that is not installed.
            importlib.import_module(found.name)
    modules = [module for name, module in sorted(sys.modules.items()) if name.partition(".")[0] == "dspy"]
    classes: dict[int, type] = {}

    def add(cls: type) -> None:
        if id(cls) not in classes:
            classes[id(cls)] = cls
            for subclass in type.__subclasses__(cls):
                add(subclass)

    for module in modules:
        for value in list(vars(module).values()):
            if isinstance(value, type) and value.__module__.startswith("dspy"):
                add(value)
    assert len(classes) > 200
    return [*classes.values(), *modules]


def contents(owner: Any) -> Contents:
    """The attributes of a class or Python module; those that Python itself fills in on the way are left out."""
    own_bookkeeping = ("__abstractmethods__", "_abc_impl", "__annotations_cache__", "__warningregistry__")
    return [(name, value) for name, value in vars(owner).items() if name not in own_bookkeeping]


def changed(before: list[tuple[Any, Contents]]) -> list[str]:
    """The names of what is not as it was: by identity, and in the same order."""
    return [
        f"{owner.__name__}: {sorted({name for name, _ in was} ^ {name for name, _ in contents(owner)})}"
        for owner, was in before
        if [(name, id(value)) for name, value in was] != [(name, id(value)) for name, value in contents(owner)]
    ]


def instrument_and_uninstrument(recorded: Recorded) -> None:
    DSPyInstrumentor().instrument(**recorded.providers)
    DSPyInstrumentor().uninstrument()


@pytest.fixture
def everything() -> list[tuple[Any, Contents]]:
    return [(owner, contents(owner)) for owner in all_of_dspy()]


def test_every_class_of_dspy_and_of_the_application_is_what_it_was(
    everything: list[tuple[Any, Contents]], start_telemetry: StartTelemetry
) -> None:
    recorded = start_telemetry()
    assert {"Module", "BaseLM", "Workflow"} <= {owner.partition(":")[0] for owner in changed(everything)}
    DSPyInstrumentor().uninstrument()
    assert changed(everything) == []
    instrument_and_uninstrument(recorded)
    assert changed(everything) == []


@pytest.mark.parametrize("capture", ["", "SPAN_ONLY"], ids=["without content", "with content"])
def test_after_programs_of_every_kind_too(
    everything: list[tuple[Any, Contents]],
    start_telemetry: StartTelemetry,
    lm: dspy.LM,
    model_server: ModelServer,
    capture: str,
) -> None:
    model_server.reply = script()
    recorded = start_telemetry(capture=capture, openinference=True, propagate=True)
    with SearchServer() as search:
        run_every_kind(dspy.ColBERTv2(url=f"{search.url}/search"))
    assert len(recorded.spans) > 30
    DSPyInstrumentor().uninstrument()
    # DSPy's modules keep something of each run themselves, such as who may change the settings.
    assert changed([(owner, was) for owner, was in everything if isinstance(owner, type)]) == []


@pytest.mark.complaints
def test_whatever_happened_in_between_too(
    everything: list[tuple[Any, Contents]], start_telemetry: StartTelemetry
) -> None:
    """Programs that failed, a second ``instrument()``, classes that came and went, and others that were wrapped."""
    recorded = start_telemetry()
    DSPyInstrumentor().instrument(**recorded.providers)

    def forward(self: Any, question: str) -> Any:
        yield self.not_there

    async def aforward(self: Any, question: str) -> Any:
        raise LookupError(question)

    def call(self: Any, question: str) -> Any:
        raise LookupError(question)

    classes = [
        type(name, (base,), {method.__name__.replace("call", "__call__"): method})
        for base in (dspy.Module, Workflow, dspy.Predict, dspy.Retrieve)
        for name, method in (("Later", forward), ("Awaited", aforward), ("Called", call))
    ]
    failures: list[Exception | None] = []
    for made in classes:
        program: Any = made("question -> answer") if issubclass(made, dspy.Predict) else made()
        failures += [_failure_of(way) for way in (program, getattr(program, "acall", program))]
    assert len(failures) - failures.count(None) > len(classes)
    wrapt.wrap_function_wrapper(dspy.Module, "__call__", lambda wrapped, _, given, named: wrapped(*given, **named))
    DSPyInstrumentor().uninstrument()
    unwrap(dspy.Module, "__call__")
    instrument_and_uninstrument(recorded)
    assert changed([(owner, was) for owner, was in everything if owner is not Workflow]) == []
    for made in classes:
        methods = [vars(made).get(name) for name in ("forward", "aforward", "__call__")]
        assert [method for method in methods if method not in (forward, aforward, call, None)] == []


def _failure_of(way: Any) -> Exception | None:
    async def wait_for(awaitable: Any) -> Any:
        return await awaitable

    try:
        result = way(question="Where?")
        for _ in asyncio.run(wait_for(result)) if inspect.isawaitable(result) else result:
            pass
    except Exception as error:  # noqa: BLE001 - any will do
        return error
    return None


def test_every_seam_is_found_and_replaced(telemetry: Recorded) -> None:
    from opentelemetry.instrumentation.dspy.config import Options

    missing = []
    for seam in seams(Telemetry.create(Options())):
        module = importlib.import_module(seam.module)
        owner = module if seam.owner is None else getattr(module, seam.owner)
        # What only subclasses have, or each instance for itself, stands in the class in another way or not at all.
        found = vars(owner).get("__init_subclass__" if seam.only_below else seam.attribute)
        expected = TracedAttribute if seam.on_instances else classmethod if seam.only_below else wrapt.FunctionWrapper
        if not isinstance(found, expected):
            missing.append((seam.module, seam.owner, seam.attribute, seam.optional))
    assert [seam for seam in missing if not seam[-1]] == []


def test_a_class_that_is_defined_in_between_is_restored_too(start_telemetry: StartTelemetry) -> None:
    start_telemetry()

    def method(self: Any, *values: Any, **options: Any) -> Any:
        return "called"

    class InBetween(Workflow):
        __call__ = method

    assert vars(InBetween)["__call__"] is not method
    DSPyInstrumentor().uninstrument()
    assert vars(InBetween)["__call__"] is method
    assert InBetween()() == "called"


def test_a_class_with_a_hook_of_its_own_keeps_it(start_telemetry: StartTelemetry) -> None:
    hook = vars(WithHook)["__init_subclass__"]
    start_telemetry()

    class Derived(WithHook, kind="derived"):
        def __call__(self) -> str:
            return "called"

    assert vars(WithHook)["__init_subclass__"] is hook
    assert Derived.kinds == ("derived",)
    assert isinstance(vars(Derived)["__call__"], wrapt.FunctionWrapper)
    DSPyInstrumentor().uninstrument()
    assert not isinstance(vars(Derived)["__call__"], wrapt.FunctionWrapper)


def test_a_hook_of_the_patched_class_itself_is_called_for_each_subclass() -> None:
    seen: list[str] = []

    class Hooked(Worker):
        def __init_subclass__(cls, note: str = "", **options: Any) -> None:
            super().__init_subclass__(**options)
            seen.append(f"{cls.__name__} {note}".strip())

        def __call__(self, *values: Any, **options: Any) -> Any:
            return "hooked"

    hook, notebook = vars(Hooked)["__init_subclass__"], Notebook()
    with patched(notebook, "__call__", worker_class=Hooked):

        class First(Hooked, note="first"):
            pass

        class Second(First, note="second"):
            def __call__(self, *values: Any, **options: Any) -> Any:
                return "second"

        First()()
        Second()()
    assert seen == ["First first", "Second second"]
    assert vars(Hooked)["__init_subclass__"] is hook
    assert notebook.lines == ["Hooked.__call__ = 'hooked'", "Second.__call__ = 'second'"]


def test_a_class_with_wrong_keywords_fails_as_it_did(telemetry: Recorded) -> None:
    with pytest.raises(TypeError, match="takes no keyword arguments"):

        class Wrong(dspy.Module, colour="red"):  # type: ignore[call-arg]
            pass


def test_instrumenting_twice_in_one_process_records_each_call_once(start_telemetry: StartTelemetry) -> None:
    first = start_telemetry()
    Workflow()(question="one")
    DSPyInstrumentor().uninstrument()
    Workflow()(question="two")
    second = start_telemetry()
    Workflow()(question="three")
    assert first.tree() == "invoke_workflow Workflow"
    assert second.tree() == "invoke_workflow Workflow"
