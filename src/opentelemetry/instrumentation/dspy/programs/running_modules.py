"""A module whose call is under way, in the chain of the modules that called it."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final

from ..slots import Slot
from ..told_errors import told_in
from .module_classes import ModuleKind, classify
from .paths import locate
from .signatures import cut_label

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from opentelemetry.trace import Span

    from ..context import Call
    from .agents import AgentRun
    from .attempts import Attempts
    from .module_classes import ModuleClass
    from .places import Location
    from .signatures import SignatureDescription

__all__ = ["MAX_EXCHANGED", "MODULE", "UNKNOWN", "RunningModule", "remember"]

UNKNOWN: Final = object()
"""Stands for an answer that is not known; a program may answer ``None``."""

MAX_EXCHANGED = 256
"""Calls of language models, tools and retrievers whose values are remembered while an outermost module runs."""


class RunningModule:
    """A module whose call is under way, and the running module that called it.

    There is one for each call of a module: what most have nothing of stands in the class until there is something.
    """

    span: Span | None = None
    attempts: Attempts | None = None
    """What it has tried so far, where it is one that runs another module several times."""
    agent: AgentRun | None = None
    """What it has done so far, where it is an agent."""
    answer: Any = UNKNOWN
    """What it answered, noted where it is an outermost module in the example of an evaluation."""
    answers: int = 0
    """Language model calls inside an outermost module that were answered."""
    response_id: str | None = None
    """Of the latest of them."""
    exchanged: deque[Any] | None = None
    """What language models, tools and retrievers were given and answered latest inside an outermost module, for the
    text of an error not to quote it."""
    _location: Location | None = None
    _names: Mapping[str, str] | None = None

    def __init__(
        self,
        instance: Any,
        caller: RunningModule | None,
        module_class: ModuleClass,
        arguments: Mapping[str, Any],
        given: Sequence[Any] = (),
    ) -> None:
        self.instance = instance
        self.caller = caller
        self.module_class = module_class
        """What its class tells."""
        self.arguments = arguments
        """Keyword arguments of the call: a predictor takes ``signature`` and ``demos`` from them before its own."""
        self.given = given
        """Positional and keyword arguments of the call."""
        self._outermost: RunningModule | None = None if caller is None else caller._outermost or caller
        """``None`` where it is itself the outermost one."""

    @classmethod
    def of(cls, instance: Any, caller: RunningModule | None, arguments: Mapping[str, Any]) -> RunningModule:
        """Return a module as it would run with these arguments."""
        return cls(instance, caller, classify(type(instance)), arguments)

    def note_answer(self, response_id: str | None) -> None:
        """Note, at the outermost module, that a language model answered."""
        outermost = self._outermost or self
        outermost.answers += 1
        outermost.response_id = response_id

    @property
    def response_id_of_result(self) -> str | None:
        """The id of the one response that the result of an outermost module can be about.

        ``None`` for workflows and agents, whose spans are those of GenAI operations and name themselves.
        """
        if self.answers != 1:
            return None
        is_operation = self.module_class.kind is not ModuleKind.BUILT_IN
        return None if is_operation else self.response_id

    def remember(self, *values: Any) -> None:
        """Note what a call inside was given and what it answered, at the outermost module."""
        outermost = self._outermost or self
        if outermost.exchanged is None:
            outermost.exchanged = deque(maxlen=MAX_EXCHANGED)
        outermost.exchanged.append(values)

    @property
    def location(self) -> Location:
        """Where in the program it stands, looked for when it is first asked for."""
        location = self._location
        if location is None:
            location = self._location = locate(self.instance, self.caller)
        return location

    @property
    def path(self) -> str | None:
        """Attribute path from the outermost running module, ``None`` for that one and where there is none."""
        return self.location.path

    @property
    def names(self) -> Mapping[str, str]:
        """What the conventions call the agent or the workflow that it is or runs in, if it has one."""
        names = self._names
        if names is None:
            names = self._names = self._names_around()
        return names

    def _names_around(self) -> Mapping[str, str]:
        module: RunningModule | None = self
        while module is not None:
            names = module._names or (module.module_class.names if module.agent is None else module.agent.names)
            if names:
                return names
            module = module.caller
        return {}

    def name_by_place(self, name: str, signature: SignatureDescription) -> str:
        """Return the name of a span about a signature that has none: the place where it is used stands for it.

        Where the module stands in no program, the signature's text form does.
        """
        return f"{name} {cut_label(self.location.word or signature.label)}"

    @property
    def is_recorded(self) -> bool:
        """Whether its span records, or that of a module around it."""
        module: RunningModule | None = self
        while module is not None:
            if module.span is not None and module.span.is_recording():
                return True
            module = module.caller
        return False

    @property
    def nearest_agent(self) -> AgentRun | None:
        """The agent that this module is, or the innermost one that runs it."""
        module: RunningModule | None = self
        while module is not None and module.agent is None:
            module = module.caller
        return None if module is None else module.agent

    def attempts_of(self, instance: object, module: object) -> Attempts | None:
        """Return the attempts that a call of a module, made directly by a call of ``instance``, belongs to."""
        if self.attempts is None or instance is not self.instance:
            return None
        return self.attempts if self.attempts.has(module) else None

    @property
    def outermost(self) -> RunningModule:
        """The first module of the chain of callers."""
        return self._outermost or self


MODULE: Final = Slot[RunningModule]("module")
"""The innermost module that runs."""


def remember(call: Call, *answered: Any) -> None:
    """Note what a call was given and what it answered, for the texts of errors of what is around it."""
    module = MODULE.of(call)
    if module is not None:
        module.remember(call.given, *answered)
    # What no module is around may be in one that began outside of all: a tool, a metric, an optimizer.
    if module is None or (module.caller is None and module.instance is call.instance):
        is_outermost = call.caller is not None and call.caller.caller is None
        told = None if is_outermost else told_in(call)
        if told is not None:
            told.remember(call.given, *answered)
