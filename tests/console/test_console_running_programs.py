"""The line of a running call beside what else a program does with its terminal, under `opentelemetry-instrument`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("pty", reason="needs pseudo-terminals")

from held_model import HeldModel
from terminal import ProgramInTerminal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from screen import Screen

START = """
import logging
import os
import sys
import threading

import dspy

dspy.configure(lm=dspy.LM("openai/gpt-4o-mini", api_base=os.environ["MODEL_URL"], api_key="a-key", cache=False))


def drawing_threads():
    return [thread.name for thread in threading.enumerate() if thread.name == "dspy_console"]


class Asker(dspy.Module):
    def __init__(self):
        super().__init__()
        self.ask = dspy.Predict("question -> answer")

"""
SHOWN = re.compile(r"invoke_workflow Asker \d+ s\b")


@pytest.fixture
def model() -> Iterator[HeldModel]:
    with HeldModel() as server:
        yield server
        server.answer(100)


@pytest.fixture
def run(model: HeldModel, tmp_path: Path) -> Callable[[str], ProgramInTerminal]:
    """Start the rest of a program in a terminal."""

    def start(rest: str) -> ProgramInTerminal:
        program = tmp_path / "program.py"
        program.write_text(START + rest)
        # The handler of that instrumentation would take the records that are to stand on the terminal.
        without = {
            "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "logging",
            # From 3.12 on Python warns of a fork beside other threads, as that of the console.
            "PYTHONWARNINGS": "ignore:This process:DeprecationWarning",
        }
        return ProgramInTerminal(program, MODEL_URL=model.url, **without)

    return start


def is_shown(screen: Screen) -> bool:
    return bool(screen.lines) and SHOWN.match(screen.lines[-1]) is not None


BUSY = """
    def forward(self, question):
        self.ask(question=question)
        name = input("Your name? ")
        print("Hello", name)
        logging.warning("a record")
        print("to standard error", file=sys.stderr)
        self.ask(question="again")
        os.system("echo a child process")
        print("parent", drawing_threads(), "write" in vars(sys.stdout), flush=True)
        if os.fork() == 0:
            print("child", drawing_threads(), "write" in vars(sys.stdout), flush=True)
            os._exit(0)
        os.wait()
        return self.ask(question="once more")


print(Asker()(question="Where?").answer)
"""


def test_questions_to_the_user_records_and_children_stand_as_they_would_without(
    model: HeldModel, run: Callable[[str], ProgramInTerminal]
) -> None:
    with run(BUSY) as terminal:
        terminal.until(is_shown)
        model.answer()
        terminal.until(lambda screen: is_shown(screen) and screen.lines[0] == "Your name?")
        terminal.type("Ada\n")
        terminal.until(lambda screen: is_shown(screen) and "to standard error" in screen.lines)
        model.answer(2)
        lines = terminal.all()
    assert SHOWN.search("\n".join(lines)) is None
    assert lines[:8] == [
        "Your name? Ada",
        "Hello Ada",
        "WARNING:root:a record",
        "to standard error",
        "a child process",
        "parent ['dspy_console'] True",
        "child [] False",
        "answer 3",
    ]
    assert lines[8].startswith("invoke_workflow Asker  ")
    assert terminal.process.returncode == 0


INTERRUPTED = """
    def forward(self, question):
        return self.ask(question=question)


Asker()(question="Where?")
"""


def test_an_interrupt_ends_the_line_and_the_program_as_ever(run: Callable[[str], ProgramInTerminal]) -> None:
    with run(INTERRUPTED) as terminal:
        terminal.until(is_shown)
        terminal.type("\x03")
        lines = terminal.all()
        assert terminal.process.returncode != 0
    assert SHOWN.search("\n".join(lines)) is None
    assert "KeyboardInterrupt" in lines
    assert any("✗ KeyboardInterrupt" in line for line in lines)


ENDING = """
    def forward(self, question):
        return self.ask(question=question)


threading.Thread(target=lambda: Asker()(question="Where?"), daemon=True).start()
input()
print("end")
"""


def test_a_program_that_ends_in_the_middle_of_a_call_leaves_no_line(run: Callable[[str], ProgramInTerminal]) -> None:
    with run(ENDING) as terminal:
        terminal.until(is_shown)
        terminal.type("\n")
        lines = terminal.all()
        assert terminal.process.returncode == 0
    assert SHOWN.search("\n".join(lines)) is None
    assert "end" in lines
    assert "Fatal" not in terminal.written
