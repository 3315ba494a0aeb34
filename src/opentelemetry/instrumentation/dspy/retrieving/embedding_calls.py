"""One call of an embedder: what DSPy did for it, and what the replies of a hosted model told."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

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
    """Return what an embedding function is called and which package it comes from."""
    while isinstance(model, partial):
        model = model.func
    holder = getattr(model, "__self__", None)
    name = getattr(model, "__name__", None)
    if not isinstance(name, str):
        holder, name = model, None
    module = getattr(model if holder is None else type(holder), "__module__", None) or "__main__"
    package = str(module).partition(".")[0]
    parts = (None if holder is None else type(holder).__name__, name)
    return ModelIdentity(
        OWN_PROVIDER if package == "__main__" else package, ".".join(part for part in parts if part is not None)
    )
