"""Tests of a DSPy program that hold it to what it may use."""

import os

import dspy
import pytest

# api_base is None outside of the test: the provider's own address.
dspy.configure(lm=dspy.LM("openai/gpt-4o-mini", api_base=os.environ.get("MODEL_URL"), cache=False))


class Answer(dspy.Module):
    """Drafts an answer and checks it."""

    def __init__(self):
        super().__init__()
        self.draft = dspy.ChainOfThought("question -> answer")
        self.check = dspy.Predict("answer -> verdict")

    def forward(self, question):
        return self.check(answer=self.draft(question=question).answer)


def test_a_question_takes_a_draft_and_a_check(dspy_telemetry):
    Answer()(question="Where is the lamp?")
    draft, check = dspy_telemetry.chats
    assert (draft.prompt_name, check.prompt_name) == ("Answer.draft.predict", "Answer.check")
    assert draft.error_type is None
    dspy_telemetry.assert_at_most(lm_calls=2, cost=0.01)


@pytest.mark.dspy_budget(lm_calls=2, cost=0.01)
def test_a_question_is_cheap():
    assert Answer()(question="Where is the lamp?").verdict


@pytest.mark.dspy_telemetry(content=True)
def test_the_check_sees_the_draft_alone(dspy_telemetry):
    Answer()(question="Where is the lamp?")
    draft, check = dspy_telemetry.chats
    assert "Where is the lamp?" in draft.span.attributes["gen_ai.input.messages"]
    assert "Where is the lamp?" not in check.span.attributes["gen_ai.input.messages"]
