"""In a real Jupyter kernel each trace stands below the cell that it belongs to, once, as soon as it has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from notebook_kernel import Kernel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from model_server import ModelServer

LOAD = "%load_ext opentelemetry.instrumentation.dspy"
PROGRAM = """
import asyncio, contextlib, io, sys, threading
import dspy
from opentelemetry import trace
from opentelemetry.instrumentation.dspy import DSPyInstrumentor, show_trace

class Named(dspy.Module):
    "A program that ends when it may."
    def __init__(self, may_end=None):
        super().__init__()
        self.began, self.may_end = threading.Event(), may_end
    def forward(self, name):
        self.began.set()
        if self.may_end is not None:
            assert self.may_end.wait(60)
        if name == "wrong":
            raise ValueError("no such name")
        return dspy.Prediction(name=name)
    async def aforward(self, name):
        self.began.set()
        while self.may_end is not None and not self.may_end.is_set():
            await asyncio.sleep(0)
        return dspy.Prediction(name=name)
"""
TREE = "invoke_workflow Named "


@pytest.fixture(scope="module")
def kernel() -> Iterator[Kernel]:
    """A kernel with the program, where traces are shown by one line."""
    with Kernel() as running:
        loaded, defined = running.run(LOAD), running.run(PROGRAM)
        assert (loaded.messages, defined.messages) == ([], [])
        yield running


@pytest.fixture
def bare_kernel() -> Iterator[Kernel]:
    """A kernel of its own with the program, and nothing else."""
    with Kernel() as running:
        running.run(PROGRAM)
        yield running


def test_a_tree_stands_below_its_cell_where_the_program_was_called(kernel: Kernel) -> None:
    cell = kernel.run("print('before')\nprediction = Named()(name='a')\nprint('after')\nprediction.name")
    assert cell.kinds == ["stream", "display_data", "stream", "execute_result"]
    [tree] = cell.trees
    assert tree.startswith(TREE)
    assert tree.splitlines()[-1].startswith("total · ")
    assert cell.stream() == "before\nafter\n"
    assert cell.stream("stderr") == ""


def test_each_call_has_a_tree(kernel: Kernel) -> None:
    assert len(kernel.run("for name in 'abc': Named()(name=name)").trees) == 3


def test_a_cell_without_a_call_has_none(kernel: Kernel) -> None:
    assert kernel.run("1 + 1").kinds == ["execute_result"]


def test_an_async_cell_has_its_tree(kernel: Kernel) -> None:
    assert len(kernel.run("await asyncio.gather(*[Named().acall(name=name) for name in 'ab'])").trees) == 2


def test_an_exception_is_told_in_the_tree_and_ends_the_cell(kernel: Kernel) -> None:
    cell = kernel.run("Named()(name='wrong')", raises="ValueError")
    assert cell.kinds == ["display_data", "error"]
    assert "✗ ValueError: no such name" in cell.trees[0]


def test_a_call_that_ends_in_a_later_cell_stands_below_the_one_that_began_it(kernel: Kernel) -> None:
    first = kernel.run(
        "may_end = threading.Event()\n"
        "slow = Named(may_end)\n"
        "thread = threading.Thread(target=slow, kwargs={'name': 'slow'})\n"
        "thread.start()\n"
        "assert slow.began.wait(60)"
    )
    second = kernel.run("Named()(name='fast'); may_end.set(); thread.join(60)")
    kernel.wait_for_outputs(first, 1)
    assert (len(first.trees), len(second.trees)) == (1, 1)
    assert first.trees[0].startswith(TREE)


def test_a_task_that_ends_in_a_later_cell_stands_below_the_one_that_began_it(kernel: Kernel) -> None:
    first = kernel.run(
        "may_end = threading.Event()\n"
        "slow = Named(may_end)\n"
        "task = asyncio.ensure_future(slow.acall(name='slow'))\n"
        "while not slow.began.is_set(): await asyncio.sleep(0)"
    )
    second = kernel.run("may_end.set(); await task; print('done')")
    kernel.wait_for_outputs(first, 1)
    assert first.trees[0].startswith(TREE)
    assert second.kinds == ["stream"]


def test_threads_of_dspy_belong_to_the_cell_that_called_it(kernel: Kernel) -> None:
    cell = kernel.run(
        "dspy.Parallel(num_threads=4, disable_progress_bar=True)([(Named(), {'name': name}) for name in 'abcd'])"
    )
    [tree] = cell.trees
    assert tree.count(TREE) == 4


def test_threads_of_the_program_s_own_belong_to_the_cell_that_runs(kernel: Kernel) -> None:
    cell = kernel.run(
        "from concurrent.futures import ThreadPoolExecutor\n"
        "with ThreadPoolExecutor(2) as pool: [*pool.map(lambda name: Named()(name=name), 'abcd')]"
    )
    kernel.wait_for_outputs(cell, 4)
    assert len(cell.trees) == 4


def test_capture_takes_the_tree(kernel: Kernel) -> None:
    assert kernel.run("%%capture captured\nprediction = Named()(name='a')").kinds == []
    cell = kernel.run("print(len(captured.outputs), 'invoke_workflow Named' in captured.outputs[0].data['text/html'])")
    assert cell.stream() == "1 True\n"


def test_standard_output_that_goes_elsewhere_takes_the_tree_as_text(kernel: Kernel) -> None:
    cell = kernel.run(
        "with contextlib.redirect_stdout(io.StringIO()) as out: Named()(name='a')\nprint(out.getvalue()[:22])"
    )
    assert (cell.kinds, cell.stream()) == (["stream"], f"{TREE}\n")


def test_a_forked_child_writes_the_tree_as_text(kernel: Kernel) -> None:
    cell = kernel.run(
        "import multiprocessing\n"
        "child = multiprocessing.get_context('fork').Process(target=Named(), kwargs={'name': 'a'})\n"
        "child.start(); child.join(60); child.exitcode"
    )
    kernel.wait_for_outputs(cell, 2)
    assert cell.trees == []
    assert TREE in cell.stream()


def test_a_span_name_with_html_in_it_is_text(kernel: Kernel) -> None:
    cell = kernel.run(
        "import types\n"
        "class Evil(dspy.Module):\n"
        "    def forward(self): raise ValueError('<script>alert(1)</script> & <b>')\n"
        "Evil.__name__ = '<img src=x onerror=alert(1)>'\n"
        "try: Evil()()\n"
        "except ValueError: pass"
    )
    [html], [text] = cell.html, cell.trees
    assert "<img" not in html
    assert "<script>" not in html
    assert "&lt;img src=x onerror=alert(1)&gt;" in html
    assert "<img src=x onerror=alert(1)>" in text


def test_show_trace_draws_a_trace_again_below_the_cell_that_asks(kernel: Kernel) -> None:
    first = kernel.run("shown = Named()(name='shown')")
    again = kernel.run("import copy\nshow_trace(copy.copy(shown))")
    assert again.kinds == ["display_data"]
    assert (again.html, again.trees) == (first.html, first.trees)


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ("dspy.Prediction(name='a')", "show_trace() does not know where this came from: no instrumented call"),
        ("'0af7651916cd43dd8448eb211c80319c'", "The trace 0af7651916cd43dd8448eb211c80319c is not among those"),
        ("None", "show_trace() does not know where this came from: no instrumented call"),
    ],
)
def test_show_trace_says_why_it_does_not_know_a_trace(kernel: Kernel, argument: str, words: str) -> None:
    cell = kernel.run(f"show_trace({argument})")
    assert cell.kinds == ["stream"]
    assert cell.stream().startswith(words)


def test_the_last_fifty_traces_are_kept(kernel: Kernel) -> None:
    kernel.run("predictions = [Named()(name=str(number)) for number in range(51)]")
    assert "is not among those that are kept" in kernel.run("show_trace(predictions[0])").stream()
    assert kernel.run("show_trace(predictions[1])").kinds == ["display_data"]


def test_loading_a_second_time_does_not_show_twice(kernel: Kernel) -> None:
    kernel.run(LOAD)
    kernel.run("%reload_ext opentelemetry.instrumentation.dspy")
    assert len(kernel.run("Named()(name='a')").trees) == 1


def test_what_a_model_cost_is_told(kernel: Kernel, model_server: ModelServer) -> None:
    cell = kernel.run(
        f"lm = dspy.LM('openai/gpt-4o-mini', api_base='{model_server.url}', api_key='test-key', cache=False)\n"
        "with dspy.context(lm=lm): dspy.Predict('question -> answer')(question='Where?')"
    )
    assert "total · 1 LM call · " in cell.trees[0]
    assert " tokens · $0.0000" in cell.trees[0]


def test_unloading_leaves_everything_as_it_was(bare_kernel: Kernel) -> None:
    kernel = bare_kernel
    kernel.run("provider = trace.get_tracer_provider()")
    kernel.run(LOAD)
    assert len(kernel.run("Named()(name='a')").trees) == 1
    kernel.run("%unload_ext opentelemetry.instrumentation.dspy")
    assert kernel.run("Named()(name='a')").trees == []
    state = "print(DSPyInstrumentor().is_instrumented_by_opentelemetry, trace.get_tracer_provider() is provider)"
    assert kernel.run(state).stream() == "False True\n"


def test_an_exporter_of_the_program_s_own_notices_the_notebook(bare_kernel: Kernel) -> None:
    kernel = bare_kernel
    setup = """
from opentelemetry.instrumentation.dspy.console import DSPyConsoleSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
provider = trace.get_tracer_provider()
if not isinstance(provider, TracerProvider):
    provider = TracerProvider()
    trace.set_tracer_provider(provider)
provider.add_span_processor({processor}(DSPyConsoleSpanExporter()))
DSPyInstrumentor().instrument()
"""
    kernel.run(setup.format(processor="BatchSpanProcessor"))
    cell = kernel.run("Named()(name='a')")
    kernel.run("provider.force_flush()")
    kernel.wait_for_outputs(cell, 1)
    assert len(cell.trees) == 1

    # Cells are run again and again: whatever is added once more, a tree stands there once.
    kernel.run(setup.format(processor="SimpleSpanProcessor"))
    kernel.run(setup.format(processor="SimpleSpanProcessor"))
    kernel.run(LOAD)
    cell = kernel.run("with trace.get_tracer('mine').start_as_current_span('<mine>'): Named()(name='a')")
    flushed = kernel.run("provider.force_flush(); None")
    assert [tree.splitlines()[0][:7] for tree in cell.trees] == ["<mine> "]
    assert flushed.kinds == []

    kernel.run("%unload_ext opentelemetry.instrumentation.dspy")
    state = kernel.run("print(DSPyInstrumentor().is_instrumented_by_opentelemetry)")
    assert state.stream() == "True\n"


def test_a_program_that_was_instrumented_for_nobody_shows_its_traces(bare_kernel: Kernel) -> None:
    kernel = bare_kernel
    kernel.run("DSPyInstrumentor().instrument()")
    assert "Nobody keeps traces here." in kernel.run("show_trace(Named()(name='a'))").stream()
    kernel.run(LOAD)
    assert len(kernel.run("Named()(name='a')").trees) == 1
    kernel.run("%unload_ext opentelemetry.instrumentation.dspy")
    assert kernel.run("DSPyInstrumentor().is_instrumented_by_opentelemetry").kinds == ["execute_result"]
    assert kernel.run("Named()(name='a'); None").kinds == []


def test_a_notebook_in_which_nothing_is_shown_is_told_of_the_line_that_shows_it(bare_kernel: Kernel) -> None:
    bare_kernel.run("DSPyInstrumentor().instrument()")
    cell = bare_kernel.run("Named()(name='a'); None")
    assert cell.stream("stderr") == (
        "opentelemetry-instrumentation-dspy: no tracer provider is set, so that nothing of this program's DSPy calls "
        "is recorded. %load_ext opentelemetry.instrumentation.dspy shows each trace below its cell from then on.\n"
    )
    bare_kernel.run(LOAD)
    assert len(bare_kernel.run("Named()(name='a')").trees) == 1


def test_without_the_sdk_it_is_said_what_to_install() -> None:
    with Kernel() as kernel:
        kernel.run("import sys; sys.modules['opentelemetry.sdk'] = None")
        cell = kernel.run(LOAD, raises="ImportError")
    [error] = [message["content"] for message in cell.messages if message["msg_type"] == "error"]
    assert error["evalue"].endswith('not installed: %pip install "opentelemetry-instrumentation-dspy[notebook]"')
