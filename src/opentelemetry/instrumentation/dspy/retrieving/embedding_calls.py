"""One call of an embedder: what DSPy did for it, and what the replies of a hosted model told."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

from ..encodable import encodable
from ..language_models.providers import ModelIdentity
from ..language_models.reply_values import count_of, member, name_of

__all__ = ["EmbeddingCall", "identify_function"]

OWN_PROVIDER = "custom"
"""``gen_ai.provider.name`` of a function that the application's own program has."""


@dataclass(slots=True)
class EmbeddingCall:
    """One call of an embedder under way; DSPy's own functions tell of its batches here."""

    computed: int = 0
    """Batches that DSPy's cache did not have."""
    _told: int = 0
    _input_tokens: int = 0
    response_model: str | None = None

    def note_reply(self, reply: Any) -> None:
        """Take note of the reply of a hosted model to one batch; DSPy keeps nothing of it but the vectors."""
        self.response_model = name_of(member(reply, "model")) or self.response_model
        tokens = count_of(member(member(reply, "usage"), "prompt_tokens"))
        # LiteLLM puts a zero where the reply told nothing.
        if tokens:
            self._told += 1
            self._input_tokens += tokens

    @property
    def input_tokens(self) -> int | None:
        """Tokens of all batches that were computed, ``None`` where none was or a reply did not tell."""
        return self._input_tokens if self.computed and self._told == self.computed else None


def identify_function(model: Any) -> ModelIdentity:
    """Return what an embedding function is called and which package it comes from.

    A method is named by the model that its object says it holds (``SentenceTransformer("…").encode``), since the name
    of the method is the same for all of them.
    """
    while isinstance(model, partial):
        model = model.func
    holder = member(model, "__self__")
    name = member(model, "__name__")
    if not isinstance(name, str):
        holder, name = model, None
    module = member(model if holder is None else type(holder), "__module__")
    package = module.partition(".")[0] if isinstance(module, str) and module else "__main__"
    parts = (None if holder is None else type(holder).__name__, name)
    own = None if holder is None or isinstance(holder, type) else _model_of(holder)
    return ModelIdentity(
        OWN_PROVIDER if package == "__main__" else package,
        own or encodable(".".join(part for part in parts if part is not None)),
    )


_MODEL_NAMES = (
    "model_name",
    "model_id",
    "model_name_or_path",
    "name_or_path",
    "model",
    "model_card_data",
    "model_card",
    "base_model",
    "embedding_model",
    "repo_id",
)
"""Where objects that embed keep the name of their model, or an object that does."""

MAX_NAME_LENGTH = 200
"""Characters of a model's name; a text that is longer is something else."""


def _model_of(holder: Any, *, depth: int = 2) -> str | None:
    for name in _MODEL_NAMES:
        found = member(holder, name)
        if isinstance(found, str) and found and len(found) <= MAX_NAME_LENGTH:
            return encodable(found)
        if found is not None and depth > 1 and not callable(found):
            inner = _model_of(found, depth=depth - 1) or name_of(member(found, "name"))
            if inner is not None and len(inner) <= MAX_NAME_LENGTH:
                return inner
    return None
