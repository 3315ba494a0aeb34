"""The names that this library adds: dashboards and alerts depend on every letter of them."""

from __future__ import annotations

import ast
import itertools
from pathlib import Path

import pytest

from opentelemetry.instrumentation.dspy import semconv

NAMES = {name: value for name, value in vars(semconv).items() if name.isupper() and isinstance(value, str)}

PROMISED = """
dspy.module.name dspy.module.path dspy.module.inputs dspy.module.outputs dspy.module.duration
dspy.signature.name dspy.signature.fields dspy.demos.count
dspy.usage.lm_calls dspy.usage.input_tokens dspy.usage.output_tokens dspy.usage.cost dspy.usage.cost_unknown_calls
dspy.usage.cache_hits dspy.usage.saved_cost
dspy.usage.task.cost dspy.usage.judge.cost dspy.usage.proposal.cost
dspy.cache.hit dspy.cache.saved_input_tokens dspy.cache.saved_output_tokens dspy.cache.saved_cost dspy.cache.requests
dspy.adapter.name dspy.adapter.from dspy.adapter.to dspy.adapter.parse_error dspy.adapter.fallback
dspy.adapter.parse_errors dspy.adapter.fallbacks
dspy.lm.attempts dspy.lm.attempt dspy.lm.adaptations dspy.lm.retry dspy.lm.retry_delay dspy.lm.retries
dspy.attempt.index dspy.attempt.reward dspy.attempts.count dspy.attempts.best_reward dspy.straggler
dspy.agent.termination_reason
dspy.evaluate.metric dspy.evaluate.examples dspy.evaluate.threads dspy.evaluate.score dspy.evaluate.failures
dspy.evaluate.metric_key dspy.evaluate.example.score dspy.example.index
dspy.optimizer.name dspy.optimizer.run_id dspy.optimizer.trainset_size dspy.optimizer.valset_size
dspy.optimizer.trials dspy.optimizer.best_score dspy.optimizer.best_prompt_versions dspy.optimizer.role
dspy.optimizer.trial dspy.optimizer.trial.score dspy.optimizer.trial.accepted dspy.optimizer.trial.kind
dspy.example.prediction dspy.example.feedback dspy.program.signatures
dspy.optimizer.best_instructions dspy.optimizer.best_demos dspy.optimizer.trial.instructions dspy.optimizer.trial.demos
dspy.lm.task dspy.lm.prompt dspy.lm.reflection dspy.lm.teacher
dspy.adapter.inputs dspy.adapter.outputs dspy.embeddings.inputs
dspy.prompt dspy.prompt.instructions dspy.prompt.fields dspy.prompt.demos
gen_ai.usage.cost.amount gen_ai.usage.cost.currency gen_ai.usage.cost.source gen_ai.client.operation.cost
gen_ai.evaluation.result gen_ai.client.operation.exception gen_ai.execute_tool.exception
"""


def test_every_promised_name_is_there() -> None:
    assert set(PROMISED.split()) - set(NAMES.values()) == set()


@pytest.mark.parametrize("constant", NAMES)
def test_a_constant_is_called_as_the_name_that_it_holds(constant: str) -> None:
    plain = constant.removeprefix("METRIC_").removeprefix("EVENT_").removeprefix("SPAN_")
    assert NAMES[constant].upper().replace(".", "_") == plain


def test_every_name_is_explained() -> None:
    body = ast.parse(Path(semconv.__file__).read_text(encoding="utf-8")).body
    explained = {
        statement.target.id
        for statement, following in itertools.pairwise(body)
        if isinstance(statement, ast.AnnAssign)
        and isinstance(statement.target, ast.Name)
        and isinstance(following, ast.Expr)
        and isinstance(following.value, ast.Constant)
    }
    assert set(NAMES) - explained == set()
