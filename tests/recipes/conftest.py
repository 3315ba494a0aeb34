"""A backend and a folder for each recipe, and one recipe's program run in the process of the test."""

from __future__ import annotations

import runpy
from typing import TYPE_CHECKING, Any

import pytest
from otlp_receiver import OtlpReceiver

from recipes.running import RECIPES, environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from model_server import ModelServer


@pytest.fixture
def receiver() -> Iterator[OtlpReceiver]:
    """A backend behind OTLP over HTTP."""
    with OtlpReceiver() as receiver:
        yield receiver
        assert receiver.refusals == []


@pytest.fixture
def settings(model_server: ModelServer, receiver: OtlpReceiver, tmp_path: Path) -> dict[str, str]:
    """The environment of a program that asks the model server and sends to the receiver."""
    return environment(model_server, receiver, tmp_path)


@pytest.fixture
def run_here(model_server: ModelServer, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], dict[str, Any]]:
    """Run a recipe's program as ``__main__`` in this process, instrumented as the test has it; returns its names."""
    monkeypatch.setenv("MODEL_URL", model_server.url)
    monkeypatch.setenv("OPENAI_API_KEY", "test-key")
    return lambda name: runpy.run_path(str(RECIPES / f"{name}.py"), run_name="__main__")
