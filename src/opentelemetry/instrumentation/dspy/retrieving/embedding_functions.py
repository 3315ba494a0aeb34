"""What an embedding function of the application's is called: by the model that it uses, else by its own name."""

from __future__ import annotations

from functools import partial
from inspect import getattr_static, ismodule, isroutine
from pathlib import PurePath
from types import MemberDescriptorType
from typing import Any

from ..encodable import encodable
from ..language_models.providers import ModelIdentity
from ..language_models.reply_values import items_of, member

__all__ = ["identify_function"]

OWN_PROVIDER = "custom"
"""``gen_ai.provider.name`` of a function that the application's own program has."""


def identify_function(model: Any) -> ModelIdentity:
    """Return what an embedding function is called and which package it comes from.

    A method is named by the model that its object says it holds (``SentenceTransformer("…").encode``), since the name
    of the method is the same for all of them. So is a nameless function by the one object in its reach that embeds.
    """
    bound: str | None = None
    while isinstance(model, partial):
        bound = bound or _model_of(model.keywords)
        model = model.func
    holder = member(model, "__self__")
    name = member(model, "__name__")
    if not isinstance(name, str):
        holder, name = model, None
    elif name == "<lambda>":
        holder = _used_by(model)
    if ismodule(holder):  # that of a function written in C
        holder = None
    is_object = holder is not None and not isinstance(holder, type)
    own = bound or (_model_of(holder) if is_object else None)
    module = member(type(holder) if is_object else holder or model, "__module__")
    package = module.partition(".")[0] if isinstance(module, str) and module else "__main__"
    owner = member(type(holder) if is_object else holder, "__name__")
    parts = [part for part in (owner, name) if isinstance(part, str)]
    return ModelIdentity(
        OWN_PROVIDER if package in ("__main__", "builtins") else package,
        own or encodable(".".join(parts))[:MAX_NAME_LENGTH],
    )


_MODEL_NAMES = (
    *("model_name", "model_id", "model_name_or_path", "name_or_path", "model", "model_card_data", "model_card"),
    *("_model_card_vars", "base_model", "base_model_name", "embedding_model", "embedding_model_name", "repo_id"),
    *("_model_name", "_model_id", "_model_name_or_path", "model_path", "auto_model", "_model", "encoder", "config"),
    *("deployment", "engine", "name"),
)
"""Where objects that embed keep the name of their model, or an object that does, the surest first."""

MAX_NAME_LENGTH = 200
"""Characters of a model's name; a text that is longer is something else."""


def _model_of(holder: Any, *, depth: int = 2) -> str | None:
    for name in _MODEL_NAMES:
        found = _kept(holder, name)
        if isinstance(found, PurePath):
            found = str(found)
        if isinstance(found, str):
            if found and len(found) <= MAX_NAME_LENGTH:
                return encodable(found)
        elif found is not None and depth > 1 and not isinstance(found, type) and not isroutine(found):
            inner = _model_of(found, depth=depth - 1)
            if inner is not None:
                return inner
    return None


def _kept(holder: Any, name: str) -> Any:
    """Return what an object keeps under a name, without running code of its own: a property may load a model."""
    own = holder if isinstance(holder, dict) else member(holder, "__dict__")
    if isinstance(own, dict) and name in own:
        return own[name]
    shared = getattr_static(type(holder), name, None)
    if isinstance(shared, MemberDescriptorType):  # of a class with slots
        return member(holder, name)
    return shared if isinstance(shared, (str, PurePath)) else None


def _used_by(function: Any) -> Any:
    """Return the object that a nameless function embeds with, ``None`` if it uses several or none that is known."""
    cells = (member(cell, "cell_contents") for cell in items_of(member(function, "__closure__")))
    own, names = member(function, "__globals__"), items_of(member(member(function, "__code__"), "co_names"))
    known = [*cells, *((own.get(name) for name in names) if isinstance(own, dict) else ())]
    used = [value for value in known if not isinstance(value, (str, type)) and not _is_library(value)]
    named = [value for value in used if _model_of(value) is not None]
    return named[0] if len(named) == 1 else None


def _is_library(value: Any) -> bool:
    return value is None or isroutine(value) or ismodule(value)
