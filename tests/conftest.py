"""Fixtures of all tests: instrumented DSPy with telemetry in memory, a model server, and fresh DSPy for each test.

The tests of other DSPy versions use this file too, so it asks DSPy for nothing that some version lacks.
"""

from __future__ import annotations

import contextlib
import copy
import logging
import os
import sys
import tempfile
from typing import TYPE_CHECKING, Any, Protocol

# Both before DSPy and LiteLLM are imported: prices come from the packaged table, not over the network, and nothing is
# read from or written to the cache in the home directory of whoever runs the tests.
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
os.environ["DSPY_CACHEDIR"] = tempfile.mkdtemp(prefix="dspy-cache-")

import pytest
from generator.emitted import Emitted
from model_server import ModelServer
from opentelemetry.trace import INVALID_SPAN, get_current_span
from parameter_names import ADDRESS
from recorded import Recorded

from opentelemetry.instrumentation.dspy import DSPyInstrumentor
from opentelemetry.instrumentation.dspy.context import NO_CALL, current_call

if TYPE_CHECKING:
    from collections.abc import Iterator

    import dspy
    from opentelemetry.sdk.trace.sampling import Sampler

SETTINGS_MODULE = "dspy.dsp.utils.settings"
CAPTURE = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"


class StartTelemetry(Protocol):
    """Instruments DSPy, with whatever a test needs other than the defaults."""

    def __call__(self, *, capture: str = "", sampler: Sampler | None = None, **options: Any) -> Recorded: ...


WRITE_EMITTED = pytest.StashKey[Emitted]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the reference of all names learn new ones."""
    parser.addoption(
        "--write-emitted", action="store_true", help="add what the tests emit to docs/generator/emitted.json"
    )


def pytest_unconfigure(config: pytest.Config) -> None:
    """Keep what the tests emitted, where that was asked for."""
    if WRITE_EMITTED in config.stash:
        config.stash[WRITE_EMITTED].write()


def pytest_configure(config: pytest.Config) -> None:
    """Make the marks of these tests known; generated examples may take their time on a busy machine."""
    config.addinivalue_line("markers", "complaints: the test makes the instrumentation log warnings")
    if config.getoption("--write-emitted"):
        if config.getoption("numprocesses", None):
            raise pytest.UsageError("--write-emitted is for one process: of two workers the last one wins")
        config.stash[WRITE_EMITTED] = Emitted.read()
    with contextlib.suppress(ImportError):
        from hypothesis import settings

        settings.register_profile("tests", deadline=None, max_examples=50)
        settings.load_profile("tests")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse names that hold the address of an object: in another process it has another one (pytest-xdist)."""
    moving = [item.nodeid for item in items if ADDRESS.search(item.nodeid)]
    if moving:
        raise pytest.UsageError(f"give ids=name_of_value to the parameters of {moving}")


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings of whoever runs the tests."""
    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def fresh_dspy() -> Iterator[None]:
    """No setting, cached reply or history of one test reaches another."""
    _reset_dspy()
    yield
    _reset_dspy()


@pytest.fixture(autouse=True)
def no_complaints(request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """The instrumentation has nothing to complain about, unless the test is there to make it complain."""
    yield
    if request.node.get_closest_marker("complaints") is not None:
        return
    complaints = [
        record.getMessage()
        for when in ("setup", "call")
        for record in caplog.get_records(when)
        if record.name.startswith("opentelemetry") and record.levelno >= logging.WARNING
    ]
    assert complaints == []


@pytest.fixture(scope="session")
def known_names() -> Emitted:
    """All that programs are known to emit: what the reference explains."""
    return Emitted.read()


@pytest.fixture
def start_telemetry(
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest, known_names: Emitted
) -> Iterator[StartTelemetry]:
    """Instrument DSPy as a test wants it; afterwards no span is open, and DSPy is as it was."""
    started: list[Recorded] = []

    def start(*, capture: str = "", sampler: Sampler | None = None, **options: Any) -> Recorded:
        monkeypatch.setenv(CAPTURE, capture)
        recorded = Recorded(sampler)
        started.append(recorded)
        DSPyInstrumentor().instrument(**recorded.providers, **options)
        return recorded

    yield start
    if DSPyInstrumentor().is_instrumented_by_opentelemetry:
        DSPyInstrumentor().uninstrument()
    assert [span.name for recorded in started for span in recorded.collector.open] == []
    assert get_current_span() is INVALID_SPAN
    assert current_call() is NO_CALL
    fails = request.node.get_closest_marker("complaints") is not None
    for recorded in started:
        emitted = recorded.emitted()
        emitted.tells_always = not fails and recorded.sampler is None
        if WRITE_EMITTED in request.config.stash:
            request.config.stash[WRITE_EMITTED].add(emitted)
        else:
            assert emitted.missing_from(known_names) == [], "see docs/generator/emitted.py"


@pytest.fixture
def telemetry(start_telemetry: StartTelemetry) -> Recorded:
    """DSPy, instrumented with the defaults: all spans sampled, no content."""
    return start_telemetry()


@pytest.fixture
def model_server() -> Iterator[ModelServer]:
    """A model behind HTTP on loopback; see ``model_server.ModelServer``."""
    with ModelServer() as server:
        yield server


@pytest.fixture
def lm(model_server: ModelServer) -> dspy.LM:
    """The model server as DSPy's language model, without DSPy's cache."""
    import dspy

    language_model = dspy.LM("openai/gpt-4o-mini", api_base=model_server.url, api_key="test-key", cache=False)
    dspy.configure(lm=language_model)
    return language_model


@pytest.fixture
def cached_lm(model_server: ModelServer) -> dspy.LM:
    """The model server as DSPy's language model, with DSPy's cache in memory."""
    import dspy

    language_model = dspy.LM("openai/gpt-4o-mini", api_base=model_server.url, api_key="test-key")
    dspy.configure(lm=language_model)
    return language_model


def _reset_dspy() -> None:
    settings = sys.modules.get(SETTINGS_MODULE)
    if settings is None:
        return
    import dspy
    from dspy.clients.base_lm import GLOBAL_HISTORY

    state = vars(settings)
    state["main_thread_config"].clear()
    state["main_thread_config"].update(copy.deepcopy(state["DEFAULT_CONFIG"]))
    # The first thread and task to configure own the settings; that is each test's own.
    state["config_owner_thread_id"] = None
    state["config_owner_async_task"] = None
    overrides = state["thread_local_overrides"]
    if hasattr(overrides, "overrides"):
        # DSPy 2.6 keeps them for the thread: tasks that ran in turns leave those of one to the thread for ever.
        overrides.overrides = type(overrides.overrides)()
    dspy.configure_cache(enable_disk_cache=False, enable_memory_cache=True)
    GLOBAL_HISTORY.clear()
