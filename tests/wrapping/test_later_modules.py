"""A module that not every program imports is looked at when it is imported, and not before."""

from __future__ import annotations

import importlib
import logging
import sys
from typing import TYPE_CHECKING, Any

import pytest

from opentelemetry.instrumentation.dspy.wrapping.patching import Patcher
from opentelemetry.instrumentation.dspy.wrapping.places import Seam

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from opentelemetry.instrumentation.dspy.context import Call

SOURCE = """
class Client:
    def send(self, text):
        return f"sent {text}"


def make():
    return Client()
"""


class Calls:
    """A recorder that writes down what is called."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def begin(self, call: Call) -> None:
        self.names.append(call.attribute)


@pytest.fixture
def name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[str]:
    """The name of a module that can be imported and is not."""
    module = f"later_{abs(hash(request.node.name))}"
    (tmp_path / f"{module}.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(tmp_path)
    yield module
    sys.modules.pop(module, None)


def applied(name: str, calls: Calls, *more: Seam) -> Patcher:
    patcher = Patcher()
    patcher.apply([])
    patcher.apply_later([Seam(name, "Client", "send", calls), Seam(name, None, "make", calls), *more])
    return patcher


def test_what_is_imported_later_is_recorded_and_put_back(name: str) -> None:
    calls = Calls()
    patcher = applied(name, calls)
    assert name not in sys.modules
    module: Any = importlib.import_module(name)
    assert module.make().send("a") == "sent a"
    assert calls.names == ["make", "send"]
    patcher.remove()
    assert module.make().send("b") == "sent b"
    assert calls.names == ["make", "send"]
    assert type(vars(module)["make"]) is type(vars(module.Client)["send"]) is type(lambda: None)


def test_what_is_imported_already_is_recorded_at_once(name: str) -> None:
    module: Any = importlib.import_module(name)
    calls = Calls()
    patcher = applied(name, calls)
    module.make().send("a")
    patcher.remove()
    assert calls.names == ["make", "send"]


def test_what_is_imported_after_the_end_is_left_alone(name: str) -> None:
    calls = Calls()
    applied(name, calls).remove()
    module: Any = importlib.import_module(name)
    module.make().send("a")
    assert calls.names == []
    assert type(vars(module)["make"]) is type(lambda: None)


@pytest.mark.complaints
def test_what_a_module_should_have_and_has_not_is_told(name: str, caplog: pytest.LogCaptureFixture) -> None:
    calls = Calls()
    patcher = applied(
        name,
        calls,
        Seam(name, "Client", "post", calls),
        Seam(name, "Server", "send", calls),
        Seam(name, "Client", "put", calls, optional=True),
    )
    importlib.import_module(name)
    patcher.remove()
    told = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert told == [
        f"{name} has no Client.post: what it does is not seen.",
        f"{name} has no Server.send: what it does is not seen.",
    ]
