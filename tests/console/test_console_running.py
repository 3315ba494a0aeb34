"""The line that tells of a call while it runs, in a real pseudo-terminal, as a person sees it."""

from __future__ import annotations

import io
import os
import re
import threading
from typing import TYPE_CHECKING, Any

import dspy
import pytest

pytest.importorskip("pty", reason="needs pseudo-terminals")

from held_model import HeldModel
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from terminal import Terminal
from tqdm import tqdm

from opentelemetry.instrumentation.dspy.console import DSPyConsoleSpanExporter
from opentelemetry.instrumentation.dspy.console.status_line import live_terminal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from conftest import StartTelemetry
    from screen import Screen

SHOWN = re.compile(r"invoke_workflow Asker \d+ s\b")


class Asker(dspy.Module):
    """Asks a model, and does what a test wants then."""

    def __init__(self, then: Callable[[Asker], Any] = lambda asker: None) -> None:
        super().__init__()
        self.ask = dspy.Predict("question -> answer")
        self._then = then

    def forward(self, question: str) -> dspy.Prediction:
        answer = self.ask(question=question)
        self._then(self)
        return answer


@pytest.fixture
def model() -> Iterator[HeldModel]:
    with HeldModel() as server:
        dspy.configure(lm=dspy.LM("openai/gpt-4o-mini", api_base=server.url, api_key="test-key", cache=False))
        yield server
        server.answer(100)


@pytest.fixture
def environment_of_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CI", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in (("TERM", "xterm"), ("NO_COLOR", "1"), ("COLUMNS", "80"), ("LINES", "24")):
        monkeypatch.setenv(name, value)


@pytest.fixture
def terminal(environment_of_terminals: None) -> Iterator[Terminal]:
    with Terminal() as terminal:
        yield terminal


@pytest.fixture
def exporter(terminal: Terminal, start_telemetry: StartTelemetry) -> Iterator[DSPyConsoleSpanExporter]:
    """The exporter on the terminal, there before DSPy is instrumented as under `opentelemetry-instrument`."""
    exporter = DSPyConsoleSpanExporter(out=terminal.out)
    start_telemetry().tracer_provider.add_span_processor(SimpleSpanProcessor(exporter))
    yield exporter
    exporter.shutdown()


@pytest.fixture
def start(exporter: DSPyConsoleSpanExporter) -> Iterator[Callable[..., threading.Thread]]:
    """Run programs in threads, which the end of a test waits for."""
    threads: list[threading.Thread] = []

    def in_thread(program: Callable[[], Any]) -> threading.Thread:
        threads.append(threading.Thread(target=program))
        threads[-1].start()
        return threads[-1]

    yield in_thread
    for thread in threads:
        thread.join()


def is_shown(screen: Screen) -> bool:
    return bool(screen.lines) and SHOWN.match(screen.lines[-1]) is not None


def drawing_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "dspy_console"]


def test_a_long_call_is_told_while_it_runs_and_its_line_goes_before_the_tree_comes(
    model: HeldModel, terminal: Terminal, start: Any
) -> None:
    program = start(lambda: print(Asker()(question="Where?").answer, file=terminal.out))
    terminal.until(is_shown)
    # Two rows below the program's cursor, so that nothing of the program meets it.
    assert re.fullmatch(r"invoke_workflow Asker \d s · chat gpt-4o-mini \d s", terminal.screen.lines[-1])
    assert terminal.screen.lines[:-1] == ["", ""]
    assert (terminal.screen.row, terminal.screen.column) == (0, 0)
    model.answer()
    program.join()
    lines = terminal.all()
    assert SHOWN.search("\n".join(lines)) is None
    assert lines[0].startswith("invoke_workflow Asker  ")
    assert lines[3].startswith("total · 1 LM call")
    assert lines[-1] == "answer 1"


def test_what_the_program_prints_meanwhile_stands_as_it_would_without(
    model: HeldModel, terminal: Terminal, start: Any
) -> None:
    def then(asker: Asker) -> None:
        print("no line end", end="", file=terminal.out)
        asker.ask(question="again")
        print(" and the rest", file=terminal.out)
        print("50 %", end="\r", file=terminal.out)
        asker.ask(question="once more")
        terminal.out.writelines(["100 %", "\n"])

    program = start(lambda: Asker(then)(question="Where?"))
    model.answer()
    terminal.until(lambda screen: is_shown(screen) and "1 LM call" in screen.lines[-1])
    assert terminal.screen.lines[0] == "no line end"
    assert re.search(r" · 1 LM call · \$0\.0000\d+$", terminal.screen.lines[-1])
    model.answer()
    terminal.until(lambda screen: is_shown(screen) and "2 LM calls" in screen.lines[-1])
    assert terminal.screen.lines[:2] == ["no line end and the rest", "50 %"]
    model.answer()
    program.join()
    lines = terminal.all()
    assert lines[:2] == ["no line end and the rest", "100 %"]
    assert lines[2].startswith("invoke_workflow Asker  ")


def test_at_the_bottom_of_the_screen_nothing_is_lost(model: HeldModel, terminal: Terminal, start: Any) -> None:
    for number in range(40):
        print(number, file=terminal.out)
    program = start(lambda: Asker()(question="Where?"))
    terminal.until(is_shown)
    model.answer()
    program.join()
    lines = terminal.all()
    assert lines[:40] == [*map(str, range(40))]
    assert lines[40].startswith("invoke_workflow Asker  ")


def test_calls_side_by_side_are_counted_and_the_line_stays_until_the_last_has_ended(
    model: HeldModel, terminal: Terminal, start: Any
) -> None:
    programs = [start(lambda: Asker()(question="Where?")) for _ in range(3)]
    terminal.until(lambda screen: is_shown(screen) and screen.lines[-1].endswith(" · 2 calls beside it"))
    model.answer()
    terminal.until(lambda screen: is_shown(screen) and screen.lines[-1].endswith(" · 1 call beside it"))
    assert len([line for line in terminal.screen.lines if line.startswith("total · 1 LM call")]) == 1
    model.answer(2)
    for program in programs:
        program.join()
    lines = terminal.all()
    assert SHOWN.search("\n".join(lines)) is None
    assert len([line for line in lines if line.startswith("total · 1 LM call")]) == 3


def test_an_evaluation_tells_how_many_examples_are_done(model: HeldModel, terminal: Terminal, start: Any) -> None:
    devset = [dspy.Example(question=str(number)).with_inputs("question") for number in range(3)]
    evaluate = dspy.Evaluate(devset=devset, metric=lambda *arguments: True, num_threads=1)
    model.answer(2)
    program = start(lambda: evaluate(Asker()))
    terminal.until(lambda screen: bool(screen.lines) and " · 2 examples done · " in screen.lines[-1])
    # What runs inside has no room beside the figures.
    whole = r"evaluate <lambda> \d+ s · 2 examples done · \$0\.0000\d+ · about \$0\.0000\d+ in all"
    shown = terminal.screen.lines[-1]
    model.answer()
    program.join()
    assert re.fullmatch(whole, shown), shown


def test_the_line_makes_way_for_a_progress_bar(model: HeldModel, terminal: Terminal, start: Any) -> None:
    program = start(lambda: Asker()(question="Where?"))
    terminal.until(is_shown)
    with tqdm(total=2, file=terminal.out, ascii=True, ncols=40):
        terminal.until(lambda screen: "0/2" in "".join(screen.lines) and not is_shown(screen))
        drawn = terminal.written.count("\x1b7")
        model.answer()
        program.join()
    assert terminal.all()
    # It was taken away, and not drawn again.
    assert terminal.written.count("\x1b7") == drawn


def test_the_thread_ends_when_nothing_runs_and_the_stream_is_as_it_was(
    model: HeldModel, terminal: Terminal, start: Any
) -> None:
    write = terminal.out.write
    program = start(lambda: Asker()(question="Where?"))
    terminal.until(is_shown)
    [thread] = drawing_threads()
    assert terminal.out.write != write
    model.answer()
    program.join()
    thread.join(timeout=110)
    assert drawing_threads() == []
    assert vars(terminal.out).get("write") is None
    assert terminal.out.write == write


def test_a_shutdown_takes_the_line_and_the_thread_away(
    model: HeldModel, terminal: Terminal, exporter: DSPyConsoleSpanExporter, start: Any
) -> None:
    start(lambda: Asker()(question="Where?"))
    terminal.until(is_shown)
    exporter._live.close()  # type: ignore[union-attr]
    assert drawing_threads() == []
    terminal.until(lambda screen: screen.lines == [])
    assert vars(terminal.out).get("write") is None
    model.answer()


@pytest.mark.usefixtures("environment_of_terminals")
def test_a_terminal_of_pythons_own_is_drawn_on(terminal: Terminal) -> None:
    assert live_terminal(terminal.out) is terminal.out


@pytest.mark.parametrize("variable", [("CI", "true"), ("TERM", "dumb")], ids=lambda variable: variable[0])
def test_nothing_comes_and_goes_where_nobody_looks(
    variable: tuple[str, str], terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(*variable)
    assert live_terminal(terminal.out) is None


def test_a_stream_that_is_no_terminal_is_never_drawn_on(terminal: Terminal, tmp_path: Any) -> None:
    class Proxy:
        """What rich, colorama and notebooks put in place of a stream."""

        def __getattr__(self, name: str) -> Any:
            return getattr(terminal.out, name)

    read, write = os.pipe()
    with open(tmp_path / "file", "w") as file, os.fdopen(write, "w") as pipe, os.fdopen(read):
        assert [live_terminal(each) for each in (file, pipe, io.StringIO(), Proxy(), None)] == [None] * 5
    terminal.out.close()
    assert live_terminal(terminal.out) is None


def test_a_console_that_is_no_terminal_adds_nothing_to_the_provider(start_telemetry: StartTelemetry) -> None:
    exporter = DSPyConsoleSpanExporter(out=io.StringIO())
    recorded = start_telemetry()
    assert recorded.tracer_provider._active_span_processor._span_processors == (recorded.collector,)
    assert exporter._live is None
