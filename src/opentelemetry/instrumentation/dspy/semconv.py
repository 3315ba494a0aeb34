"""Every name that this library adds to the GenAI conventions, once.

The string under each constant gives the type, the unit and the meaning; ``docs/telemetry.md`` is made from them.
Names that ``opentelemetry-util-genai`` or ``opentelemetry.semconv`` define are used from there.
"""

from __future__ import annotations

from typing import Final

# --- modules -------------------------------------------------------------------------------------------------

DSPY_MODULE_NAME: Final = "dspy.module.name"
"""string: class name of the module."""

DSPY_MODULE_PATH: Final = "dspy.module.path"
"""string: attribute path from the outermost running module, as ``named_predictors()`` gives it."""

DSPY_MODULE_INPUTS: Final = "dspy.module.inputs"
"""string, JSON: the arguments of the call. Content, off by default."""

DSPY_MODULE_OUTPUTS: Final = "dspy.module.outputs"
"""string, JSON: what the call returned. Content, off by default."""

DSPY_SIGNATURE_NAME: Final = "dspy.signature.name"
"""string: class name of a named signature."""

DSPY_SIGNATURE_FIELDS: Final = "dspy.signature.fields"
"""string: the signature in DSPy's text form, such as ``question, context -> answer: float``."""

DSPY_PROGRAM_SIGNATURES: Final = "dspy.program.signatures"
"""string[]: on ``evaluate`` and ``optimize``, ``path=question -> answer`` for each predictor of a program that has
several; a program with one has ``dspy.signature.fields``."""

DSPY_PROGRAM: Final = "dspy.program"
"""string: the program that a call of a language model or an embedder is part of, on metrics alone: class name of the
outermost module, or the signature where that is one of DSPy's own. ``other`` beyond the bound on distinct values."""

DSPY_DEMOS_COUNT: Final = "dspy.demos.count"
"""int: demonstrations in the predictor's prompt."""

DSPY_AGENT_TERMINATION_REASON: Final = "dspy.agent.termination_reason"
"""string: why the loop of an agent ended: ``finish``, ``submit``, ``forced_submit``, ``max_iters``, ``parse_error``,
``context_window_exceeded``, ``empty_tool_calls``. Absent where an exception ended it."""

DSPY_ATTEMPT_INDEX: Final = "dspy.attempt.index"
"""int: which attempt of the ``BestOfN`` or ``Refine`` around it a module call is, from 0."""

DSPY_ATTEMPT_REWARD: Final = "dspy.attempt.reward"
"""double: what the reward function gave to an attempt. Absent where the attempt or the function failed."""

DSPY_ATTEMPTS_COUNT: Final = "dspy.attempts.count"
"""int: attempts that a ``BestOfN`` or ``Refine`` made, failed ones included."""

DSPY_ATTEMPTS_BEST_REWARD: Final = "dspy.attempts.best_reward"
"""double: highest reward of the attempts. Absent where none has one."""

DSPY_BATCH_SIZE: Final = "dspy.batch.size"
"""int: items of one batch that ``Unbatchify`` made of the calls of several callers."""

# --- language model calls --------------------------------------------------------------------------------------

GEN_AI_USAGE_COST_AMOUNT: Final = "gen_ai.usage.cost.amount"
"""double: price of this operation alone. Proposed convention. Absent when the price is unknown or was not paid."""

GEN_AI_USAGE_COST_CURRENCY: Final = "gen_ai.usage.cost.currency"
"""string, ISO 4217: currency of the amount. Proposed convention."""

GEN_AI_USAGE_COST_SOURCE: Final = "gen_ai.usage.cost.source"
"""string: ``provider`` if the reply carried the amount, ``custom`` if the application's own prices tell it,
``local`` if it was computed here from a price table. Proposed convention."""

DSPY_CACHE_HIT: Final = "dspy.cache.hit"
"""boolean: whether DSPy's own cache answered, so that no request was made."""

DSPY_CACHE_SAVED_INPUT_TOKENS: Final = "dspy.cache.saved_input_tokens"
"""int: input tokens that the stored reply once used."""

DSPY_CACHE_SAVED_OUTPUT_TOKENS: Final = "dspy.cache.saved_output_tokens"
"""int: output tokens that the stored reply once used."""

DSPY_CACHE_SAVED_COST: Final = "dspy.cache.saved_cost"
"""double, USD: what the stored reply once cost."""

DSPY_ADAPTER_NAME: Final = "dspy.adapter.name"
"""string: class name of the adapter that wrote the prompt. Also on the span of an adapter call, which is called
``{adapter} {signature}`` and exists where ``OTEL_INSTRUMENTATION_DSPY_ADAPTER_SPANS=true`` asks for it."""

DSPY_ADAPTER_INPUTS: Final = "dspy.adapter.inputs"
"""string, JSON: values of the input fields that an adapter was given. Content, off by default."""

DSPY_ADAPTER_OUTPUTS: Final = "dspy.adapter.outputs"
"""string, JSON: values of the output fields that an adapter read, a list with one entry for each completion. Content,
off by default."""

DSPY_ADAPTER_FROM: Final = "dspy.adapter.from"
"""string: class name of the adapter that gave up."""

DSPY_ADAPTER_TO: Final = "dspy.adapter.to"
"""string: class name of the adapter that goes on; the same one where it goes on without structured outputs."""

EVENT_DSPY_ADAPTER_PARSE_ERROR: Final = "dspy.adapter.parse_error"
"""span event on the predictor's span: an adapter could not read a reply."""

EVENT_DSPY_ADAPTER_FALLBACK: Final = "dspy.adapter.fallback"
"""span event on the predictor's span: an adapter goes on by another way after an error."""

DSPY_LM_ADAPTATIONS: Final = "dspy.lm.adaptations"
"""string[]: settings that the backend dropped or clamped."""

DSPY_LM_UPSTREAM_PROVIDER: Final = "dspy.lm.upstream_provider"
"""string: the provider behind a gateway that served the call, as the reply names it (OpenRouter)."""

DSPY_LM_ATTEMPTS: Final = "dspy.lm.attempts"
"""int: tries that one call took, the successful one included. Absent when there was one."""

EVENT_DSPY_LM_RETRY: Final = "dspy.lm.retry"
"""span event: an attempt failed and another follows."""

DSPY_LM_ATTEMPT: Final = "dspy.lm.attempt"
"""int: which attempt it was that failed, the first is 1."""

DSPY_LM_RETRY_DELAY: Final = "dspy.lm.retry_delay"
"""double, s: pause before the next attempt."""

# --- language models at work -------------------------------------------------------------------------------------

DSPY_LM_TASK: Final = "dspy.lm.task"
"""string[]: on ``evaluate`` and ``optimize``, models that the program runs with, as in ``gen_ai.request.model``."""

DSPY_LM_PROMPT: Final = "dspy.lm.prompt"
"""string[]: on ``optimize``, models that write instructions (``prompt_model``)."""

DSPY_LM_REFLECTION: Final = "dspy.lm.reflection"
"""string[]: on ``optimize``, models that reflect on what went wrong (``reflection_lm``)."""

DSPY_LM_TEACHER: Final = "dspy.lm.teacher"
"""string[]: on ``optimize``, models of a teacher whose answers become demonstrations. Absent where the program teaches
itself with its own model."""

# --- prompts -----------------------------------------------------------------------------------------------------

EVENT_DSPY_PROMPT: Final = "dspy.prompt"
"""log event, severity DEBUG: a prompt template at its first use, once for each process and version. Only where content
is on; ``gen_ai.prompt.name`` and ``gen_ai.prompt.version`` are as on the calls that use it."""

DSPY_PROMPT_INSTRUCTIONS: Final = "dspy.prompt.instructions"
"""string: instructions of the template. Content, off by default."""

DSPY_PROMPT_FIELDS: Final = "dspy.prompt.fields"
"""string, JSON: input and output fields of the template, each with its type and description. Content, off by
default."""

DSPY_PROMPT_DEMOS: Final = "dspy.prompt.demos"
"""string, JSON: demonstrations of the template, the first 20. Content, off by default."""

# --- evaluation ------------------------------------------------------------------------------------------------

DSPY_EVALUATE_METRIC: Final = "dspy.evaluate.metric"
"""string: name of the metric, a function's or a class's."""

DSPY_EVALUATE_EXAMPLES: Final = "dspy.evaluate.examples"
"""int: examples that are evaluated."""

DSPY_EVALUATE_THREADS: Final = "dspy.evaluate.threads"
"""int: threads that evaluate."""

DSPY_EVALUATE_SCORE: Final = "dspy.evaluate.score"
"""double: the score as DSPy returns it, mostly a percentage."""

DSPY_EVALUATE_FAILURES: Final = "dspy.evaluate.failures"
"""int: examples whose program or metric raised."""

DSPY_EVALUATE_METRIC_KEY: Final = "dspy.evaluate.metric_key"
"""string: ``metric_key`` of the ``callback_metadata``, such as ``eval_full`` or ``eval_minibatch``."""

DSPY_EVALUATE_EXAMPLE_SCORE: Final = "dspy.evaluate.example.score"
"""double: what the metric gave for one example; true is 1, false is 0."""

DSPY_EXAMPLE_INDEX: Final = "dspy.example.index"
"""int: place of the example in the data set, from 0."""

DSPY_EXAMPLE_INPUTS: Final = "dspy.example.inputs"
"""string, JSON: the example's inputs. Content, off by default."""

DSPY_EXAMPLE_LABELS: Final = "dspy.example.labels"
"""string, JSON: what the example holds besides its inputs. Content, off by default."""

DSPY_EXAMPLE_PREDICTION: Final = "dspy.example.prediction"
"""string, JSON: what the program answered to the example. Content, off by default."""

DSPY_EXAMPLE_FEEDBACK: Final = "dspy.example.feedback"
"""string: the metric's feedback (``Prediction(score=, feedback=)``). Content, off by default."""

DSPY_STRAGGLER: Final = "dspy.straggler"
"""boolean: whether this is the second run of an item that DSPy found to take too long."""

EVENT_GEN_AI_EVALUATION_RESULT: Final = "gen_ai.evaluation.result"
"""log event of the conventions: what one evaluation gave for one example, or what a user said of an answer."""

# --- exceptions ------------------------------------------------------------------------------------------------

EVENT_GEN_AI_CLIENT_OPERATION_EXCEPTION: Final = "gen_ai.client.operation.exception"
"""log event of the conventions, WARN: what ended a call of a language model, an embedder or a retriever, with
``exception.type``, ``exception.message`` and ``exception.stacktrace``, also where its span is not sampled. The
innermost span that an exception ended, of whatever kind, has them in a span event ``exception``. Frames of this library
are left out of the stack."""

EVENT_GEN_AI_EXECUTE_TOOL_EXCEPTION: Final = "gen_ai.execute_tool.exception"
"""log event of the conventions, WARN: the same of what ended a tool or a code interpreter."""

# --- optimizers ------------------------------------------------------------------------------------------------

DSPY_OPTIMIZER_NAME: Final = "dspy.optimizer.name"
"""string: class name of the optimizer."""

DSPY_OPTIMIZER_RUN_ID: Final = "dspy.optimizer.run_id"
"""string: one for each compile; on the run, its trials and, at their roots, the traces of its examples."""

DSPY_OPTIMIZER_TRAINSET_SIZE: Final = "dspy.optimizer.trainset_size"
"""int: training examples that ``compile`` was given."""

DSPY_OPTIMIZER_VALSET_SIZE: Final = "dspy.optimizer.valset_size"
"""int: validation examples that ``compile`` was given."""

DSPY_OPTIMIZER_PARAM: Final = "dspy.optimizer.param"
"""prefix: ``dspy.optimizer.param.{name}`` holds a scalar setting of the optimizer or of ``compile``."""

DSPY_OPTIMIZER_TRIALS: Final = "dspy.optimizer.trials"
"""int: trials of the run."""

DSPY_OPTIMIZER_PLANNED_TRIALS: Final = "dspy.optimizer.planned_trials"
"""int: trials that the run is to have, where the settings of the optimizer tell; it may end before. On the run and its
trials."""

DSPY_OPTIMIZER_BEST_SCORE: Final = "dspy.optimizer.best_score"
"""double: best score so far; minibatches count only where nothing was evaluated in full."""

DSPY_OPTIMIZER_BEST_PROMPT_VERSIONS: Final = "dspy.optimizer.best_prompt_versions"
"""string[]: ``path=version`` for each predictor of the chosen program, the version as in ``gen_ai.prompt.version``."""

DSPY_OPTIMIZER_BEST_INSTRUCTIONS: Final = "dspy.optimizer.best_instructions"
"""string, JSON: instructions of the chosen program by path of the predictor. Content, off by default."""

DSPY_OPTIMIZER_BEST_DEMOS: Final = "dspy.optimizer.best_demos"
"""string, JSON: demonstrations of the chosen program by path of the predictor, the first 20 of each. Content, off by
default."""

DSPY_OPTIMIZER_COST: Final = "dspy.optimizer.cost"
"""double, USD: on a trial, sum of the known prices of all calls of the run up to its end."""

DSPY_OPTIMIZER_ROLE: Final = "dspy.optimizer.role"
"""string: ``task``, ``judge`` (inside a metric) or ``proposal``; what a call of a language model or an embedder is for
in an optimizer run."""

DSPY_OPTIMIZER_TRIAL: Final = "dspy.optimizer.trial"
"""int: number of the trial in its run, from 0."""

DSPY_OPTIMIZER_TRIAL_SCORE: Final = "dspy.optimizer.trial.score"
"""double: score of the trial, on the optimizer's own scale."""

DSPY_OPTIMIZER_TRIAL_ACCEPTED: Final = "dspy.optimizer.trial.accepted"
"""boolean: whether the optimizer took over the candidate, or it became the best so far."""

DSPY_OPTIMIZER_TRIAL_KIND: Final = "dspy.optimizer.trial.kind"
"""string: ``full``, ``minibatch``, ``bootstrap``, ``reflection`` or ``merge``."""

DSPY_OPTIMIZER_TRIAL_INSTRUCTIONS: Final = "dspy.optimizer.trial.instructions"
"""string, JSON: instructions that the trial tried, by path of the predictor. Content, off by default."""

DSPY_OPTIMIZER_TRIAL_DEMOS: Final = "dspy.optimizer.trial.demos"
"""string, JSON: demonstrations that the trial tried, by path of the predictor; those that it found where its kind is
``bootstrap``. The first 20 of each. Content, off by default."""

DSPY_OPTIMIZER_TRIAL_CANDIDATE: Final = "dspy.optimizer.trial.candidate"
"""int: GEPA's number of the candidate that the trial added to its pool."""

DSPY_OPTIMIZER_TRIAL_PARENTS: Final = "dspy.optimizer.trial.parents"
"""int[]: GEPA's numbers of the candidates that the trial started from."""

DSPY_OPTIMIZER_TRIAL_COMPONENTS: Final = "dspy.optimizer.trial.components"
"""string[]: paths of the predictors for which GEPA proposed new instructions."""

DSPY_OPTIMIZER_PARETO_FRONT: Final = "dspy.optimizer.pareto_front"
"""int[]: GEPA's numbers of the candidates on the Pareto front after the trial."""

DSPY_OPTIMIZER_METRIC_CALLS: Final = "dspy.optimizer.metric_calls"
"""int: metric calls of GEPA's budget that are used up."""

DSPY_OPTIMIZER_METRIC_CALLS_REMAINING: Final = "dspy.optimizer.metric_calls_remaining"
"""int: metric calls of GEPA's budget that are left."""

# --- code interpreters ---------------------------------------------------------------------------------------

EVENT_DSPY_INTERPRETER_START: Final = "dspy.interpreter.start"
"""span event: an interpreter has started its process, in the middle of an execution or ahead of the first."""

DSPY_INTERPRETER_STARTUP_DURATION: Final = "dspy.interpreter.startup_duration"
"""double, s: how long the start took."""

# --- retrieval -----------------------------------------------------------------------------------------------

DSPY_DOCUMENTS_COUNT: Final = "dspy.documents.count"
"""int: documents that a retriever returned."""

# --- embeddings --------------------------------------------------------------------------------------------------

DSPY_EMBEDDINGS_INPUTS: Final = "dspy.embeddings.inputs"
"""string, JSON: texts that were embedded. Content, off by default."""

# --- roll-up: all LM and embedding calls below a span; zeros are left out, but for the LM calls and the cost ------

DSPY_USAGE_LM_CALLS: Final = "dspy.usage.lm_calls"
"""int: LM calls, failed ones and cache hits included."""

DSPY_USAGE_INPUT_TOKENS: Final = "dspy.usage.input_tokens"
"""int: input tokens, cached ones included."""

DSPY_USAGE_OUTPUT_TOKENS: Final = "dspy.usage.output_tokens"
"""int: output tokens, reasoning included."""

DSPY_USAGE_EMBEDDING_CALLS: Final = "dspy.usage.embedding_calls"
"""int: calls of embedders, failed ones included; what DSPy's cache answered whole is none of them."""

DSPY_USAGE_EMBEDDING_TOKENS: Final = "dspy.usage.embedding_tokens"
"""int: tokens that were embedded; none of them is among the input tokens."""

DSPY_USAGE_COST: Final = "dspy.usage.cost"
"""double, USD: sum of the known prices, of LM calls and of embeddings."""

DSPY_USAGE_COST_UNKNOWN_CALLS: Final = "dspy.usage.cost_unknown_calls"
"""int: paid calls whose price is not known, and so not in the sum."""

DSPY_USAGE_CACHE_HITS: Final = "dspy.usage.cache_hits"
"""int: LM calls that DSPy's cache answered."""

DSPY_USAGE_SAVED_COST: Final = "dspy.usage.saved_cost"
"""double, USD: what the cache hits would have cost."""

DSPY_USAGE_TASK_LM_CALLS: Final = "dspy.usage.task.lm_calls"
"""int: LM calls made by the program under evaluation."""

DSPY_USAGE_TASK_INPUT_TOKENS: Final = "dspy.usage.task.input_tokens"
"""int: input tokens of the calls made by the program under evaluation."""

DSPY_USAGE_TASK_OUTPUT_TOKENS: Final = "dspy.usage.task.output_tokens"
"""int: output tokens of the calls made by the program under evaluation."""

DSPY_USAGE_TASK_EMBEDDING_CALLS: Final = "dspy.usage.task.embedding_calls"
"""int: calls of embedders made by the program under evaluation."""

DSPY_USAGE_TASK_EMBEDDING_TOKENS: Final = "dspy.usage.task.embedding_tokens"
"""int: tokens that were embedded in calls made by the program under evaluation."""

DSPY_USAGE_TASK_COST: Final = "dspy.usage.task.cost"
"""double, USD: sum of the known prices of the calls made by the program under evaluation."""

DSPY_USAGE_JUDGE_LM_CALLS: Final = "dspy.usage.judge.lm_calls"
"""int: LM calls made inside metrics."""

DSPY_USAGE_JUDGE_INPUT_TOKENS: Final = "dspy.usage.judge.input_tokens"
"""int: input tokens of the calls made inside metrics."""

DSPY_USAGE_JUDGE_OUTPUT_TOKENS: Final = "dspy.usage.judge.output_tokens"
"""int: output tokens of the calls made inside metrics."""

DSPY_USAGE_JUDGE_EMBEDDING_CALLS: Final = "dspy.usage.judge.embedding_calls"
"""int: calls of embedders made inside metrics."""

DSPY_USAGE_JUDGE_EMBEDDING_TOKENS: Final = "dspy.usage.judge.embedding_tokens"
"""int: tokens that were embedded in calls made inside metrics."""

DSPY_USAGE_JUDGE_COST: Final = "dspy.usage.judge.cost"
"""double, USD: sum of the known prices of the calls made inside metrics."""

DSPY_USAGE_PROPOSAL_LM_CALLS: Final = "dspy.usage.proposal.lm_calls"
"""int: LM calls made by the optimizer itself."""

DSPY_USAGE_PROPOSAL_INPUT_TOKENS: Final = "dspy.usage.proposal.input_tokens"
"""int: input tokens of the calls made by the optimizer itself."""

DSPY_USAGE_PROPOSAL_OUTPUT_TOKENS: Final = "dspy.usage.proposal.output_tokens"
"""int: output tokens of the calls made by the optimizer itself."""

DSPY_USAGE_PROPOSAL_EMBEDDING_CALLS: Final = "dspy.usage.proposal.embedding_calls"
"""int: calls of embedders made by the optimizer itself."""

DSPY_USAGE_PROPOSAL_EMBEDDING_TOKENS: Final = "dspy.usage.proposal.embedding_tokens"
"""int: tokens that were embedded in calls made by the optimizer itself."""

DSPY_USAGE_PROPOSAL_COST: Final = "dspy.usage.proposal.cost"
"""double, USD: sum of the known prices of the calls made by the optimizer itself."""

# --- budgets -----------------------------------------------------------------------------------------------------

DSPY_BUDGET_EXCEEDED: Final = "dspy.budget.exceeded"
"""string: the bound of ``usage_scope``, or of the process, for which a call below the span was not sent: ``max_cost``,
``max_tokens``, ``max_calls``, or ``unknown_price`` where ``on_unknown="refuse"`` met a call without a price. On module,
agent, evaluation, example, optimizer and trial spans."""

DSPY_BUDGET_BOUND: Final = "dspy.budget.bound"
"""string: the same on the metric."""

# --- metrics ---------------------------------------------------------------------------------------------------

METRIC_GEN_AI_CLIENT_OPERATION_COST: Final = "gen_ai.client.operation.cost"
"""histogram, {cost}: price of each operation. Proposed convention."""

METRIC_GEN_AI_INVOKE_AGENT_INFERENCE_CALLS: Final = "gen_ai.invoke_agent.inference_calls"
"""histogram, {inference_call}: language model calls that each call of an agent made itself, failed ones and hits of
DSPy's cache included; those of its tools and of other agents are not. Of GenAI conventions 0.1.0."""

METRIC_GEN_AI_INVOKE_AGENT_TOOL_CALLS: Final = "gen_ai.invoke_agent.tool_calls"
"""histogram, {tool_call}: tool calls that each call of an agent made itself, failed ones and executions of code
included; those of its tools and of other agents are not. Of GenAI conventions 0.1.0."""

METRIC_DSPY_MODULE_DURATION: Final = "dspy.module.duration"
"""histogram, s: how long each call of a built-in module took; workflows and agents have the conventions' metrics."""

METRIC_DSPY_CACHE_REQUESTS: Final = "dspy.cache.requests"
"""counter, {request}: LM calls by whether DSPy's cache answered."""

METRIC_DSPY_CACHE_SAVED_COST: Final = "dspy.cache.saved_cost"
"""counter, {cost}: what the cache hits would have cost."""

METRIC_DSPY_LM_RETRIES: Final = "dspy.lm.retries"
"""counter, {retry}: attempts of LM calls that failed and were followed by another."""

METRIC_DSPY_BUDGET_EXCEEDED: Final = "dspy.budget.exceeded"
"""counter, {budget}: budgets that were used up, each once, by ``dspy.budget.bound``."""

METRIC_DSPY_EVALUATE_SCORE: Final = "dspy.evaluate.score"
"""gauge, {score}: score of the last evaluation, on DSPy's scale, mostly a percentage."""

METRIC_DSPY_EVALUATE_EXAMPLE_SCORE: Final = "dspy.evaluate.example.score"
"""histogram, {score}: score of each example, on the metric's own scale. It holds scores from zero up; spans and events
have all."""

METRIC_DSPY_OPTIMIZER_BEST_SCORE: Final = "dspy.optimizer.best_score"
"""gauge, {score}: best score of the run so far, on the optimizer's own scale."""

METRIC_DSPY_ADAPTER_PARSE_ERRORS: Final = "dspy.adapter.parse_errors"
"""counter, {error}: replies that an adapter could not read."""

METRIC_DSPY_ADAPTER_FALLBACKS: Final = "dspy.adapter.fallbacks"
"""counter, {fallback}: times that an adapter went on by another way after an error."""
