"""``BestOfN`` and ``Refine``: the attempts that they make, and what those are worth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dspy
from desk import DESK, Desk, below
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from recorded import attributes_of

from opentelemetry.instrumentation.dspy import DSPyInstrumentor, span_context_of, usage_scope

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest
    from conftest import StartTelemetry
    from recorded import Recorded


def rewarding(*rewards: float) -> Callable[[dict[str, Any], dspy.Prediction], float]:
    """A reward function that gives these rewards, one after the other."""
    left = iter(rewards)

    def reward(arguments: dict[str, Any], prediction: dspy.Prediction) -> float:
        return next(left)

    return reward


def attempt_attributes(telemetry: Recorded, name: str) -> list[dict[str, Any]]:
    return [
        {key: value for key, value in attributes_of(span).items() if key.startswith("dspy.attempt")}
        for span in telemetry.named(name)
    ]


def test_attempts_have_their_index_and_reward_and_the_best_is_above(telemetry: Recorded, lm: dspy.LM) -> None:
    best = dspy.BestOfN(Desk(), N=3, reward_fn=rewarding(0.25, 0.75, 0.5), threshold=1.0)
    best(question="Where?")
    assert telemetry.tree() == below("BestOfN", DESK, DESK, DESK)
    assert len({span.context.trace_id for span in telemetry.spans}) == 1
    assert attempt_attributes(telemetry, "invoke_workflow Desk") == [
        {"dspy.attempt.index": 0, "dspy.attempt.reward": 0.25},
        {"dspy.attempt.index": 1, "dspy.attempt.reward": 0.75},
        {"dspy.attempt.index": 2, "dspy.attempt.reward": 0.5},
    ]
    assert attempt_attributes(telemetry, "BestOfN") == [{"dspy.attempts.count": 3, "dspy.attempts.best_reward": 0.75}]
    assert attempt_attributes(telemetry, "Predict answer") == [{}, {}, {}]
    assert telemetry.attributes("BestOfN")["dspy.usage.lm_calls"] == 3


def test_the_first_attempt_that_is_good_enough_is_the_last(telemetry: Recorded, lm: dspy.LM) -> None:
    dspy.BestOfN(Desk(), N=3, reward_fn=rewarding(1), threshold=1.0)(question="Where?")
    assert telemetry.tree() == below("BestOfN", DESK)
    assert attempt_attributes(telemetry, "BestOfN") == [{"dspy.attempts.count": 1, "dspy.attempts.best_reward": 1.0}]


def test_the_copies_that_the_attempts_run_have_the_path_of_their_module(telemetry: Recorded, lm: dspy.LM) -> None:
    class Office(dspy.Module):
        def __init__(self) -> None:
            super().__init__()
            self.tries = [dspy.BestOfN(Desk(), N=2, reward_fn=rewarding(0, 0), threshold=1.0)]

        def forward(self, question: str) -> dspy.Prediction:
            return self.tries[0](question=question)

    Office()(question="Where?")
    paths = [(span.name, attributes_of(span).get("dspy.module.path")) for span in telemetry.spans]
    attempt = [
        ("invoke_workflow Desk", "tries[0].module"),
        ("Predict answer", "tries[0].module.answer"),
        ("chat gpt-4o-mini", None),
    ]
    assert paths == [("invoke_workflow Office", None), ("BestOfN", "tries[0]"), *attempt, *attempt]
    assert {attributes_of(span)["gen_ai.prompt.name"] for span in telemetry.named("chat gpt-4o-mini")} == {
        "Office.tries[0].module.answer"
    }


def test_a_predictor_and_an_agent_can_be_attempts_too(telemetry: Recorded, lm: dspy.LM) -> None:
    def look_up(word: str) -> str:
        """Look a word up."""
        return word

    dspy.BestOfN(dspy.ChainOfThought("question -> answer"), N=1, reward_fn=rewarding(0.5), threshold=1.0)(question="a")
    dspy.BestOfN(dspy.ReAct("question -> answer", tools=[look_up]), N=1, reward_fn=rewarding(0.5), threshold=1.0)(
        question="b"
    )
    expected = [{"dspy.attempt.index": 0, "dspy.attempt.reward": 0.5}]
    assert attempt_attributes(telemetry, "ChainOfThought question -> answer")[:1] == expected
    assert attempt_attributes(telemetry, "invoke_agent ReAct") == expected


def test_an_attempt_that_fails_has_no_reward_and_fails_nothing_else(
    telemetry: Recorded, lm: dspy.LM, capsys: pytest.CaptureFixture[str]
) -> None:
    failures = iter([True, False])

    class Shaky(Desk):
        def forward(self, question: str) -> dspy.Prediction:
            if next(failures):
                raise LookupError("not this time")
            return super().forward(question)

    dspy.BestOfN(Shaky(), N=2, reward_fn=rewarding(0.5), threshold=1.0)(question="Where?")
    assert telemetry.tree() == (
        "BestOfN\n"
        "  invoke_workflow Shaky [ERROR LookupError: not this time]\n"
        "  invoke_workflow Shaky\n"
        "    Predict answer\n"
        "      chat gpt-4o-mini"
    )
    assert attempt_attributes(telemetry, "invoke_workflow Shaky") == [
        {"dspy.attempt.index": 0},
        {"dspy.attempt.index": 1, "dspy.attempt.reward": 0.5},
    ]
    assert "Attempt 1 failed" in capsys.readouterr().out


def test_a_reward_function_that_fails_leaves_its_attempt_without_reward(
    telemetry: Recorded, lm: dspy.LM, capsys: pytest.CaptureFixture[str]
) -> None:
    def reward(arguments: dict[str, Any], prediction: dspy.Prediction) -> float:
        raise ValueError("no opinion")

    dspy.BestOfN(Desk(), N=2, reward_fn=reward, threshold=1.0)(question="Where?")
    assert telemetry.tree() == below("BestOfN", DESK, DESK)
    assert attempt_attributes(telemetry, "invoke_workflow Desk") == [
        {"dspy.attempt.index": 0},
        {"dspy.attempt.index": 1},
    ]
    assert attempt_attributes(telemetry, "BestOfN") == [{"dspy.attempts.count": 2}]
    assert "no opinion" in capsys.readouterr().out


def test_a_judge_that_gives_the_reward_is_beside_the_attempt_and_no_part_of_its_time(
    telemetry: Recorded, lm: dspy.LM
) -> None:
    judge = dspy.Predict("answer -> quality: float")

    def reward(arguments: dict[str, Any], prediction: dspy.Prediction) -> float:
        judge(answer=prediction.answer)
        return 0.5

    dspy.BestOfN(Desk(), N=1, reward_fn=reward, threshold=1.0)(question="Where?")
    judged = "Predict answer -> quality\n  chat gpt-4o-mini"
    assert telemetry.tree() == below("BestOfN", DESK, judged)
    attempt, judging = telemetry.span("invoke_workflow Desk"), telemetry.span("Predict answer -> quality")
    assert attempt.end_time is not None
    assert judging.start_time is not None
    assert attempt.end_time <= judging.start_time
    assert attributes_of(attempt)["dspy.attempt.reward"] == 0.5
    assert attempt_attributes(telemetry, "Predict answer -> quality") == [{}]


def test_rewards_are_not_mixed_up_between_threads(telemetry: Recorded, lm: dspy.LM) -> None:
    def reward(arguments: dict[str, Any], prediction: dspy.Prediction) -> float:
        return float(arguments["question"])

    best = dspy.BestOfN(Desk(), N=2, reward_fn=reward, threshold=100.0)
    examples = [dspy.Example(question=str(number)).with_inputs("question") for number in range(8)]
    best.batch(examples, num_threads=4, disable_progress_bar=True)
    spans = {span.context.span_id: span for span in telemetry.named("BestOfN")}
    rewards = {identifier: attributes_of(span)["dspy.attempts.best_reward"] for identifier, span in spans.items()}
    assert sorted(rewards.values()) == [float(number) for number in range(8)]
    for attempt in telemetry.named("invoke_workflow Desk"):
        assert attempt.parent is not None
        assert attributes_of(attempt)["dspy.attempt.reward"] == rewards[attempt.parent.span_id]


def test_the_reward_function_stays_what_the_program_gave(start_telemetry: StartTelemetry, lm: dspy.LM) -> None:
    reward = rewarding(0.5, 0.25)
    best = dspy.BestOfN(Desk(), N=1, reward_fn=reward, threshold=1.0)
    kept = vars(best)["reward_fn"]
    telemetry = start_telemetry()
    assert vars(best)["reward_fn"] is kept
    assert best.reward_fn({}, dspy.Prediction()) == 0.5  # the application may ask it too
    assert telemetry.spans == []
    copied = best.deepcopy()
    assert copied.reward_fn({}, dspy.Prediction()) == 0.25
    DSPyInstrumentor().uninstrument()
    assert best.reward_fn is kept
    assert "reward_fn" not in vars(dspy.BestOfN)
    assert "reward_fn" not in vars(dspy.Refine)


def test_only_copies_of_its_module_are_attempts_of_a_subclass_with_ways_of_its_own(
    telemetry: Recorded, lm: dspy.LM
) -> None:
    class Panel(dspy.BestOfN):
        def __init__(self) -> None:
            super().__init__(Desk(), N=1, reward_fn=constant_reward, threshold=1.0)
            self.members = [self.module, self.module.deepcopy()]
            del self.module

        def forward(self, **inputs: Any) -> dspy.Prediction:
            return [member(**inputs) for member in self.members][-1]

    Panel()(question="Where?")
    assert telemetry.tree() == below("Panel", DESK, DESK)
    assert attempt_attributes(telemetry, "invoke_workflow Desk") == [{}, {}]
    assert attempt_attributes(telemetry, "Panel") == [{"dspy.attempts.count": 0}]


def test_attempts_that_are_not_sampled_are_no_trouble(start_telemetry: StartTelemetry, lm: dspy.LM) -> None:
    telemetry = start_telemetry(sampler=ALWAYS_OFF)
    with usage_scope() as usage:
        dspy.BestOfN(Desk(), N=2, reward_fn=constant_reward, threshold=1.0)(question="Where?")
    assert telemetry.spans == []
    assert usage.lm_calls == 2


def constant_reward(arguments: dict[str, Any], prediction: dspy.Prediction) -> float:
    return 0.5


ADVICE = "Predict OfferFeedback\n  chat gpt-4o-mini"


def test_refine_shows_its_attempts_and_the_advice_between_them(telemetry: Recorded, lm: dspy.LM) -> None:
    dspy.Refine(Desk(), N=3, reward_fn=constant_reward, threshold=1.0)(question="Where?")
    assert telemetry.tree() == below("Refine", DESK, ADVICE, DESK, ADVICE, DESK)
    assert attempt_attributes(telemetry, "invoke_workflow Desk") == [
        {"dspy.attempt.index": number, "dspy.attempt.reward": 0.5} for number in range(3)
    ]
    assert attempt_attributes(telemetry, "Predict OfferFeedback") == [{}, {}]
    assert attempt_attributes(telemetry, "Refine") == [{"dspy.attempts.count": 3, "dspy.attempts.best_reward": 0.5}]
    paths = {attributes_of(span).get("dspy.module.path") for span in telemetry.named("Predict answer")}
    assert paths == {"module.answer"}
    assert [event.name for span in telemetry.spans for event in span.events] == []


def test_advice_on_a_bare_predictor_is_no_attempt(telemetry: Recorded, lm: dspy.LM) -> None:
    dspy.Refine(dspy.Predict("question -> answer"), N=2, reward_fn=constant_reward, threshold=1.0)(question="Where?")
    predict = "Predict question -> answer\n  chat gpt-4o-mini"
    assert telemetry.tree() == below("Refine", predict, ADVICE, predict)
    assert attempt_attributes(telemetry, "Predict OfferFeedback") == [{}]


def test_the_prediction_that_is_chosen_leads_to_the_call_that_chose_it(telemetry: Recorded, lm: dspy.LM) -> None:
    prediction = dspy.BestOfN(Desk(), N=1, reward_fn=rewarding(1), threshold=1.0)(question="Where?")
    assert span_context_of(prediction) == telemetry.span("BestOfN").context
