"""The path of a module is spelled as ``named_predictors()`` spells it, whatever the program is made of."""

from __future__ import annotations

import copy
import gc
from typing import TYPE_CHECKING, Any

import dspy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opentelemetry.instrumentation.dspy.programs import paths, places
from opentelemetry.instrumentation.dspy.programs.paths import locate
from opentelemetry.instrumentation.dspy.programs.running_modules import RunningModule

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import StartTelemetry
    from recorded import Recorded

QUESTION = "question -> answer"


class Program(dspy.Module):
    """A module with whatever attributes it is given."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__()
        for name, value in attributes.items():
            setattr(self, name, value)

    def forward(self, **options: Any) -> Any:
        return dspy.Prediction(answer="none")


def predictor() -> dspy.Predict:
    return dspy.Predict(QUESTION)


def path_from(root: Any, *modules: Any) -> str | None:
    """The path of the last module, where each of them is called by the one before it."""
    running = RunningModule.of(root, None, {})
    for module in modules:
        running = RunningModule.of(module, running, {})
    return running.path


def test_the_outermost_module_has_no_path() -> None:
    assert path_from(predictor()) is None


def test_attributes_lists_and_dicts_are_spelled_as_dspy_spells_them() -> None:
    program = Program(
        first=predictor(),
        steps=[predictor(), dspy.ChainOfThought(QUESTION)],
        pair=(predictor(), predictor()),
        by_name={"short": predictor(), "it's": predictor(), 3: predictor()},
        inner=Program(deep=Program(predict=predictor())),
    )
    spelled = [(path_from(program, module), name) for name, module in program.named_predictors()]
    assert [path for path, _ in spelled] == [name for _, name in spelled]
    assert [path for path, _ in spelled] == [
        "first",
        "steps[0]",
        "steps[1].predict",
        "pair[0]",
        "pair[1]",
        "by_name['short']",
        "by_name['it's']",
        "by_name['3']",
        "inner.deep.predict",
    ]


def test_the_way_through_the_callers_does_not_matter() -> None:
    leaf = predictor()
    inner = Program(leaf=leaf)
    program = Program(inner=inner)
    assert path_from(program, inner, leaf) == path_from(program, leaf) == "inner.leaf"
    assert path_from(inner, leaf) == "leaf"


def test_a_module_that_two_others_share_is_called_after_its_caller() -> None:
    shared = predictor()
    left, right = Program(shared=shared), Program(shared=shared)
    program = Program(left=left, right=right)
    assert path_from(program, left, shared) == "left.shared"
    assert path_from(program, right, shared) == "right.shared"
    assert path_from(program, shared) == "left.shared"


def test_a_module_made_on_the_way_has_no_path_and_neither_has_what_is_below_it() -> None:
    program = Program(first=predictor())
    made = dspy.ChainOfThought(QUESTION)
    assert path_from(program, made) is None
    assert path_from(program, made, made.predict) is None
    assert path_from(program, made, program.first) == "first"


def test_a_module_that_runs_itself_stands_where_it_stood() -> None:
    inner = Program(leaf=predictor())
    inner.child = Program(parent=inner)
    program = Program(inner=inner)
    program.itself = program
    assert path_from(program, program) is None
    assert path_from(program, program, program, inner, inner.leaf) == "inner.leaf"
    assert path_from(program, inner, inner, inner.leaf) == "inner.leaf"
    assert path_from(program, inner, inner.child, inner, inner.leaf) == "inner.leaf"
    made = Program(leaf=predictor())
    assert path_from(program, made, made, made.leaf) is None


class Halving(dspy.Module):
    """Calls itself until there is nothing to halve."""

    def __init__(self) -> None:
        super().__init__()
        self.answer = dspy.Predict(QUESTION)

    def forward(self, question: str, parts: int) -> Any:
        answered = self.answer(question=question)
        return answered if parts == 1 else self(question=question, parts=parts // 2)


class Trying(Program):
    """Goes on to the original call twice."""

    def __call__(self, **options: Any) -> Any:
        super().__call__(**options)
        return super().__call__(**options)

    def forward(self, **options: Any) -> Any:
        return self.answer(**options)


@pytest.mark.parametrize("within", [False, True], ids=["outermost", "in a program"])
def test_a_prompt_has_one_name_however_deep_its_program_calls_itself(
    telemetry: Recorded, lm: dspy.LM, within: bool
) -> None:
    for module, options in ((Halving(), {"parts": 4}), (Trying(answer=predictor()), {})):
        telemetry.collector.clear()
        (Runner(inner=module) if within else module)(question="Why?", **options)
        calls = telemetry.named("chat gpt-4o-mini")
        name = "Runner.inner.answer" if within else f"{type(module).__name__}.answer"
        path = "inner.answer" if within else "answer"
        assert len(calls) > 1
        assert {span.attributes["gen_ai.prompt.name"] for span in calls if span.attributes} == {name}
        predictors = telemetry.named("Predict answer")
        assert {span.attributes["dspy.module.path"] for span in predictors if span.attributes} == {path}
        assert len(predictors) == len(calls)


def test_a_module_that_the_application_keeps_elsewhere_has_no_path() -> None:
    class Slotted:
        __slots__ = ("module",)

        def __init__(self) -> None:
            self.module = predictor()

    holder = Slotted()
    assert path_from(Program(holder=holder, name="text", number=3), holder.module) is None


def test_deep_copies_have_paths_of_their_own() -> None:
    program = Program(steps=[predictor(), predictor()])
    copied = copy.deepcopy(program)
    assert path_from(copied, copied.steps[1]) == "steps[1]"
    assert path_from(copied, program.steps[1]) is None


def test_a_program_that_is_changed_while_it_is_in_use_has_the_paths_of_now() -> None:
    one, two = predictor(), predictor()
    program = Program(steps=[one, two])
    assert [path_from(program, one), path_from(program, two)] == ["steps[0]", "steps[1]"]
    program.steps.reverse()
    assert [path_from(program, one), path_from(program, two)] == ["steps[1]", "steps[0]"]
    program.steps = {"one": one}
    assert [path_from(program, one), path_from(program, two)] == ["steps['one']", None]
    program.late = two
    del program.steps
    assert [path_from(program, one), path_from(program, two)] == [None, "late"]


def test_modules_that_refer_to_each_other_are_found_and_looked_through_once() -> None:
    program = Program(child=Program(leaf=predictor()))
    program.child.parent = program
    program.child.children = [program.child]
    assert path_from(program, program.child.leaf) == "child.leaf"
    assert path_from(program, predictor()) is None


def test_no_module_is_kept_alive_nor_remembered() -> None:
    gc.collect()
    known = len(paths._indices)
    program = Program(steps=[predictor(), predictor()])
    assert path_from(program, program.steps[1]) == "steps[1]"
    assert len(paths._indices) == known + 1
    dropped = program.steps.pop(0)
    index = paths._indices.get(program)
    assert index is not None
    assert len(index.places) == 2
    del dropped
    gc.collect()
    assert len(index.places) == 1
    del program, index
    gc.collect()
    assert len(paths._indices) == known


Shape = dict[str, Any]

names = st.sampled_from(["a", "b", "c"])
leaves = st.sampled_from(["predictor", "shared predictor", "text"])


def shapes_around(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Shape]:
    """Attributes of a program: modules, and lists and dicts of them."""
    by_key = st.dictionaries(names, inner, max_size=2).map(lambda shapes: ("dict", shapes))
    return st.dictionaries(names, st.one_of(inner, st.lists(inner, max_size=3), by_key), max_size=3)


def built(shape: Any, shared: dspy.Predict) -> Any:
    """What a shape stands for; ``shared`` is one and the same predictor wherever it stands."""
    if isinstance(shape, str):
        return {"predictor": predictor(), "shared predictor": shared, "text": "no module"}[shape]
    if isinstance(shape, list):
        return [built(item, shared) for item in shape]
    if isinstance(shape, tuple):
        return {key: built(item, shared) for key, item in shape[1].items()}
    return Program(**{name: built(item, shared) for name, item in shape.items()})


@given(shapes_around(st.recursive(leaves, shapes_around, max_leaves=12)))
def test_every_predictor_of_every_program_has_the_path_that_dspy_gives_it(shape: Shape) -> None:
    program = built(shape, predictor())
    for name, module in program.named_predictors():
        assert path_from(program, module) == name
        # Again, from what is known now.
        assert path_from(program, module) == name


def test_the_spans_of_a_program_tell_the_paths(telemetry: Recorded) -> None:
    class Nested(Program):
        def forward(self, question: str) -> Any:
            self.steps[0](question=question)
            return self.thought(question=question)

    class Outer(Program):
        def forward(self, question: str) -> Any:
            dspy.ChainOfThought(QUESTION)(question=question)
            return self.nested(question=question)

    answers = dspy.utils.DummyLM([{"reasoning": "so", "answer": "yes"}] * 3)
    with dspy.context(lm=answers):
        Outer(nested=Nested(steps=[predictor()], thought=dspy.ChainOfThought(QUESTION)))(question="Where?")
    described = [(span.name, (span.attributes or {}).get("dspy.module.path")) for span in telemetry.spans]
    assert [pair for pair in described if not pair[0].startswith("chat")] == [
        ("invoke_workflow Outer", None),
        ("ChainOfThought question -> answer", None),
        ("Predict question -> reasoning, answer", None),
        ("invoke_workflow Nested", "nested"),
        ("Predict steps", "nested.steps[0]"),
        ("ChainOfThought thought", "nested.thought"),
        ("Predict thought", "nested.thought.predict"),
    ]


def test_locate_takes_the_caller_directly() -> None:
    program = Program(first=predictor())
    assert locate(program.first, RunningModule.of(program, None, {})).path == "first"
    assert locate(program.first, None).path is None


@pytest.mark.parametrize("make", [list, tuple, lambda values: dict(enumerate(values))], ids=["list", "tuple", "dict"])
@pytest.mark.parametrize("spread", ["one", "many"])
def test_data_that_a_program_holds_is_not_looked_through(
    make: Any, spread: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = 0
    is_module = places._is_module

    def counting(value: object) -> bool:
        nonlocal looks
        looks += 1
        return is_module(value)

    monkeypatch.setattr(places, "_is_module", counting)
    data = make(range(100_000))
    attributes = {"data": data} if spread == "one" else {f"data_{number}": data for number in range(500)}
    program = Program(**attributes, first=predictor(), steps=[predictor()])
    assert path_from(program, program.first) == "first"
    assert path_from(program, program.steps[0]) == "steps[0]"
    first, looks = looks, 0
    assert first < 8_000
    for _ in range(1_000):
        assert path_from(program, predictor()) is None
    assert looks < 130 * 1_000


@pytest.fixture
def looked_through(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The programs that were looked through."""
    looked: list[object] = []
    below = paths.places_below
    monkeypatch.setattr(paths, "places_below", lambda root, look: looked.append(root) or below(root, look))
    return looked


@pytest.mark.parametrize("size", [0, 1, 100, 1_000])
def test_a_program_is_not_looked_through_for_each_module_made_on_the_way(
    size: int, looked_through: list[object]
) -> None:
    program = Program(steps=[Program(step=predictor()) for _ in range(size)], last=predictor())
    assert path_from(program, program.last) == "last"
    for _ in range(1_000):
        assert path_from(program, predictor()) is None
    # Ever more seldom, whatever its size.
    assert len(looked_through) <= 12
    assert path_from(program, program.last) == "last"


def test_a_module_that_stands_outside_of_the_program_is_not_looked_for_in_each_call(
    looked_through: list[object],
) -> None:
    program, outside = Program(steps=[predictor() for _ in range(100)]), predictor()
    for _ in range(1_000):
        assert path_from(program, outside) is None
    assert len(looked_through) <= 12


def test_what_a_program_is_given_while_it_is_in_use_is_found_at_once(looked_through: list[object]) -> None:
    program = Program(steps=[predictor()], by_name={"first": predictor()}, inner=Program())
    for _ in range(1_000):
        path_from(program, predictor())
    looked_through.clear()
    program.steps.append(predictor())
    program.steps.insert(0, predictor())
    program.by_name["late"] = predictor()
    program.late = dspy.ChainOfThought(QUESTION)
    program.predict = predictor()
    program.inner.late = predictor()
    assert [path_from(program, step) for step in program.steps] == ["steps[0]", "steps[1]", "steps[2]"]
    assert path_from(program, program.by_name["late"]) == "by_name['late']"
    assert path_from(program, program.late) == "late"
    assert path_from(program, program.late, program.late.predict) == "late.predict"
    assert path_from(program, program.inner, program.inner.late) == "inner.late"
    assert [word_from(program, program.late), word_from(program, program.predict)] == ["late", "predict"]
    # The modules that were not the caller of anything before, but not the program.
    assert program not in looked_through


def test_what_is_given_to_a_module_that_does_not_run_is_found_in_the_end() -> None:
    program = Program(inner=Program(deep=Program()))
    for _ in range(1_000):
        path_from(program, predictor())
    program.inner.deep.late = predictor()
    found = [path_from(program, program.inner.deep.late) for _ in range(1_000)]
    assert found[-1] == "inner.deep.late"


def test_a_module_that_moves_in_the_program_is_found_where_it_stands_now(looked_through: list[object]) -> None:
    moving = predictor()
    program = Program(left=Program(one=moving), right=Program())
    for _ in range(1_000):
        path_from(program, predictor())
    assert path_from(program, moving) == "left.one"
    program.right.two = moving
    del program.left.one
    assert path_from(program, moving) == "right.two"


class Renamed(Program):
    """What a program may become while it is in use."""


def test_a_program_that_becomes_one_of_another_class_names_its_prompts_anew() -> None:
    inner = Program(predict=predictor())
    program = Program(inner=inner)

    def prompt() -> str | None:
        around = RunningModule.of(inner, RunningModule.of(program, None, {}), {})
        return RunningModule.of(inner.predict, around, {}).location.prompt

    assert prompt() == "Program.inner.predict"
    program.__class__ = Renamed
    assert prompt() == "Renamed.inner.predict"


class Shy:
    """What makes a module that does not let anybody look at its attributes from outside."""

    def __getattribute__(self, name: str) -> Any:
        if name == "__dict__":
            raise ValueError("closed")
        return super().__getattribute__(name)


class ShyWorkflow(Shy, Program):
    """One of the application's own."""

    def forward(self, **options: Any) -> Any:
        return self.predict(**options)


class ShyThought(Shy, dspy.ChainOfThought):
    """One of DSPy's."""


class ShyAgent(Shy, dspy.ReAct):
    """An agent."""


class ShyAttempts(Shy, dspy.BestOfN):
    """One that runs another module several times."""


class Runner(Program):
    """A program that runs its one module."""

    def forward(self, **options: Any) -> Any:
        return self.inner(**options)


@pytest.mark.parametrize(
    "make",
    [
        lambda: ShyWorkflow(predict=predictor()),
        lambda: ShyThought(QUESTION),
        lambda: ShyAgent(QUESTION, tools=[]),
        lambda: ShyAttempts(predictor(), N=1, reward_fn=lambda *_: 1.0, threshold=1.0),
    ],
    ids=["workflow", "chain of thought", "agent", "attempts"],
)
def test_modules_whose_attributes_are_read_in_a_way_of_their_own_have_paths(
    telemetry: Recorded, lm: dspy.LM, make: Callable[[], Any]
) -> None:
    module = make()
    Runner(inner=module)(question="Why?")
    module(question="Why?")
    paths_told = [span.attributes.get("dspy.module.path") for span in telemetry.spans if span.attributes]
    prompts = [span.attributes["gen_ai.prompt.name"] for span in telemetry.named("chat gpt-4o-mini") if span.attributes]
    assert "inner" in paths_told
    assert prompts[0].startswith("Runner.inner")
    assert len(prompts) >= 2


def test_keys_that_are_no_names_of_attributes_are_passed_over() -> None:
    program = Program(first=predictor())
    vars(program)[5] = hidden = predictor()
    program.last = predictor()
    assert [path_from(program, program.first), path_from(program, program.last)] == ["first", "last"]
    assert path_from(program, hidden) is None


def test_modules_deep_in_each_other_are_found() -> None:
    program = innermost = Program()
    for _ in range(3_000):
        innermost.inner = Program()
        innermost = innermost.inner
    innermost.leaf = leaf = predictor()
    assert path_from(program, leaf) == "inner." * 3_000 + "leaf"


def word_from(root: Any, *modules: Any) -> str | None:
    """The word for the last module, where each of them is called by the one before it."""
    running = RunningModule.of(root, None, {})
    for module in modules:
        running = RunningModule.of(module, running, {})
    return running.location.word


def test_a_place_is_told_by_the_last_name_that_the_program_chose() -> None:
    thought = dspy.ChainOfThought(QUESTION)
    best = dspy.BestOfN(dspy.ChainOfThought(QUESTION), 2, lambda inputs, prediction: 1.0, 0.5)
    program = Program(
        first=predictor(),
        thought=thought,
        best=best,
        steps=[predictor(), dspy.ChainOfThought(QUESTION)],
        experts={"a.b['c']": predictor(), 3: predictor()},
        predict=dspy.ChainOfThought(QUESTION),
        module=predictor(),
        inner=Program(predict=predictor(), deep=Program(last=predictor())),
    )
    assert word_from(program) is None
    assert word_from(program, program.first) == "first"
    assert [word_from(program, thought), word_from(program, thought, thought.predict)] == ["thought"] * 2
    assert word_from(program, best, best.module, best.module.predict) == "best"
    assert [word_from(program, step) for step in program.steps] == ["steps"] * 2
    assert word_from(program, program.steps[1], program.steps[1].predict) == "steps"
    assert [word_from(program, expert) for expert in program.experts.values()] == ["experts"] * 2
    assert word_from(program, program.inner.deep.last) == "last"
    # DSPy's own modules have attributes of these names, which the program did not choose; here it did.
    assert [word_from(program, program.predict), word_from(program, program.module)] == ["predict", "module"]
    assert word_from(program, program.predict, program.predict.predict) == "predict"
    assert word_from(program, program.inner, program.inner.predict) == "predict"


def test_subclasses_of_the_modules_of_dspy_did_not_choose_their_attributes() -> None:
    class Thought(dspy.ChainOfThought):
        pass

    program = Program(thought=Thought(QUESTION), compared=dspy.MultiChainComparison(QUESTION))
    assert word_from(program, program.thought.predict) == "thought"
    assert word_from(program, program.compared.predict) == "compared"


def test_what_stands_below_a_module_made_on_the_way_is_told_by_its_place_in_that() -> None:
    made = dspy.ReAct(QUESTION, tools=[])
    assert word_from(Program(), made) is None
    assert word_from(Program(), made, made.react) == "react"
    assert word_from(Program(), made, made.extract, made.extract.predict) == "extract"


def test_a_named_signature_keeps_its_name_wherever_it_is_used(telemetry: Recorded) -> None:
    class JudgeAnswer(dspy.Signature):
        """Judge an answer."""

        answer: str = dspy.InputField()
        verdict: str = dspy.OutputField()

    class Court(Program):
        def forward(self, answer: str) -> Any:
            return self.judge(answer=answer)

    with dspy.context(lm=dspy.utils.DummyLM([{"reasoning": "so", "verdict": "good"}])):
        Court(judge=dspy.ChainOfThought(JudgeAnswer))(answer="42")
    assert telemetry.tree() == (
        "invoke_workflow Court\n  ChainOfThought JudgeAnswer\n    Predict JudgeAnswer\n      chat dummy"
    )


def test_an_attribute_that_the_program_called_predict_is_a_name_like_any_other(telemetry: Recorded) -> None:
    class Desk(Program):
        def forward(self, question: str) -> Any:
            return self.predict(question=question)

    with dspy.context(lm=dspy.utils.DummyLM([{"reasoning": "so", "answer": "yes"}])):
        Desk(predict=dspy.ChainOfThought(QUESTION))(question="Where?")
    assert telemetry.tree() == ("invoke_workflow Desk\n  ChainOfThought predict\n    Predict predict\n      chat dummy")


@pytest.mark.parametrize("adapter_spans", [False, True])
def test_a_long_name_of_an_attribute_is_cut_in_the_names_of_spans(
    start_telemetry: StartTelemetry, monkeypatch: pytest.MonkeyPatch, adapter_spans: bool
) -> None:
    monkeypatch.setenv("OTEL_INSTRUMENTATION_DSPY_ADAPTER_SPANS", str(adapter_spans).lower())
    name = "b" * 3_000

    class Desk(Program):
        def forward(self, question: str) -> Any:
            return vars(self)[name](question=question)

    telemetry = start_telemetry()
    with dspy.context(lm=dspy.utils.DummyLM([{"answer": "yes"}])):
        Desk(**{name: predictor()})(question="Where?")
    cut = "b" * 79 + "…"
    named = [span.name for span in telemetry.spans if "b" * 79 in span.name]
    assert named == ([f"Predict {cut}", f"ChatAdapter {cut}"] if adapter_spans else [f"Predict {cut}"])
    assert telemetry.attributes(f"Predict {cut}")["dspy.module.path"] == name
