"""DSPy's sandbox, ``PythonInterpreter``: Python in WebAssembly in Deno."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import dspy
import pytest
from dspy.primitives.code_interpreter import CodeExecutionError, CodeInterpreterError
from interpreters import EXECUTION_ERROR, seconds, starts
from recorded import attributes_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from conftest import StartTelemetry

# The one module that DSPy's sandbox takes from elsewhere than npm, which is where the tests may take things from.
LINES = """
export async function* readLines(reader) {
  let rest = "";
  for await (const text of reader.readable.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
  if (rest) yield rest;
}
"""


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., dspy.PythonInterpreter]]:
    """DSPy's sandbox, in the Deno that ``pip install deno`` brings; the first run downloads Pyodide from npm."""
    pytest.importorskip("deno", reason="Deno is not installed: pip install deno")
    directory: Path = tmp_path_factory.mktemp("sandbox")
    (directory / "lines.js").write_text(LINES)
    imports = {"https://deno.land/std@0.186.0/io/mod.ts": "./lines.js"}
    (directory / "imports.json").write_text(json.dumps({"imports": imports}))

    def make(**settings: Any) -> dspy.PythonInterpreter:
        interpreter = dspy.PythonInterpreter(**settings)
        interpreter.deno_command[2:2] = ["--import-map", str(directory / "imports.json")]
        return interpreter

    try:
        make().execute("1")
    except CodeInterpreterError as error:
        pytest.skip(f"DSPy's sandbox does not run here: {error}")
    return make


def test_the_sandbox_is_a_tool_with_its_start_and_the_tools_that_its_code_calls(
    sandbox: Callable[..., dspy.PythonInterpreter], start_telemetry: StartTelemetry, lm: dspy.LM
) -> None:
    def explain(word: str) -> str:
        """Explain a word."""
        return str(dspy.Predict("word -> meaning")(word=word).meaning)

    tool = dspy.Tool(explain)
    telemetry = start_telemetry(capture="SPAN_ONLY")
    with sandbox(tools={"explain": lambda word: tool(word=word)}) as interpreter:
        interpreter.execute("explain(word='tree')")
        assert interpreter.execute("print(6 * 7)").strip() == "42"
        with pytest.raises(CodeExecutionError):
            interpreter.execute("1 / 0")
    assert telemetry.tree() == (
        "execute_tool python_interpreter\n"
        "  execute_tool explain\n"
        "    Predict word -> meaning\n"
        "      chat gpt-4o-mini\n"
        "execute_tool python_interpreter\n"
        f"execute_tool python_interpreter [ERROR {EXECUTION_ERROR}: ZeroDivisionError: ['division by zero']]"
    )
    first, second, third = telemetry.named("execute_tool python_interpreter")
    [duration] = starts(first)
    assert 0 < duration < seconds(first)
    assert starts(second) == starts(third) == []
    assert json.loads(attributes_of(second)["gen_ai.tool.call.arguments"]) == {"code": "print(6 * 7)"}
    assert attributes_of(second)["gen_ai.tool.call.result"].strip() == "42"
