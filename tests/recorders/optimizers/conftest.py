"""Fixtures of the optimizers' tests: the scripted model behind the server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from scripted_task import answer

if TYPE_CHECKING:
    import dspy
    from model_server import ModelServer


@pytest.fixture
def scripted_lm(lm: dspy.LM, model_server: ModelServer) -> dspy.LM:
    """A model whose answers depend on the prompt alone."""
    model_server.reply = answer
    return lm
