"""Lines of the program's log that name the trace and the span in which they were written."""

import logging
import os

import dspy

# api_base is None outside of the test: the provider's own address.
dspy.configure(lm=dspy.LM("openai/gpt-4o-mini", api_base=os.environ.get("MODEL_URL"), cache=False))
logger = logging.getLogger("shop")


class Desk(dspy.Module):
    def __init__(self) -> None:
        super().__init__()
        self.answer = dspy.Predict("question -> answer")

    def forward(self, question: str) -> dspy.Prediction:
        logger.info("a question of %d characters", len(question))
        return self.answer(question=question)


if __name__ == "__main__":
    print(Desk()(question="Where is my parcel?").answer)
