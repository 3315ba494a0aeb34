"""The table of what a person sees: every row is there, and each cell is reckoned from what a backend answered.

The answers in ``screens_answers`` were cut from those that ``make screens`` keeps: spans of a few traces, with texts
shortened and attributes left out that no cell reads.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from screens.cells import ROWS
from screens.page import BEGIN, END, table, write
from screens.pictures import Page, take
from screens.reading import COLUMNS, Column, Reading, load

ROOT = Path(__file__).parent.parent
ANSWERS = Path(__file__).parent / "screens_answers"
PHOENIX_OURS, _, MLFLOW_OURS, MLFLOW_AUTOLOG = COLUMNS


def reading_of(column: Column, folder: Path = ANSWERS) -> Reading:
    reading = load(column, folder)
    assert reading is not None
    return reading


def cells_of(column: Column, folder: Path = ANSWERS) -> dict[str, str]:
    reading = reading_of(column, folder)
    return {row.title: row.cell(reading.seen, reading.expected) for row in ROWS}


def table_lines(text: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in text.splitlines() if line[:1] == "|"]


def changed(column: Column, folder: Path, change: Any) -> Path:
    """The recorded answer of a column, changed."""
    whole = json.loads((ANSWERS / f"{column.name}.json").read_text())
    change(whole["answer"])
    (folder / f"{column.name}.json").write_text(json.dumps(whole))
    return folder


def test_the_page_has_a_cell_for_every_row_and_every_column() -> None:
    page = (ROOT / "docs" / "screens.md").read_text()
    head, _, *rows = table_lines(page.partition(BEGIN)[2].partition(END)[0])

    assert head == ["what a person sees", *(column.title for column in COLUMNS)]
    assert [row[0] for row in rows] == [row.title for row in ROWS]
    assert [row for row in rows if len(row) != len(COLUMNS) + 1 or not all(row)] == []


def test_the_pictures_of_the_readme_are_there_and_small() -> None:
    pictures = sorted((ROOT / "docs" / "pictures").glob("*.png"))

    assert [picture.name for picture in pictures if f"docs/pictures/{picture.name}" in (ROOT / "README.md").read_text()]
    assert [picture.name for picture in pictures if picture.stat().st_size > 150_000] == []


def test_the_cells_of_phoenix_tell_how_much_there_is_of_how_much_there_could_be() -> None:
    assert cells_of(PHOENIX_OURS) == {
        "rows in the list of traces": "6, 6 names; `invoke_workflow SupportDesk` 1 time",
        "input and output in the list": "6 of 6",
        "input and output of a span": "36 of 37",
        "input and output of a module": "7 of 7",
        "kinds of spans": "chain 20, evaluator 9, llm 6, embedding 1, retriever 1",
        "tokens, of what the model's service billed": "11,094 of 11,094 in, 1,089 of 1,089 out",
        "tokens that the service read from its cache": "264 of 4,624",
        "cost": "$0.001971 of $0.001979",
        "session and user": "3 of 3 turns, 3 with texts; user `u-7`",
        "input and output of a tool": "none",
        "searches and what they found": "1 of 6 searches, 2 of 12 passages",
        "embeddings": "1 of 7 calls, 9 of 392 tokens, 0 priced",
        "evaluation": "1 trace; score 75; 4 of 4 examples scored",
        "optimizer": "1 trace; score 100; 1 of 1 name the run; 4 of 4 trials scored; cost $0.000606",
        "cache hits, retries, fallbacks": "0 hits, 1 retry, 1 fallback",
        "time to a stream's first chunk": "0 of 1",
        "a picture among the inputs": "type, size and hash, on 1 span",
        "where it broke": "1 span failed, 0 stacks",
    }


def test_the_cells_of_mlflow_tell_how_much_there_is_of_how_much_there_could_be() -> None:
    assert cells_of(MLFLOW_OURS) == {
        "rows in the list of traces": "7, none with a name",
        "input and output in the list": "7 of 7",
        "input and output of a span": "40 of 41",
        "input and output of a module": "9 of 9",
        "kinds of spans": "chain 22, evaluator 10, llm 7, retriever 1, embedding 1",
        "tokens, of what the model's service billed": "4,503 of 11,094 in, 488 of 1,089 out",
        "tokens that the service read from its cache": "1,795 of 4,624",
        "cost": "$0.000826 of $0.001979",
        "session and user": "1 of 3 turns, 1 with texts; user `u-7`",
        "input and output of a tool": "none",
        "searches and what they found": "1 of 6 searches, 2 of 12 passages",
        "embeddings": "1 of 7 calls, 9 of 392 tokens, 1 priced",
        "evaluation": "1 trace; score 75; 4 of 4 examples scored",
        "optimizer": "2 traces; score 100; 2 of 2 name the run; 4 of 4 trials scored; cost $0.000606",
        "cache hits, retries, fallbacks": "0 hits, 1 retry, 1 fallback",
        "time to a stream's first chunk": "0 of 1",
        "a picture among the inputs": "type, size and hash, on 2 spans",
        "where it broke": "1 span failed, 0 stacks",
    }


def test_the_cells_of_another_instrumentation_are_reckoned_by_the_same_rules() -> None:
    assert cells_of(MLFLOW_AUTOLOG) == {
        "rows in the list of traces": "6, 3 names; `Predict.forward` 3 times",
        "input and output in the list": "5 of 6",
        "input and output of a span": "38 of 41",
        "input and output of a module": "12 of 13",
        "kinds of spans": "parser 19, chat model 9, llm 8, chain 5",
        "tokens, of what the model's service billed": "1,569 of 11,094 in, 225 of 1,089 out",
        "tokens that the service read from its cache": "0 of 4,624",
        "cost": "$0.000000 of $0.001979",
        "session and user": "1 of 3 turns, 1 with texts; user `u-7`",
        "input and output of a tool": "none",
        "searches and what they found": "none",
        "embeddings": "none",
        "evaluation": "1 trace; score 75; 4 of 4 examples scored",
        "optimizer": "1 trace; score 100; 1 of 1 name the run; 4 of 4 trials scored; cost none",
        "cache hits, retries, fallbacks": "0 hits, 0 retries, 1 fallback",
        "time to a stream's first chunk": "0 of 1",
        "a picture among the inputs": "all its bytes, on 2 spans",
        "where it broke": "3 spans failed, 3 stacks: `Predict.forward`, `ChatAdapter.parse`, `JSONAdapter.parse`",
    }


def test_an_output_that_is_gone_is_missed_in_the_list_and_in_the_trace(tmp_path: Path) -> None:
    def forget(answer: Any) -> None:
        root = next(edge["node"] for edge in answer["spans"]["edges"] if edge["node"]["parentId"] is None)
        root["output"] = None

    before, after = cells_of(PHOENIX_OURS), cells_of(PHOENIX_OURS, changed(PHOENIX_OURS, tmp_path, forget))

    assert (before["input and output in the list"], after["input and output in the list"]) == ("6 of 6", "5 of 6")
    assert (before["input and output of a span"], after["input and output of a span"]) == ("36 of 37", "35 of 37")


def test_a_stack_and_the_bytes_of_a_picture_are_noticed(tmp_path: Path) -> None:
    def tell(answer: Any) -> None:
        failed = next(edge["node"] for edge in answer["spans"]["edges"] if edge["node"]["statusCode"] == "ERROR")
        failed["attributes"] = json.dumps({"input": {"value": "data:image/png;base64,iVBORw0KGgoAAAA"}})
        event = {"name": "exception", "attributes": {"exception.stacktrace": "Traceback"}}
        answer["events"].setdefault(failed["spanId"], []).append(event)

    cells = cells_of(PHOENIX_OURS, changed(PHOENIX_OURS, tmp_path, tell))

    assert cells["where it broke"] == "1 span failed, 1 stack: `Predict question -> years`"
    assert cells["a picture among the inputs"] == "all its bytes, on 1 span"


def test_the_names_of_mlflows_list_are_those_that_it_keeps_and_not_those_of_the_spans(tmp_path: Path) -> None:
    def name(answer: Any) -> None:
        answer["traces"][0]["trace_info"]["tags"]["mlflow.traceName"] = "invoke_workflow SupportDesk"

    cells = cells_of(MLFLOW_OURS, changed(MLFLOW_OURS, tmp_path, name))

    assert cells["rows in the list of traces"] == "7, 1 name; `invoke_workflow SupportDesk` 1 time"


def test_the_table_stands_between_the_marks_and_nothing_else_is_touched(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nan older table\n{END}\nafter\n")
    reading = reading_of(PHOENIX_OURS)

    write(page, [reading])

    assert page.read_text() == f"before\n{BEGIN}\n\n{table([reading])}\n\n{END}\nafter\n"


def test_a_page_without_marks_is_left_alone(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("no table\n")

    with pytest.raises(ValueError, match="lacks the marks"):
        write(page, [])
    assert page.read_text() == "no table\n"


def test_without_a_browser_it_says_what_is_missing_and_takes_no_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    assert take({"list": Page("http://127.0.0.1:9/", "a trace")}, tmp_path / "pictures") == []
    assert "the program `chromium` is missing" in capsys.readouterr().out
    assert not (tmp_path / "pictures").exists()


def test_the_program_does_all_that_the_table_tells_of_and_is_billed_for_it() -> None:
    program = (
        "from screens.model import ScreensModel\n"
        "from screens import program\n"
        "from contextlib import nullcontext\n"
        "with ScreensModel(program.SCRIPT, program.TAUGHT) as model:\n"
        "    program.run(model.url, nullcontext)\n"
        "print(model.bill.chats, model.bill.embeddings, model.bill.cached_tokens > 0)\n"
    )
    paths = os.pathsep.join(str(ROOT / folder) for folder in ("", "examples", "examples/support_desk"))
    settings = {"PYTHONPATH": paths, "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    ended = subprocess.run(
        [sys.executable, "-c", program], env={**os.environ, **settings}, capture_output=True, text=True, check=False
    )

    assert ended.returncode == 0, ended.stderr
    said = ended.stdout.splitlines()
    assert "75.0" in said
    assert "Scores so far: [75.0, 100.0, 100.0, 100.0]" in said
    assert said[-5:] == [
        "A small red square.",
        "Yes, from nine to five.",
        "The Polaris, with 2400 lumen.",
        "AdapterParseError",
        "42 7 True",
    ]
