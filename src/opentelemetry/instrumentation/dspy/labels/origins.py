"""Where a call of a language model or an embedder comes from: its program, its prompt, its role in an optimizer run."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..optimization.optimizer_runs import OPTIMIZER
from ..optimization.roles import role_of
from ..programs.adapter_calls import ADAPTER_NAME
from ..programs.program_names import program_name
from ..programs.prompts import prompt_name
from ..programs.running_modules import MODULE
from ..programs.signatures import cut_label

if TYPE_CHECKING:
    from ..context import Call
    from ..optimization.optimizer_runs import Role

__all__ = ["NOWHERE", "Origin", "origin_of"]


class Origin(NamedTuple):
    """Each is ``None`` where a call has none of it."""

    program: str | None = None
    """Name of the outermost module."""
    prompt: str | None = None
    """Name of the prompt, of a call that a predictor makes through an adapter."""
    role: Role | None = None


NOWHERE = Origin()


def origin_of(call: Call) -> Origin:
    """Return where a call comes from."""
    kept = call.kept
    module = kept.get(MODULE)
    role = role_of(call) if OPTIMIZER in kept else None
    if module is None:
        return NOWHERE if role is None else Origin(role=role)
    if kept.get(ADAPTER_NAME) is None:
        return Origin(program_name(module), None, role)
    module_class = module.module_class
    prompt = prompt_name(module) if module_class.is_predictor else None
    if prompt is not None and module.caller is None and module_class.is_own:
        # A predictor that is called bare: both are its signature.
        return Origin(cut_label(prompt), prompt, role)
    return Origin(program_name(module), prompt, role)
