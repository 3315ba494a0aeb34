"""What is known where an exception ended a call: read from the call's record when one did, never before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from .context import call_in
from .errors import Surroundings
from .language_models.lm_calls import LM_CALL
from .optimization.example_calls import EXAMPLE_CALLS
from .programs.running_modules import MODULE
from .reading import is_kind, read, setting
from .slots import OwnSlot
from .told_errors import told_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.context import Context

    from .context import Call
    from .programs.running_modules import RunningModule

__all__ = ["ASKS_SERVER", "is_recorded_around", "surroundings_in"]

ASKS_SERVER: Final = OwnSlot[bool]("asks a server")
"""Whether a call asks a server that is no language model, which says in words of its own what is wrong."""


def surroundings_in(context: Context) -> Surroundings:
    """Return what the innermost call of a context, and those around it, were given, were answered and are named."""
    call = call_in(context)
    modules, told, example = [*_outwards(MODULE.of(call))], told_in(call), EXAMPLE_CALLS.of(call)
    values: list[Any] = [call.given, *(module.given for module in modules)]
    # The metric of an evaluation runs after the program, which is no module around it.
    beside = [] if example is None else [*example.modules]
    values += [module.given for module in beside]
    values += [part for module in (*modules[-1:], *beside) for part in reversed([*(module.exchanged or ())])]
    if not modules and told is not None:
        values += told.exchanged
    asks_server = ASKS_SERVER.of(call) is True
    return Surroundings(values, _settings(call, modules), _names(call, modules), asks_server, told)


def is_recorded_around(context: Context) -> bool:
    """Return whether the span of a module around the innermost call of a context records."""
    module = MODULE.of(call_in(context))
    return module is not None and module.is_recorded


def _outwards(module: RunningModule | None) -> Iterator[RunningModule]:
    while module is not None:
        yield module
        module = module.caller


def _settings(call: Call, modules: list[RunningModule]) -> list[Any]:
    # The application may quote the settings of what DSPy is configured with, without a call of it.
    clients = [call.instance, setting("lm"), setting("rm")]
    language_model_call = LM_CALL.of(call)
    if language_model_call is not None:
        clients.append(language_model_call.language_model)
    # A module may quote the settings of the language model that it was given for its own.
    clients += [read(module.instance, "lm") for module in modules]
    own = [attributes for client in clients if isinstance(attributes := read(client, "__dict__"), dict)]
    given = [part for given in (call.given, *(module.given for module in modules)) for part in given]
    return [*own, *(part for part in given if isinstance(part, Mapping))]


def _names(call: Call, modules: list[RunningModule]) -> set[str]:
    names: set[str] = set()
    for instance in (call.instance, *(module.instance for module in modules)):
        attributes = read(instance, "__dict__", {})
        signature, arguments = attributes.get("signature"), attributes.get("args")
        if isinstance(name := read(instance, "name"), str):
            names.add(name)
        for fields in (read(signature, "fields"), arguments):
            if isinstance(fields, Mapping):
                names.update(name for name in fields if isinstance(name, str))
    # Those of keyword arguments stand in the program's code.
    for given in (call.given, *(module.given for module in modules)):
        for part in given:
            if isinstance(part, Mapping):
                names.update(name for name in part if is_kind(name, str) and name.isidentifier())
    return names
