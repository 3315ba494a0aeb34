"""Long fan-outs in the dspy_console exporter: a few examples stand for many, and nothing is lost from the sums."""

from __future__ import annotations

from console_spans import Recorded, cached_chat, chat, printed, span

PARSE_ERROR = ("AdapterParseError", "no field [answer]")


def example(index: int, call: Recorded, error: tuple[str, str] | None = None) -> Recorded:
    return span("evaluate_example", call, error=error, dspy__example__index=index)


def evaluation(*examples: Recorded) -> Recorded:
    return span("evaluate exact_match", *examples, dspy__evaluate__score=98.0)


def test_more_children_than_the_limit_are_folded_into_one_line_with_their_sums() -> None:
    examples = [example(n, chat(10 + n, (100, 10), 0.001)) for n in range(100)]
    assert printed(evaluation(*examples)).splitlines() == [
        "evaluate exact_match            5.95 s  Σ 100 calls  10,000 → 1,000  $0.100    score 98",
        "├─ evaluate_example #0         10.0 ms    Σ 1 call      100 →    10  $0.00100",
        "│  └─ chat gpt-5-mini          10.0 ms                  100 →    10  $0.00100",
        "├─ evaluate_example #1         11.0 ms    Σ 1 call      100 →    10  $0.00100",
        "│  └─ chat gpt-5-mini          11.0 ms                  100 →    10  $0.00100",
        "├─ evaluate_example #2         12.0 ms    Σ 1 call      100 →    10  $0.00100",
        "│  └─ chat gpt-5-mini          12.0 ms                  100 →    10  $0.00100",
        "└─ … 97 more evaluate_example            Σ 97 calls   9,700 →   970  $0.0970   13.0 ms to 109 ms each",
        "total · 100 LM calls · 10,000 → 1,000 tokens · $0.100 · 5.95 s · trace 00000000000000000000000000000001",
        "",
    ]


def test_as_many_children_as_the_limit_are_all_shown() -> None:
    lines = printed(evaluation(*(example(n, chat()) for n in range(12)))).splitlines()
    assert [line.split()[2] for line in lines if "evaluate_example" in line] == [f"#{n}" for n in range(12)]


def test_children_with_errors_are_shown_and_the_failed_ones_come_first() -> None:
    examples = [example(n, chat()) for n in range(40)]
    examples[7] = example(7, chat(error=PARSE_ERROR))
    examples[20] = example(20, chat(), error=PARSE_ERROR)
    examples[30] = example(30, chat(), error=PARSE_ERROR)
    lines = printed(evaluation(*examples), max_children=4).splitlines()
    # One of the first, and three with errors: 20 and 30 failed themselves, in 7 something failed.
    assert [line.split()[2] for line in lines if "─ evaluate_example" in line] == ["#0", "#7", "#20", "#30"]
    assert "└─ … 36 more evaluate_example" in lines[-3]


def test_errors_beyond_the_limit_are_counted_in_the_fold_and_in_the_total() -> None:
    examples = [example(n, chat(), error=PARSE_ERROR) for n in range(30)]
    lines = printed(evaluation(*examples)).splitlines()
    assert sum("─ evaluate_example" in line for line in lines) == 12
    assert lines[-3].startswith("└─ … 18 more evaluate_example")
    assert lines[-3].endswith("  10.0 ms each  18 errors")
    assert " · 30 survived errors · " in lines[-2]


def test_a_fold_tells_how_many_calls_were_cached_and_that_prices_are_not_known() -> None:
    examples = [example(n, chat(1, (10, 1)) if n % 2 else cached_chat(1)) for n in range(16)]
    fold = printed(evaluation(*examples)).splitlines()[-3]
    assert fold.endswith("  Σ 13 calls  70 → 7  $?  1.00 ms each  6 cached")


def test_folded_children_of_several_names_have_none() -> None:
    children = [span(f"Predict a -> b{n}", milliseconds=1, dspy__module__name="Predict") for n in range(20)]
    assert printed(span("Parallel", *children)).splitlines()[4] == "└─ … 17 more                 1.00 ms each"


def test_each_level_is_folded_by_itself() -> None:
    inner = [span("Predict a -> b", chat(1, (1, 1), 0.01), chat(1, (1, 1), 0.01)) for _ in range(3)]
    lines = printed(span("Parallel", *inner), max_children=1).splitlines()
    assert lines[:5] == [
        "Parallel                        6.00 ms  Σ 6 calls  6 → 6  $0.0600",
        "├─ Predict a -> b               2.00 ms  Σ 2 calls  2 → 2  $0.0200",
        "│  ├─ chat gpt-5-mini           1.00 ms             1 → 1  $0.0100",
        "│  └─ … 1 more chat gpt-5-mini           Σ 1 call   1 → 1  $0.0100  1.00 ms each",
        "└─ … 2 more Predict a -> b               Σ 4 calls  4 → 4  $0.0400  2.00 ms each",
    ]
    assert lines[5].startswith("total · 6 LM calls · 6 → 6 tokens · $0.0600 · ")
