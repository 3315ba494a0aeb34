"""What the stack of an exception holds: frames and source lines always, messages with content, secrets never."""

from __future__ import annotations

import argparse
import contextlib
import inspect
import io
import linecache
import os
import subprocess
import sys
import textwrap
import tokenize
from typing import TYPE_CHECKING, Any

import dspy
import pytest
from broken import stack_of, where_it_broke

from opentelemetry.instrumentation.dspy.config import STACK_TRACES
from opentelemetry.instrumentation.dspy.error_texts.source_lines import is_in_text
from opentelemetry.instrumentation.dspy.errors import ErrorTexts, Surroundings, message_of, stack_text_of

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import StartTelemetry
    from recorded import Recorded

KEY = "sk-proj-3fT9xQ7LmZ2vB8nK"


class Ordering(dspy.Module):
    """A program that quotes what it was given when it fails, twice."""

    def forward(self, name: str) -> None:
        try:
            self.look_up(name)
        except LookupError as error:
            problem = RuntimeError(f"no order of {name}")
            problem.__notes__ = [f"asked by {name}"]  # as add_note does, since Python 3.11
            raise problem from error

    def look_up(self, name: str) -> None:
        raise LookupError(f"nobody is called {name}, says {KEY}")


def order(telemetry: Recorded, name: str = "Wilhelmina Vance") -> str:
    with pytest.raises(RuntimeError):
        Ordering()(name=name)
    return stack_of(telemetry)


def test_while_content_is_off_there_is_no_message_of_any_exception(telemetry: Recorded) -> None:
    stack = order(telemetry)
    assert "Wilhelmina" not in telemetry.everything()
    lines = stack.splitlines()
    assert "LookupError" in lines
    assert lines[-1] == "RuntimeError"
    assert "    self.look_up(name)" in lines
    assert f'  File "{__file__}", line {Ordering.look_up.__code__.co_firstlineno + 1}, in look_up' in lines


def test_while_content_is_on_there_are_messages_and_notes_without_secrets(start_telemetry: StartTelemetry) -> None:
    stack = order(start_telemetry(capture="SPAN_ONLY"))
    assert "\nLookupError: nobody is called Wilhelmina Vance, says [secret]\n" in stack
    assert stack.endswith("\nRuntimeError: no order of Wilhelmina Vance\nasked by Wilhelmina Vance")
    assert KEY not in stack


def test_the_redaction_sees_the_whole_stack(start_telemetry: StartTelemetry) -> None:
    seen: list[tuple[str, str]] = []

    def hide(text: str, kind: str) -> str:
        seen.append((text, kind))
        return text.replace("Wilhelmina", "[name]")

    telemetry = start_telemetry(capture="SPAN_ONLY", redact=hide)
    stack = order(telemetry)
    assert stack.endswith("\nRuntimeError: no order of [name] Vance\nasked by [name] Vance")
    assert {kind for text, kind in seen if text.startswith("Traceback")} == {"error"}
    assert "Wilhelmina" not in str(where_it_broke(telemetry))


def test_values_that_stand_in_the_code_itself_are_not_in_its_lines(telemetry: Recorded) -> None:
    class Asking(dspy.Module):
        def forward(self) -> None:
            self.ask(question="Where does Ann live?", city="Ravenna")  # fmt: skip

        def ask(self, **inputs: Any) -> None:
            dspy.Tool(fail, name="fail")(**inputs)

    def fail(question: str, city: str) -> None:
        raise ValueError

    with pytest.raises(ValueError, match=r"^$"):
        Asking()()
    stack = stack_of(telemetry)
    assert "self.ask(question='…', city='…')" in stack
    assert 'dspy.Tool(fail, name="fail")(**inputs)' in stack


def test_code_that_stands_in_no_file_is_told_with_content_alone(start_telemetry: StartTelemetry) -> None:
    source = "def fail():\n    raise ValueError(1)  # what the model wrote\n"
    linecache.cache["<generated>"] = (len(source), None, source.splitlines(keepends=True), "<generated>")
    namespace: dict[str, Any] = {}
    exec(compile(source, "<generated>", "exec"), namespace)
    stacks = []
    for capture in ("", "SPAN_ONLY"):
        telemetry = start_telemetry(capture=capture)
        with pytest.raises(ValueError, match="1"):
            dspy.Tool(namespace["fail"])()
        stacks.append(stack_of(telemetry))
        from opentelemetry.instrumentation.dspy import DSPyInstrumentor

        DSPyInstrumentor().uninstrument()
    del linecache.cache["<generated>"]
    assert [line for stack in stacks for line in stack.splitlines() if "<generated>" in line] == [
        '  File "<generated>", line 2',
        '  File "<generated>", line 2, in fail',
    ]
    assert ["what the model wrote" in stack for stack in stacks] == [False, True]


@pytest.mark.parametrize(
    ("file_name", "told"),
    [
        ("<generated>", "<generated>"),
        ("<string>", "<string>"),
        ("<stdin>", "<stdin>"),
        ("<ipython-input-3-0123456789ab>", "<ipython-input-3-0123456789ab>"),
        ("<frozen importlib._bootstrap>", "<frozen importlib._bootstrap>"),
        ("<frozen Wilhelmina>", "<generated>"),
        ("<Wilhelmina has the flu>", "<generated>"),
        ("<ipython-input-3-Wilhelmina>", "<generated>"),
    ],
)
def test_names_of_code_that_stands_in_no_file_are_told_with_content_alone(
    start_telemetry: StartTelemetry, file_name: str, told: str
) -> None:
    namespace: dict[str, Any] = {}
    exec(compile("def treat_wilhelmina():\n    raise ValueError", file_name, "exec"), namespace)
    telemetry = start_telemetry()
    with pytest.raises(ValueError, match=r"^$"):
        dspy.Tool(namespace["treat_wilhelmina"], name="treat")()
    assert stack_of(telemetry).splitlines()[-2:] == [f'  File "{told}", line 2', "ValueError"]
    assert "wilhelmina" not in stack_of(telemetry).lower()
    assert f'  File "{file_name}", line 2, in treat_wilhelmina' in stack_with_content(namespace["treat_wilhelmina"])


def stack_with_content(fail: Any) -> str:
    try:
        fail()
    except ValueError as error:
        return ErrorTexts(with_content=lambda _: True).stack_of(error, Surroundings())
    return ""


def test_a_name_that_is_none_is_not_told(telemetry: Recorded) -> None:
    def fail() -> None:
        raise ValueError

    fail.__code__ = fail.__code__.replace(co_name="Wilhelmina has the flu")
    with pytest.raises(ValueError, match=r"^$"):
        dspy.Tool(fail, name="fail")()
    number = fail.__code__.co_firstlineno + 1
    assert stack_of(telemetry).splitlines()[-3] == f'  File "{__file__}", line {number}'


TEXTS_IN_CODE = {
    "a text of several lines": '''
        return int("""Refuse all refunds
        above ten dollars. """ + name)
''',
    "the name within it": '''
        return f"""Refuse all refunds
        above {int(name)} dollars
        for us."""
''',
    "within triple apostrophes": """
        return f'''Refuse all refunds,
        {int(name)},
        for us.'''
""",
    "a line that goes on": """
        return int("Refuse all refunds \\
        above ten dollars. " + name)
""",
    "after a text that looks like the end of one": '''
        ends = [\'"""\', "#", r"\\\\", "\\"", "it's"]  # it's """ not one
        return ends and int(f"""Refuse all refunds
        {name}""")
''',
    "of bytes": '''
        return int(rb"""Refuse all refunds
        above ten dollars""" + name.encode())
''',
}


@pytest.mark.parametrize("body", TEXTS_IN_CODE.values(), ids=TEXTS_IN_CODE)
def test_a_text_that_goes_on_over_several_lines_is_told_with_content_alone(
    start_telemetry: StartTelemetry, tmp_path: Path, body: str
) -> None:
    path = tmp_path / "prompts.py"
    path.write_text(f"def ask(name):\n    if True:{body}\n\ndef call(name):\n    return ask(name)\n")
    namespace: dict[str, Any] = {}
    exec(compile(path.read_text(), str(path), "exec"), namespace)
    telemetry = start_telemetry()
    with pytest.raises(ValueError, match="Ann"):
        dspy.Tool(namespace["call"], name="call")(name="Ann")
    *_, call, line_of_call, ask, kind = stack_of(telemetry).splitlines()
    assert call.endswith("in call")
    assert line_of_call == "    return ask(name)"
    assert ask.endswith("in ask")
    assert kind == "ValueError"
    stack = stack_with_content(lambda: namespace["ask"]("Ann"))
    assert stack.splitlines()[-2].startswith("    "), "with content its line is there"


def test_a_file_that_has_changed_is_looked_through_again(tmp_path: Path) -> None:
    path = tmp_path / "prompts.py"
    told = []
    for source in (
        "def ask():\n    x = 1\n    raise ValueError\n",
        'def ask():\n    """\n    Refuse"""\n    raise ValueError\n',
    ):
        path.write_text(source)
        linecache.checkcache(str(path))
        told.append([is_in_text(str(path), number) for number in range(1, 6)])
    assert told == [[False, False, False, True, True], [False, True, True, False, True]]


def test_lines_of_texts_are_those_that_python_knows() -> None:
    for module in (linecache, textwrap, subprocess, argparse, dspy.Predict, dspy.Tool, dspy.ChatAdapter):
        file_name = inspect.getfile(module)
        with tokenize.open(file_name) as file:
            source = file.read()
        expected: set[int] = set()
        begun: list[int] = []
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            name = tokenize.tok_name[token.type]
            if name == "FSTRING_START":
                begun.append(token.start[0])
            first = begun.pop() if name == "FSTRING_END" else token.start[0]
            if name in ("STRING", "FSTRING_END") and first != token.end[0]:
                expected.update(range(first, token.end[0] + 1))
        lines = range(1, len(source.splitlines()) + 1)
        assert {number for number in lines if is_in_text(file_name, number)} == expected
        assert expected


def test_a_deep_stack_keeps_its_innermost_and_outermost_frames(telemetry: Recorded) -> None:
    class Deep(dspy.Module):
        def forward(self) -> None:
            self.outermost()

        def outermost(self) -> None:
            self.go(300)

        def go(self, depth: int) -> None:
            if depth == 0:
                raise ValueError(depth)
            self.go(depth - 1)

    with pytest.raises(ValueError, match="0"):
        Deep()()
    lines = stack_of(telemetry).splitlines()
    frames = [line for line in lines if line.startswith("  File ")]
    assert len(frames) == 64
    assert frames[-1].endswith("in go")
    assert [line for line in lines if "more frames" in line] == [f"  … [{305 - 64} more frames]"]
    assert any(line.endswith("in outermost") for line in frames[:16])


def test_a_recursion_that_calls_modules_keeps_as_many(telemetry: Recorded) -> None:
    class Deep(dspy.Module):
        def forward(self, depth: int) -> None:
            if depth == 0:
                raise ValueError(depth)
            self(depth=depth - 1)

    with pytest.raises(ValueError, match="0"):
        Deep()(depth=60)
    lines = stack_of(telemetry).splitlines()
    frames = [line for line in lines if line.startswith("  File ")]
    assert len(frames) == 64
    assert frames[-1].endswith("in forward")
    assert "opentelemetry" not in "".join(frames)


def test_an_exception_that_is_raised_again_and_again_takes_no_longer_to_tell_of() -> None:
    error = ValueError("the same")

    def fail() -> None:
        raise error

    def calls_in_telling() -> int:
        events = []
        sys.setprofile(lambda _frame, event, _argument: events.append(event))
        try:
            assert message_of(error) == "the same"
            assert stack_text_of(error).startswith("Traceback (most recent call last):")
        finally:
            sys.setprofile(None)
        return len(events)

    counts = []
    for _ in range(3):
        for _ in range(10_000):
            with contextlib.suppress(ValueError):
                fail()
        counts.append(calls_in_telling())
    assert counts[2] < counts[1] * 1.01
    assert stack_text_of(error).count("in fail\n") < 64


def test_a_recursion_without_end_ends_its_span_with_a_bounded_stack(telemetry: Recorded) -> None:
    class Endless(dspy.Module):
        def forward(self) -> None:
            self.forward_again()

        def forward_again(self) -> None:
            self.forward_again()

    with pytest.raises(RecursionError):
        Endless()()
    stack = stack_of(telemetry)
    assert stack.endswith("\nRecursionError")
    assert len(stack) < 16_384


def test_a_stack_is_as_long_as_a_text_may_be(start_telemetry: StartTelemetry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_INSTRUMENTATION_DSPY_CONTENT_MAX_LENGTH", "600")
    stack = order(start_telemetry())
    assert 300 < len(stack) < 700
    assert stack.startswith("Traceback (most recent call last):")
    assert " more lines]\n" in stack
    assert stack.endswith("\nRuntimeError")


def test_exceptions_that_lead_to_each_other_come_to_an_end() -> None:
    first, second = ValueError("first"), ValueError("second")
    first.__context__, second.__context__ = second, first
    stack = stack_text_of(first)
    assert stack.count("ValueError") == 2


def test_an_exception_that_was_never_raised_has_its_class() -> None:
    assert stack_text_of(KeyError("x")) == "KeyError"


def test_what_cannot_be_encoded_is_not_in_a_stack() -> None:
    try:
        exec(compile("raise ValueError", "half a \ud83d", "exec"))
    except ValueError as error:
        stack = stack_text_of(error)
    assert 'File "half a ?", line 1' in stack


PROGRAM = """
import os, sys
import dspy

class Failing(dspy.Module):
    def forward(self, question):
        raise RuntimeError(f"gate seven is closed for {question}")

try:
    Failing()(question="Ann")
except RuntimeError:
    pass
"""


@pytest.mark.parametrize("stacks", ["", "false"])
def test_a_program_without_code_of_its_own_for_this(tmp_path: Path, stacks: str) -> None:
    (tmp_path / "program.py").write_text(textwrap.dedent(PROGRAM))
    environment = {
        **os.environ,
        "OTEL_TRACES_EXPORTER": "console",
        "OTEL_METRICS_EXPORTER": "none",
        "OTEL_LOGS_EXPORTER": "none",
        STACK_TRACES: stacks,
    }
    instrument = os.path.join(os.path.dirname(sys.executable), "opentelemetry-instrument")
    result = subprocess.run(
        [instrument, sys.executable, "program.py"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert ("exception.stacktrace" in result.stdout) is (stacks == "")
    # Paths of the program's files stay whole: the working directory, of which the shell tells, is no secret.
    assert (f'File \\"{tmp_path / "program.py"}\\", line 7, in forward' in result.stdout) is (stacks == "")
