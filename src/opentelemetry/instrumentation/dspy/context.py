"""What travels with a running DSPy call: one record in the OpenTelemetry Context.

The calls inside read it to find the totals they add to, the module that called them and the outermost one. Recorders
meet nowhere else.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from opentelemetry import context as context_api

from .paths import path_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextvars import Token

    from opentelemetry.context import Context
    from opentelemetry.trace import Span
    from opentelemetry.util.types import AttributeValue

    from .evaluations import Evaluation
    from .lm_results import LMOutcome
    from .optimizer_runs import OptimizerPlace
    from .token_usage import TokenUsage
    from .usage import UsageScope

__all__ = [
    "ActiveCall",
    "LMCall",
    "RunningModule",
    "attach",
    "current_call",
    "detach",
    "lm_call_under_way",
    "with_call",
]

_CALL_KEY = context_api.create_key("opentelemetry.instrumentation.dspy.call")


@dataclass(slots=True)
class RunningModule:
    """A module whose call is under way, and the running module that called it."""

    instance: Any
    caller: RunningModule | None
    arguments: Mapping[str, Any]
    """Keyword arguments of the call: a predictor takes ``signature`` and ``demos`` from them before its own."""
    _path: str | None = None
    _located: bool = False

    @property
    def path(self) -> str | None:
        """Attribute path from the outermost running module, ``None`` for that one and where there is none."""
        if not self._located:
            self._path = path_of(self.instance, self.caller)
            self._located = True
        return self._path

    @property
    def outermost(self) -> RunningModule:
        """The first module of the chain of callers."""
        module = self
        while module.caller is not None:
            module = module.caller
        return module


@dataclass(slots=True)
class LMCall:
    """One language model call under way; DSPy's own bookkeeping tells the rest of it here, on its way."""

    language_model: Any
    model: str
    span: Span
    outcome: LMOutcome | None = None
    from_cache: bool = False
    """Whether DSPy's cache answered."""
    stored_usage: Any = None
    """The usage of a stored reply, which the cache empties before it hands the reply out."""
    endpoint: str | None = None
    """The address that DSPy chose for the request."""
    attempts: int = 1
    failed_usage: TokenUsage | None = None
    """What the provider billed although the call failed."""
    inner: list[LMOutcome] = field(default_factory=list)
    """The outcomes of language models that this one called: a router or a proxy is one call together with them."""


@dataclass(slots=True)
class ActiveCall:
    """The innermost DSPy call that is under way in this context."""

    instance: object = None
    owner: object = None
    attribute: str = ""
    scope: UsageScope | None = None
    module: RunningModule | None = None
    adapter_name: str | None = None
    language_model_call: LMCall | None = None
    conversation_id: str | None = None
    attributes: Mapping[str, AttributeValue] = field(default_factory=dict)
    evaluation: Evaluation | None = None
    optimizer: OptimizerPlace | None = None

    def child(self, instance: object, owner: object, attribute: str) -> ActiveCall:
        """Return the record of a call inside this one, which inherits all that the call does not replace."""
        return ActiveCall(
            instance,
            owner,
            attribute,
            self.scope,
            self.module,
            self.adapter_name,
            self.language_model_call,
            self.conversation_id,
            self.attributes,
            self.evaluation,
            self.optimizer,
        )


NO_CALL = ActiveCall()


def current_call() -> ActiveCall:
    """Return the record of the innermost call under way, an empty one outside of any."""
    call = context_api.get_value(_CALL_KEY)
    return call if isinstance(call, ActiveCall) else NO_CALL


def lm_call_under_way(language_model: object = None) -> LMCall | None:
    """Return the language model call whose own code is running, if any, and if it is one of the given object."""
    active = current_call()
    call = active.language_model_call
    if call is None or (language_model is not None and call.language_model is not language_model):
        return None
    return call


def with_call(call: ActiveCall, context: Context | None = None) -> Context:
    """Return a context, by default the current one, with the record in it."""
    return context_api.set_value(_CALL_KEY, call, context)


def attach(context: Context) -> Token[Context]:
    """Make the context the current one and return what ``detach`` needs."""
    return context_api.attach(context)


def detach(token: Token[Context]) -> None:
    """Restore the context that was current before ``attach``.

    A coroutine or generator that is closed by the garbage collector ends in another context than it began in. There
    is nothing to restore there, and ``opentelemetry.context.detach`` would log an error about it.
    """
    try:
        token.var.reset(token)
    except ValueError:
        return
