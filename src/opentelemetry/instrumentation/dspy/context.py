"""What travels with a running DSPy call: one record in the OpenTelemetry Context.

The calls inside read it to find the totals they add to, the module that called them and the outermost one. Recorders
meet nowhere else.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from opentelemetry import context as context_api

from .blocks import INNERMOST_BLOCK, lies_in
from .told_errors import ToldErrors
from .usage import joined

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextvars import Token

    from opentelemetry.context import Context
    from opentelemetry.util.types import AttributeValue

    from .blocks import Block
    from .calls import Call
    from .content.documents import RetrievalCall
    from .language_models.lm_calls import LMCall
    from .optimization.example_calls import ExampleCalls
    from .passing_errors import PassingErrors
    from .programs.adapter_calls import AdapterCall
    from .programs.running_modules import RunningModule
    from .retrieving.embedding_calls import EmbeddingCall
    from .usage import UsageScope

__all__ = [
    "ActiveCall",
    "Slot",
    "attach",
    "call_in",
    "current_call",
    "current_context",
    "detach",
    "lm_call_under_way",
    "with_call",
]

_CALL_KEY = context_api.create_key("opentelemetry.instrumentation.dspy.call")


Kept = TypeVar("Kept")


class Slot(Generic[Kept]):
    """What one room keeps with a call and with all calls inside, with the type that it has there."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return f"Slot({self._name!r})"

    def of(self, call: ActiveCall) -> Kept | None:
        """Return what is kept with a call, ``None`` where nothing is."""
        kept: Kept | None = call.kept.get(self)
        return kept

    def put(self, call: ActiveCall, value: Kept | None) -> None:
        """Keep something with a call, and with those that begin inside from now on."""
        call.kept = {**call.kept, self: value}


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
    kept: Mapping[Slot[Any], Any] = field(default_factory=dict)
    """What rooms keep with the call; calls inside inherit it."""
    told: ToldErrors | None = None
    """What was told so far of the exceptions that came up inside the outermost call."""
    errors: PassingErrors | None = None
    """What came out of the calls inside the innermost call that has a recording span."""
    example_calls: ExampleCalls | None = None
    """What runs in the example that the call lies in."""
    adapter_call: AdapterCall | None = None
    """Of this call alone: a call inside has its own or none."""
    straggler: bool = False
    """Whether what runs directly inside is the second run of an item that took too long; of this call alone."""
    embedding: EmbeddingCall | None = None
    """Of this call alone."""
    tool_call_id: str | None = None
    """Given by the model to the tool call that this call executes; of this call alone."""
    retrieval: RetrievalCall | None = None
    """Where this call hands the search on to another retriever; of this call alone."""
    block: Block | None = None
    """The innermost block of the application that the call lies in."""
    around: ActiveCall | None = None
    """Of a record that a block of the application made: the record of the call around the block."""
    asks_server: bool = False
    """Whether this call asks a server that is no language model; of this call alone."""
    given: Sequence[Any] = ()
    """What this call was given, for the text of an error not to quote it; of this call alone."""
    steps: list[str] | None = None
    """The methods that this call went on with so far, of its own object; of this call alone."""
    known: Callable[[], Mapping[str, AttributeValue]] | None = None
    """Returns what else stands on this call's span from its start, where somebody may look; of this call alone."""
    span_name: Callable[[], str] | None = None
    """Returns the name of this call's span, where somebody may look and it takes work; of this call alone."""

    def remember(self, *answered: Any) -> None:
        """Note what this call was given and what it answered, for the texts of errors of what is around it."""
        module = self.module
        if module is not None:
            module.remember(self.given, *answered)
        # What no module is around may be in one that began outside of all: a tool, a metric, an optimizer.
        if self.told is not None and (module is None or (module.caller is None and module.instance is self.instance)):
            self.told.remember(self.given, *answered)

    def goes_on_with(self, step: str) -> bool:
        """Note that the call goes on with a method of its own object; false where it did before, or began with it."""
        if self.attribute == step:
            return False
        if self.steps is None:
            self.steps = [step]
            return True
        if step in self.steps:
            return False
        self.steps.append(step)
        return True

    def inside(self, call: Call) -> ActiveCall:
        """Return the record of a call inside this one."""
        inner = self.child(call.instance, call.owner, call.attribute)
        inner.given = (call.arguments, call.keyword_arguments)
        return inner

    def child(self, instance: object, owner: object, attribute: str) -> ActiveCall:
        """Return the record of a part of this call, which inherits all that the call does not replace."""
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
            self.kept,
            self.told or ToldErrors(),
            self.errors,
            self.example_calls,
            block=self.block,
        )

    def with_block(self, block: Block) -> ActiveCall:
        """Return the record of the same call in a block, with what that adds."""
        return replace(
            self,
            scope=joined(block.scope, self.scope),
            conversation_id=self.conversation_id if block.conversation_id is None else block.conversation_id,
            attributes={**self.attributes, **block.attributes},
            block=block,
            around=self,
        )


NO_CALL = ActiveCall()


def current_call() -> ActiveCall:
    """Return the record of the innermost call under way, an empty one outside of any.

    It has in it what the application's innermost block adds, also where the Context does not know of that block.
    """
    call, block = call_in(context_api.get_current()), INNERMOST_BLOCK.get()
    if call.block is block and (block is None or not block.is_lost):
        return call
    while call.around is not None and call.block is not None and call.block.is_lost:
        call = call.around
    while block is not None and block.is_lost:
        block = block.outer
    return call if block is None or lies_in(call.block, block) else call.with_block(block)


def current_context() -> Context:
    """Return the current OpenTelemetry Context for work that runs elsewhere, with ``current_call`` in it."""
    context, call = context_api.get_current(), current_call()
    return context if call_in(context) is call else with_call(call, context)


def call_in(context: Context) -> ActiveCall:
    """Return the record of the innermost call under way that a context knows of, an empty one outside of any."""
    call: ActiveCall = context.get(_CALL_KEY, NO_CALL)  # type: ignore[assignment]
    return call


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
