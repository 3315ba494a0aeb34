"""Calls of ``dspy.Embedder``: one embeddings span for each, however many batches it takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry.semconv._incubating.attributes import gen_ai_attributes as gen_ai

from .. import semconv
from ..budgets.admissions import ADMISSION, open_admission
from ..budgets.enforcement import BOUNDS, admit
from ..budgets.senders import admit_own_embedding, note_computed
from ..context import with_call
from ..encodable import encodable
from ..labels.labels import NO_LABELS
from ..language_models.lm_attributes import CURRENCY
from ..language_models.providers import identify, server_of
from ..openings import carry_on
from ..optimization.optimizer_runs import OPTIMIZER
from ..optimization.roles import role_of, total_of_role
from ..reading import is_kind, read, text_of_name
from ..retrieving.embedding_calls import EMBEDDING, EmbeddingCall
from ..retrieving.embedding_functions import identify_function
from ..spans import OpenInvocation, open_invocation
from ..surroundings import ASKS_SERVER
from ..usage import SCOPE
from ..wrapping.calls import Noter, Recording

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.util.genai.invocation import EmbeddingInvocation
    from opentelemetry.util.types import AttributeValue

    from ..budgets.admissions import Admission
    from ..content import Content
    from ..context import Call
    from ..labels.call_labels import CallLabels
    from ..language_models.outcomes import LMOutcome
    from ..telemetry import Telemetry
    from ..usage import UsageScope

__all__ = ["EmbeddingBatchRecorder", "EmbeddingRecorder"]


class EmbeddingRecorder:
    """Makes one span of each embedder call, and adds what it used to the totals around it."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry

    def begin(self, call: Call) -> EmbeddingRecording:
        """Start the span of a call and make it the current one."""
        embedder, outer = call.instance, EMBEDDING.of(call)
        if BOUNDS.are_set and outer is None:
            open_admission(call)
            admit_own_embedding(call)
        own = read(embedder, "default_kwargs")
        options = {**(own if is_kind(own, dict) else {}), **call.keyword_arguments}
        ASKS_SERVER.put(call, True)
        model = read(embedder, "model")
        name = text_of_name(model)
        identity = identify_function(model) if name is None else identify(name, None)
        embedding = EmbeddingCall(
            embedder, identity, name is not None, self._telemetry.options.prices, _totals_of(call), outer
        )
        EMBEDDING.put(call, embedding)
        server = server_of(options.get("api_base"), options.get("base_url"))
        opened = open_invocation(
            call,
            self._telemetry.handler.embedding(
                identity.provider,
                request_model=identity.model,
                server_address=server.host if server else None,
                server_port=server.port if server else None,
                context=with_call(call),
            ),
        )
        recording = EmbeddingRecording(self._telemetry, opened, embedding, call.kept.get(ADMISSION))
        if self._telemetry.metrics.are_heard:
            carry_on(call, recording.note_labels, call, self._telemetry.labels)
        if opened.is_recording:
            carry_on(call, recording.describe, call, options)
            content = self._telemetry.content.of_span()
            if content.on_spans:
                carry_on(call, recording.record_inputs, call, content)
        return recording


def _totals_of(call: Call) -> list[UsageScope]:
    """Return what a call adds to: the innermost total, and inside an optimizer run that of the call's role."""
    totals = (SCOPE.of(call), total_of_role(call) if OPTIMIZER in call.kept else None)
    return [total for total in totals if total is not None]


class EmbeddingRecording(Recording):
    """One embedder call under way."""

    __slots__ = ("_admission", "_embedding", "_labels", "_opened", "_telemetry", "_vectors")

    def __init__(
        self,
        telemetry: Telemetry,
        opened: OpenInvocation[EmbeddingInvocation],
        embedding: EmbeddingCall,
        admission: Admission | None,
    ) -> None:
        self._telemetry = telemetry
        self._opened = opened
        self._embedding = embedding
        self._admission = admission if embedding.outer is None else None
        self._vectors = 0
        self._labels = NO_LABELS

    def note_labels(self, call: Call, labels: CallLabels) -> None:
        """Take note of what the points of the call tell of where it comes from."""
        self._labels = labels.of(call)
        self._opened.invocation.metric_attributes.update(self._labels.attributes)

    def describe(self, call: Call, options: Mapping[str, Any]) -> None:
        """Take note of what is known of the call before it runs."""
        invocation = self._opened.invocation
        encoding = options.get("encoding_format")
        if isinstance(encoding, str):
            invocation.encoding_formats = [encodable(encoding)]
        role = role_of(call) if OPTIMIZER in call.kept else None
        if role is not None:
            self._opened.attributes[semconv.DSPY_OPTIMIZER_ROLE] = role

    def record_inputs(self, call: Call, content: Content) -> None:
        """Take note of what is embedded."""
        inputs = call.arguments[0] if call.arguments else call.keyword_arguments.get("inputs")
        self._opened.attributes[semconv.DSPY_EMBEDDINGS_INPUTS] = content.json(inputs, "input")

    def finish(self, result: Any) -> None:
        """Record a call that returned vectors."""
        self._vectors, self._opened.invocation.dimension_count = _shape(result)

    def end(self, error: BaseException | None) -> None:
        """Record what was used and paid, or leave that to the call around it, whose function made this one."""
        embedding, invocation = self._embedding, self._opened.invocation
        is_counted = embedding.count(error, self._vectors)
        if self._admission is not None:
            self._admission.is_free = not is_counted
        if embedding.outer is None:
            from_cache = embedding.is_from_cache
            invocation.attributes[semconv.DSPY_CACHE_HIT] = from_cache
            if from_cache:
                invocation.metric_attributes[semconv.DSPY_CACHE_HIT] = True
            outcome = embedding.outcome()
            if outcome is not None:
                invocation.input_tokens = outcome.usage.input_tokens
                invocation.response_model_name = outcome.response_model
                self._record_price(outcome)
        if embedding.failure is not None:
            raise embedding.failure

    def _record_price(self, outcome: LMOutcome) -> None:
        if outcome.cost is None:
            return
        opened, identity = self._opened, self._embedding.identity
        point: dict[str, AttributeValue] = {
            **self._labels.attributes,
            gen_ai.GEN_AI_OPERATION_NAME: gen_ai.GenAiOperationNameValues.EMBEDDINGS.value,
            gen_ai.GEN_AI_PROVIDER_NAME: identity.provider,
            gen_ai.GEN_AI_REQUEST_MODEL: identity.model,
            semconv.GEN_AI_USAGE_COST_CURRENCY: CURRENCY,
            semconv.GEN_AI_USAGE_COST_SOURCE: outcome.cost_source,
        }
        if outcome.response_model is not None:
            point[gen_ai.GEN_AI_RESPONSE_MODEL] = outcome.response_model
        if opened.is_recording:
            opened.attributes[semconv.GEN_AI_USAGE_COST_AMOUNT] = float(outcome.cost)
            opened.attributes[semconv.GEN_AI_USAGE_COST_CURRENCY] = CURRENCY
            opened.attributes[semconv.GEN_AI_USAGE_COST_SOURCE] = outcome.cost_source
        self._telemetry.metrics.operation_cost.record(outcome.cost, point, opened.context)


class EmbeddingBatchRecorder(Noter):
    """Takes note of the batches that ``dspy.clients.embedding`` computes: the others came from DSPy's cache."""

    def before(self, around: Call, instance: Any, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
        """Take note of one, unless a budget is used up: then it is not computed."""
        embedding = EMBEDDING.of(around)
        whole = None if embedding is None else embedding.whole
        if BOUNDS.are_set:
            if whole is not None:
                note_computed(whole.embedder)
            admit()
        if whole is not None:
            whole.has_computed = True


def _shape(result: Any) -> tuple[int, int | None]:
    """Return how many vectors a call returned and of how many dimensions; a single text has one vector."""
    shape = read(result, "shape")
    if is_kind(result, list) and result:  # of an embedder that overrides the call
        shape = (len(result), len(result[0])) if is_kind(result[0], list) else (len(result),)
    if not isinstance(shape, tuple) or not shape or 0 in shape:
        return 0, None
    return (1 if len(shape) == 1 else int(shape[0])), int(shape[-1])
