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

DSPY_DEMOS_COUNT: Final = "dspy.demos.count"
"""int: demonstrations in the predictor's prompt."""

# --- language model calls --------------------------------------------------------------------------------------

GEN_AI_USAGE_COST_AMOUNT: Final = "gen_ai.usage.cost.amount"
"""double: price of this operation alone. Proposed convention. Absent when the price is unknown or was not paid."""

GEN_AI_USAGE_COST_CURRENCY: Final = "gen_ai.usage.cost.currency"
"""string, ISO 4217: currency of the amount. Proposed convention."""

GEN_AI_USAGE_COST_SOURCE: Final = "gen_ai.usage.cost.source"
"""string: ``provider`` if the reply carried the amount, ``local`` if it was computed here. Proposed convention."""

DSPY_CACHE_HIT: Final = "dspy.cache.hit"
"""boolean: whether DSPy's own cache answered, so that no request was made."""

DSPY_CACHE_SAVED_INPUT_TOKENS: Final = "dspy.cache.saved_input_tokens"
"""int: input tokens that the stored reply once used."""

DSPY_CACHE_SAVED_OUTPUT_TOKENS: Final = "dspy.cache.saved_output_tokens"
"""int: output tokens that the stored reply once used."""

DSPY_CACHE_SAVED_COST: Final = "dspy.cache.saved_cost"
"""double, USD: what the stored reply once cost."""

DSPY_ADAPTER_NAME: Final = "dspy.adapter.name"
"""string: class name of the adapter that wrote the prompt."""

DSPY_LM_ADAPTATIONS: Final = "dspy.lm.adaptations"
"""string[]: settings that the backend dropped or clamped."""

# --- roll-up: all LM calls below a span ----------------------------------------------------------------------

DSPY_USAGE_LM_CALLS: Final = "dspy.usage.lm_calls"
"""int: LM calls, failed ones and cache hits included."""

DSPY_USAGE_INPUT_TOKENS: Final = "dspy.usage.input_tokens"
"""int: input tokens, cached ones included."""

DSPY_USAGE_OUTPUT_TOKENS: Final = "dspy.usage.output_tokens"
"""int: output tokens, reasoning included."""

DSPY_USAGE_COST: Final = "dspy.usage.cost"
"""double, USD: sum of the known prices."""

DSPY_USAGE_COST_UNKNOWN_CALLS: Final = "dspy.usage.cost_unknown_calls"
"""int: paid calls whose price is not known, and so not in the sum."""

DSPY_USAGE_CACHE_HITS: Final = "dspy.usage.cache_hits"
"""int: calls that DSPy's cache answered."""

DSPY_USAGE_SAVED_COST: Final = "dspy.usage.saved_cost"
"""double, USD: what the cache hits would have cost."""

# --- metrics ---------------------------------------------------------------------------------------------------

METRIC_GEN_AI_CLIENT_OPERATION_COST: Final = "gen_ai.client.operation.cost"
"""histogram, {cost}: price of each operation. Proposed convention."""

METRIC_DSPY_MODULE_DURATION: Final = "dspy.module.duration"
"""histogram, s: how long each module call took."""

METRIC_DSPY_CACHE_REQUESTS: Final = "dspy.cache.requests"
"""counter, {request}: LM calls by whether DSPy's cache answered."""

METRIC_DSPY_CACHE_SAVED_COST: Final = "dspy.cache.saved_cost"
"""counter, {cost}: what the cache hits would have cost."""
