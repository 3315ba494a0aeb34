"""Modules, methods, functions and classes copy, pickle and save as they do without the instrumentation."""

from __future__ import annotations

import copy
import importlib
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cloudpickle
import dspy
import pytest
import travelling
from dspy.clients import execution
from patched import Notebook, Worker, patched
from travelling import Answering, CountingLM, Reviewing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from recorded import Recorded

# Loads what the tests have pickled in a Python that has neither this library nor what it stands on.
LOADER = """
import json, pickle, sys, types

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("opentelemetry", "wrapt", "travelling"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
import dspy

results = {}
for path in sys.argv[1:]:
    with open(path, "rb") as file:
        loaded = pickle.load(file)
    if isinstance(loaded, type):
        loaded = loaded()
    results[path] = loaded.__qualname__ if isinstance(loaded, types.FunctionType) else loaded("hello")
assert not [name for name in sys.modules if name.split(".")[0] in ("opentelemetry", "wrapt", "travelling")]
print(json.dumps(results))
"""


@pytest.fixture
def fresh_travelling() -> Iterator[None]:
    """Loading a class that was pickled by value replaces the methods of the one that is there."""
    yield
    importlib.reload(travelling)


def load_elsewhere(paths: list[Path]) -> dict[str, Any]:
    ended = subprocess.run(
        [sys.executable, "-c", LOADER, *map(str, paths)], env=os.environ, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    results: dict[str, Any] = json.loads(ended.stdout)
    return {Path(path).stem: result for path, result in results.items()}


def things() -> dict[str, Any]:
    """Whatever of a program may be handed around, each callable with a text."""
    program = Answering()
    return {
        "module": program,
        "bound-method": program.__call__,
        "method-of-a-class": Answering.__call__,
        "async-method-of-a-class": Answering.acall,
        "inherited-method-of-a-class": dspy.ChainOfThought.__call__,
        "class": Answering,
        "lm": CountingLM("openai/gpt-4o-mini", api_key="test-key"),
        "bound-method-of-an-lm": CountingLM("openai/gpt-4o-mini", api_key="test-key").__call__,
        "class-method": Reviewing.insert,
        "function": execution.finalize,
    }


def described(thing: Any) -> Any:
    """What a thing is, in words that do not depend on which copy of it this is."""
    instance = getattr(thing, "__self__", thing)
    kind = instance if isinstance(instance, type) else type(instance)
    return kind.__name__, getattr(thing, "__qualname__", None), getattr(thing, "__module__", None)


@pytest.mark.parametrize("name", things())
@pytest.mark.parametrize("way", ["copy", "deepcopy", "pickle", "cloudpickle"])
def test_everything_is_copied_as_without_the_instrumentation(way: str, name: str, telemetry: Recorded) -> None:
    ways: dict[str, Any] = {
        "copy": copy.copy,
        "deepcopy": copy.deepcopy,
        "pickle": lambda thing: pickle.loads(pickle.dumps(thing)),
        "cloudpickle": lambda thing: pickle.loads(cloudpickle.dumps(thing)),
    }
    thing = things()[name]
    copied = ways[way](thing)
    assert described(copied) == described(thing)
    if way == "deepcopy" and hasattr(thing, "__self__") and not isinstance(thing.__self__, type):
        assert copied.__self__ is not thing.__self__


def test_a_copied_program_is_recorded_as_the_program_is(telemetry: Recorded) -> None:
    for program in (copy.deepcopy(Answering()), pickle.loads(pickle.dumps(Answering())), Answering().deepcopy()):
        assert program(text="hello") == "HELLO"
        assert copy.deepcopy(program.__call__)(text="hello") == "HELLO"
    assert [span.name for span in telemetry.spans] == ["invoke_workflow Answering"] * 6


def test_deep_copying_a_program_with_a_bound_method_keeps_them_together(telemetry: Recorded) -> None:
    program = Answering()
    program.again = program.__call__
    copied = copy.deepcopy(program)
    assert copied.again.__self__ is copied


def test_what_was_pickled_by_name_or_by_value_loads_and_runs_where_neither_library_nor_program_are(
    telemetry: Recorded, tmp_path: Path
) -> None:
    (tmp_path / "method.pkl").write_bytes(pickle.dumps(dspy.Module.__call__))
    (tmp_path / "function.pkl").write_bytes(pickle.dumps(execution.finalize))
    cloudpickle.register_pickle_by_value(travelling)
    try:
        for name in ("module", "bound-method", "class"):
            (tmp_path / f"{name}.pkl").write_bytes(cloudpickle.dumps(things()[name]))
    finally:
        cloudpickle.unregister_pickle_by_value(travelling)
    assert load_elsewhere(sorted(tmp_path.iterdir())) == {
        "method": "Module.__call__",
        "function": "finalize",
        "module": "HELLO",
        "bound-method": "HELLO",
        "class": "HELLO",
    }


DSPYS_OWN = {
    "Module": "dspy.primitives.module",
    "Predict": "dspy.predict.predict",
    "BaseLM": "dspy.clients.base_lm",
    "Adapter": "dspy.adapters.base",
    "Tool": "dspy.adapters.types.tool",
    "ToolCalls": "dspy.adapters.types.tool",
    "Retrieve": "dspy.retrievers.retrieve",
    "Evaluate": "dspy.evaluate.evaluate",
    "BootstrapFewShot": "dspy.teleprompt.bootstrap",
    "Unbatchify": "dspy.utils.unbatchify",
}

CLASS_LOADER = f"""{LOADER[: LOADER.index("results =")]}
for path in sys.argv[1:]:
    with open(path, "rb") as file:
        loaded = pickle.load(file)

    class Below(loaded):
        pass

    double = lambda number: 2 * number
    if loaded.__name__ == "Module":
        Below.forward = lambda self, text: text.upper()
        assert Below()(text="hello") == "HELLO"
    if loaded.__name__ == "ToolCalls":
        call = loaded.ToolCall(name="double", args={{"number": 2}})
        assert (call.execute({{"double": double}}), call.execute()) == (4, 4)
    if loaded.__name__ == "Unbatchify":
        unbatchify = Below(list, max_batch_size=1)
        assert unbatchify("a") == "a"
        unbatchify.stop_event.set()
    if loaded.__name__ == "BootstrapFewShot":
        assert Below(metric=len).metric is len
    print(loaded.__name__)
assert not [name for name in sys.modules if name.split(".")[0] in ("opentelemetry", "wrapt")]
"""


def test_the_classes_of_dspy_are_loaded_where_we_are_not_when_they_are_saved_by_value(
    telemetry: Recorded, tmp_path: Path
) -> None:
    for name, module_name in DSPYS_OWN.items():
        module = importlib.import_module(module_name)
        cloudpickle.register_pickle_by_value(module)
        try:
            (tmp_path / name).write_bytes(cloudpickle.dumps(vars(module)[name]))
        finally:
            cloudpickle.unregister_pickle_by_value(module)
    saved = [str(tmp_path / name) for name in DSPYS_OWN]
    ended = subprocess.run([sys.executable, "-c", CLASS_LOADER, *saved], capture_output=True, text=True, check=False)
    assert ended.stdout.split() == list(DSPYS_OWN), ended.stderr


def test_a_hook_of_ours_is_saved_as_the_one_that_there_is_without_it() -> None:
    class Hooked(Worker):
        def __init_subclass__(cls, **options: Any) -> None:
            super().__init_subclass__(**options)

        def __call__(self, *values: Any, **options: Any) -> Any:
            return "hooked"

    class Below(Hooked):
        def __call__(self, *values: Any, **options: Any) -> Any:
            return "below"

    hook = vars(Hooked)["__init_subclass__"]
    for owner, expected in ((Hooked, hook), (Below, hook), (Worker, object.__init_subclass__)):
        with patched(Notebook(), "__call__", worker_class=owner):
            ours = vars(owner)["__init_subclass__"]
            assert ours is not hook
            rebuild, arguments = ours.__reduce_ex__(4)
        assert rebuild(*arguments) == expected


@pytest.mark.usefixtures("fresh_travelling")
def test_a_whole_saved_program_loads_here_and_elsewhere(telemetry: Recorded, tmp_path: Path) -> None:
    Answering().save(tmp_path / "program", save_program=True, modules_to_serialize=[travelling])
    loaded = dspy.load(tmp_path / "program", allow_pickle=True)
    assert loaded(text="hello") == "HELLO"
    assert telemetry.tree() == "invoke_workflow Answering"
    assert load_elsewhere([tmp_path / "program" / "program.pkl"]) == {"program": "HELLO"}


def test_a_saved_state_is_the_same_file_as_without_the_instrumentation(start_telemetry: Any, tmp_path: Path) -> None:
    def saved(name: str) -> tuple[str, bytes]:
        program = Answering()
        program.review.demos = [dspy.Example(text="one", review="two")]
        program.review.signature = program.review.signature.with_instructions("Be brief.")
        program.save(tmp_path / f"{name}.json")
        program.save(tmp_path / f"{name}.pkl")
        again = Answering()
        again.load(tmp_path / f"{name}.json")
        assert again.review.signature.instructions == "Be brief."
        assert again.review.demos[0]["review"] == "two"
        return (tmp_path / f"{name}.json").read_text(), (tmp_path / f"{name}.pkl").read_bytes()

    without = saved("without")
    start_telemetry()
    assert saved("with") == without


def test_a_copied_language_model_is_one_of_the_same_class_with_a_history_of_its_own(
    telemetry: Recorded, lm: dspy.LM
) -> None:
    language_model = CountingLM("openai/gpt-4o-mini", api_base=lm.kwargs["api_base"], api_key="test-key", cache=False)
    copied = language_model.copy(temperature=0.5)
    assert type(copied) is CountingLM
    copied("Where?")
    assert (len(copied.history), len(language_model.history)) == (1, 0)
    assert telemetry.attributes("chat gpt-4o-mini")["gen_ai.request.temperature"] == 0.5
