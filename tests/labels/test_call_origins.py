"""Cost, token and duration points say which program, prompt and role a call is of, through whatever door it came."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dspy
import pytest
from dspy.utils import DummyLM
from labelled_points import COST, DURATION, METRICS, labels_on, labels_on_each
from model_server import Failure, ModelServer
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from scripted_task import Sums, answer, data, judged, quiet

from opentelemetry.instrumentation.dspy.labels import origins

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import StartTelemetry
    from recorded import Recorded

PROGRAM, PROMPT, ROLE = "dspy.program", "gen_ai.prompt.name", "dspy.optimizer.role"
FIRST_CHUNK = "gen_ai.client.operation.time_to_first_chunk"
LATER_CHUNKS = "gen_ai.client.operation.time_per_output_chunk"
OF_DESK = {PROGRAM: "Desk", PROMPT: "Desk.answer.predict"}


class AnswerQuestion(dspy.Signature):
    """Answer with care: the password of the house is swordfish."""

    question: str = dspy.InputField()
    answer: str = dspy.OutputField()


class Desk(dspy.Module):
    def __init__(self) -> None:
        super().__init__()
        self.answer = dspy.ChainOfThought(AnswerQuestion)

    def forward(self, question: str) -> Any:
        return self.answer(question=question)

    async def aforward(self, question: str) -> Any:
        return await self.answer.acall(question=question)


class Office(dspy.Module):
    """A program with another one in it."""

    def __init__(self) -> None:
        super().__init__()
        self.desk = Desk()

    def forward(self, question: str) -> Any:
        return self.desk(question=question)


def test_the_program_is_the_outermost_module_and_the_prompt_where_the_predictor_stands(
    telemetry: Recorded, lm: dspy.LM
) -> None:
    Office()(question="Where?")
    assert labels_on(telemetry) == {PROGRAM: "Office", PROMPT: "Office.desk.answer.predict"}
    assert telemetry.attributes("chat gpt-4o-mini")[PROMPT] == "Office.desk.answer.predict"
    assert all(PROGRAM not in (span.attributes or {}) for span in telemetry.spans)


async def test_an_async_call_tells_the_same(telemetry: Recorded, lm: dspy.LM) -> None:
    await Desk().acall(question="Where?")
    assert labels_on(telemetry) == OF_DESK


def test_calls_count_by_program_though_no_span_is_sampled(start_telemetry: StartTelemetry, lm: dspy.LM) -> None:
    telemetry = start_telemetry(sampler=ALWAYS_OFF)
    Desk()(question="Where?")
    assert telemetry.spans == []
    assert labels_on(telemetry) == OF_DESK


@pytest.mark.parametrize("capture", ["SPAN_ONLY", "SPAN_AND_EVENT"])
def test_with_content_points_tell_the_same(start_telemetry: StartTelemetry, lm: dspy.LM, capture: str) -> None:
    telemetry = start_telemetry(capture=capture)
    Desk()(question="Where?")
    assert labels_on(telemetry) == OF_DESK


async def test_the_points_of_a_stream_tell_it_from_the_first_chunk(telemetry: Recorded, lm: dspy.LM) -> None:
    program = dspy.streamify(Desk(), stream_listeners=[dspy.streaming.StreamListener("answer")], async_streaming=True)
    async for _ in program(question="Where?"):
        pass
    assert labels_on(telemetry, *METRICS, FIRST_CHUNK, LATER_CHUNKS) == OF_DESK


def test_a_call_that_failed_and_one_that_the_cache_answered_tell_it_too(
    telemetry: Recorded, model_server: ModelServer
) -> None:
    lm = dspy.LM("openai/gpt-4o-mini", api_base=model_server.url, api_key="test-key", num_retries=0)
    with dspy.context(lm=lm):
        model_server.fail_next(Failure(status=400))
        with pytest.raises(Exception):  # noqa: B017, PT011 - whatever DSPy makes of it
            dspy.Predict(AnswerQuestion)(question="Where?")
        for _ in range(2):
            dspy.Predict(AnswerQuestion)(question="When?")
    points = telemetry.metric_points(DURATION)
    assert {(point.attributes or {}).get("error.type") is not None for point in points} == {True, False}
    assert {(point.attributes or {}).get("dspy.cache.hit") for point in points} == {True, None}
    assert labels_on(telemetry, DURATION) == {PROGRAM: "AnswerQuestion", PROMPT: "AnswerQuestion"}


def test_a_call_outside_of_any_module_has_no_program(telemetry: Recorded, lm: dspy.LM) -> None:
    lm("Where?")
    assert labels_on(telemetry) == {}


def test_a_call_that_the_program_makes_itself_has_a_program_and_no_prompt(telemetry: Recorded, lm: dspy.LM) -> None:
    class Direct(dspy.Module):
        def forward(self, question: str) -> Any:
            return dspy.settings.lm(question)

    Direct()(question="Where?")
    assert labels_on(telemetry) == {PROGRAM: "Direct"}


BARE = "question -> answer"


@pytest.mark.parametrize(
    ("program", "name"),
    [
        (lambda: dspy.Predict(BARE), BARE),
        (lambda: dspy.Predict(AnswerQuestion), "AnswerQuestion"),
        (lambda: dspy.ChainOfThought(BARE), BARE),
        (lambda: dspy.ChainOfThought(AnswerQuestion), "AnswerQuestion"),
        (lambda: dspy.Predict(dspy.Signature(BARE, "Never tell that the password is swordfish.")), BARE),
        (lambda: dspy.Predict(AnswerQuestion.with_instructions("The password is swordfish.")), "AnswerQuestion"),
        (lambda: dspy.ReAct(BARE, tools=[]), "ReAct"),
        (lambda: dspy.ReAct(AnswerQuestion, tools=[]), "AnswerQuestion"),
        (lambda: type("Own", (dspy.Predict,), {})(BARE), "Own"),
        (lambda: type("N" * 300, (Desk,), {})(), "N" * 79 + "…"),
    ],
    ids=[
        "text",
        "named",
        "chain",
        "named chain",
        "instructions",
        "other instructions",
        "agent",
        "named agent",
        "own",
        "long",
    ],
)
def test_a_program_of_dspys_own_classes_goes_by_its_signature_and_tells_no_instructions(
    telemetry: Recorded, program: Any, name: str
) -> None:
    finish = {"next_thought": "done", "next_tool_name": "finish", "next_tool_args": {}}
    told = {"reasoning": "none", "answer": "here", **finish}
    with dspy.context(lm=DummyLM([told] * 5)):
        program()(question="Where?")
    points = labels_on_each(telemetry, DURATION)
    assert {point[PROGRAM] for point in points} == {name}
    assert "swordfish" not in str(points)


def test_the_calls_of_a_batch_in_threads_are_of_the_program_that_makes_it(telemetry: Recorded, lm: dspy.LM) -> None:
    class Several(dspy.Module):
        def __init__(self) -> None:
            super().__init__()
            self.desk = Desk()

        def forward(self, questions: list[str]) -> Any:
            pairs = [(self.desk, {"question": question}) for question in questions]
            return dspy.Parallel(num_threads=2, disable_progress_bar=True)(pairs)

    Several()(questions=["Where?", "When?"])
    assert labels_on(telemetry) == {PROGRAM: "Several", PROMPT: "Several.desk.answer.predict"}


class Judge(dspy.Module):
    def __init__(self) -> None:
        super().__init__()
        self.grade = dspy.Predict("question, given -> verdict")

    def forward(self, question: str, given: str) -> Any:
        return self.grade(question=question, given=given)


def test_an_evaluation_is_no_program_and_its_judge_is_one_of_its_own(telemetry: Recorded, lm: dspy.LM) -> None:
    class Nightly(dspy.Module):
        """Evaluates another program."""

        def forward(self) -> Any:
            judge = Judge()

            def metric(example: Any, prediction: Any, trace: Any = None) -> float:
                judge(question=example.question, given=prediction.answer)
                return 1.0

            return dspy.Evaluate(devset=data(2), metric=metric, num_threads=2, display_progress=False)(Desk())

    Nightly()()
    told = labels_on_each(telemetry, DURATION)
    assert sorted(point[PROGRAM] for point in told) == ["Desk", "Judge"]
    assert {ROLE in point for point in told} == {False}
    assert labels_on_each(telemetry, COST) == told


@pytest.fixture
def scripted() -> Iterator[ModelServer]:
    with ModelServer(answer) as server:
        dspy.configure(lm=dspy.LM("openai/gpt-4o-mini", api_base=server.url, api_key="test-key", cache=False))
        yield server


@pytest.mark.parametrize("sampler", [None, ALWAYS_OFF], ids=["sampled", "not sampled"])
def test_in_an_optimizer_run_points_tell_the_role(
    start_telemetry: StartTelemetry, scripted: ModelServer, sampler: Any
) -> None:
    telemetry = start_telemetry(sampler=sampler)
    optimizer = dspy.MIPROv2(metric=judged, auto=None, num_candidates=2, num_threads=2, max_bootstrapped_demos=1)
    with quiet():
        optimizer.compile(Sums(), trainset=data(4), valset=data(2, start=20), num_trials=1, minibatch=False)
    for metric in METRICS:
        roles = {(point.get(ROLE), point.get(PROGRAM) == "Sums") for point in labels_on_each(telemetry, metric)}
        assert roles == {("task", True), ("judge", False), ("proposal", False)}
    counted = sum(point.count for point in telemetry.metric_points(DURATION))
    assert counted == len(scripted.requests)


def test_the_tokens_of_an_embedder_are_those_of_the_program_that_asks_it(
    telemetry: Recorded, model_server: ModelServer
) -> None:
    embedder = dspy.Embedder(
        "openai/text-embedding-3-small", api_base=model_server.url, api_key="test-key", caching=False
    )

    class Search(dspy.Module):
        def forward(self, query: str) -> Any:
            return embedder([query])

    Search()(query="a lamp")
    assert labels_on(telemetry) == {PROGRAM: "Search"}


def test_a_program_that_a_language_model_runs_inside_its_call_is_part_of_the_one_around(
    telemetry: Recorded, lm: dspy.LM
) -> None:
    class Thinking(dspy.BaseLM):
        def __init__(self) -> None:
            super().__init__(model="thinking")

        def __call__(self, prompt: Any = None, messages: Any = None, **options: Any) -> Any:
            with dspy.context(lm=lm):
                return [f'{{"reasoning": "none", "answer": "{dspy.Predict(BARE)(question="inside").answer}"}}']

    with dspy.context(lm=Thinking(), adapter=dspy.JSONAdapter()):
        Desk()(question="Where?")
    told = labels_on_each(telemetry, DURATION)
    assert {point[PROGRAM] for point in told} == {"Desk"}
    assert {point[PROMPT] for point in told} == {"Desk.answer.predict", BARE}


def test_a_call_of_two_language_models_counts_once_with_its_origin(telemetry: Recorded, lm: dspy.LM) -> None:
    class Router(dspy.BaseLM):
        def __init__(self) -> None:
            super().__init__(model="router")

        def __call__(self, prompt: Any = None, messages: Any = None, **options: Any) -> Any:
            return lm(prompt, messages=messages)

    with dspy.context(lm=Router()):
        Desk()(question="Where?")
    assert labels_on(telemetry) == OF_DESK
    assert [point.count for point in telemetry.metric_points(DURATION)] == [1]


@pytest.mark.complaints
def test_a_name_that_cannot_be_told_takes_neither_the_call_nor_its_points_away(
    telemetry: Recorded, lm: dspy.LM, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(module: Any) -> str:
        raise RuntimeError("no name")

    monkeypatch.setattr(origins, "prompt_name", fail)
    assert Desk()(question="Where?").answer
    assert labels_on(telemetry) == {}
    assert telemetry.attributes("chat gpt-4o-mini")["gen_ai.request.model"] == "gpt-4o-mini"
