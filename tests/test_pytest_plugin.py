"""The pytest plugin in test runs of its own: the fixture, the mark, and nothing for those who use neither."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

# Each run imports DSPy, and with xdist each worker: on a busy machine that takes its time.
pytestmark = pytest.mark.timeout(300)
SECONDS = 280

TESTS = Path(__file__).parent
HEAVY = ("dspy", "litellm", "opentelemetry")

PROGRAM = """
import dspy
import pytest
from model_server import ModelServer, Reply

class Answer(dspy.Module):
    def __init__(self):
        super().__init__()
        self.draft = dspy.Predict("question -> answer")
        self.check = dspy.Predict("answer -> verdict")

    def forward(self, question):
        return self.check(answer=self.draft(question=question).answer)

    async def aforward(self, question):
        return await self.check.acall(answer=(await self.draft.acall(question=question)).answer)

@pytest.fixture(scope="session", autouse=True)
def language_model():
    with ModelServer(lambda request: Reply(usage_update={"prompt_tokens": 100, "completion_tokens": 10})) as server:
        lm = dspy.LM("openai/gpt-4o-mini", api_base=server.url, api_key="test-key", cache=False)
        dspy.configure(lm=lm)
        yield lm
"""
TREE = [
    "invoke_workflow Answer*Σ 2 calls  200 → 20  $0.0000420",
    "├─ Predict draft*Σ 1 call   100 → 10  $0.0000210",
    "│  └─ chat gpt-4o-mini*100 → 10  $0.0000210",
    "└─ Predict check*Σ 1 call   100 → 10  $0.0000210",
    "   └─ chat gpt-4o-mini*100 → 10  $0.0000210",
    "total · 2 LM calls · 200 → 20 tokens · $0.0000420 · * · trace *",
]


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A project with a program that makes two calls of a language model, and no tests yet."""
    monkeypatch.setenv("PYTHONPATH", str(TESTS), prepend=":")
    monkeypatch.setenv("PYTHONIOENCODING", "utf-8")
    for name in ("CI", "BUILD_NUMBER"):
        # Where one is set, pytest's summary repeats each message whole.
        monkeypatch.delenv(name, raising=False)
    pytester.makeconftest(PROGRAM)
    pytester.makeini("[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function\n")
    return pytester


def run(project: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    return project.runpytest_subprocess("--strict-markers", "-p", "no:cacheprovider", *arguments, timeout=SECONDS)


def test_the_plugin_imports_neither_dspy_nor_opentelemetry_until_the_fixture_is_used(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile(
        f"""
        import sys

        def heavy():
            return sorted(name for name in sys.modules if name.split(".")[0] in {HEAVY})

        def test_before():
            assert "pytest_dspy_telemetry" in sys.modules
            assert heavy() == []

        def test_with(dspy_telemetry):
            assert "opentelemetry.sdk.trace" in heavy()
            assert "dspy" not in heavy()
        """
    )
    pytester.runpytest_subprocess("-p", "no:langsmith_plugin").assert_outcomes(passed=2)


def test_what_the_plugin_imports_is_there_already_where_pytest_is() -> None:
    program = """
import sys
import inspect, typing, pytest
before = set(sys.modules)
import pytest_dspy_telemetry
print(sorted(set(sys.modules) - before))
"""
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert output.strip() == "['pytest_dspy_telemetry']"


def test_a_test_reads_what_dspy_did(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        from conftest import Answer

        def test_numbers(dspy_telemetry):
            Answer()(question="Where?")
            assert [span.name for span in dspy_telemetry.spans][0] == "invoke_workflow Answer"
            assert [chat.prompt_name for chat in dspy_telemetry.chats] == ["Answer.draft", "Answer.check"]
            assert dspy_telemetry.usage.lm_calls == 2
            assert dspy_telemetry.usage.input_tokens == 200
            dspy_telemetry.assert_at_most(lm_calls=2, cost=0.01, tokens=220)

        def test_each_test_begins_at_zero(dspy_telemetry):
            assert dspy_telemetry.usage.lm_calls == 0
            assert dspy_telemetry.tree() == ""

        async def test_in_a_task(dspy_telemetry):
            await Answer().acall(question="Where?")
            assert dspy_telemetry.usage.lm_calls == 2

        def test_dspy_is_off_again():
            from opentelemetry.instrumentation.dspy import DSPyInstrumentor
            assert not DSPyInstrumentor().is_instrumented_by_opentelemetry
        """
    )
    run(project).assert_outcomes(passed=4)


def test_a_test_that_uses_more_than_it_allows_itself_shows_the_tree(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        from conftest import Answer

        def test_calls(dspy_telemetry):
            Answer()(question="Where?")
            dspy_telemetry.assert_at_most(lm_calls=1, cost=0.00001)
        """
    )
    result = run(project)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "E * 2 LM calls, at most 1 allowed.",
            "E * $0.0000420 spent, at most $0.0000100 allowed.",
            "E * gpt-4o-mini: 2 LM calls, 200 → 20 tokens, $0.0000420",
            *[f"E       {line}" for line in TREE],
        ]
    )
    # Once is enough.
    assert result.stdout.str().count("invoke_workflow Answer") == 1


def test_a_test_that_fails_for_itself_shows_what_dspy_did(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        from conftest import Answer

        def test_answer(dspy_telemetry):
            assert Answer()(question="Where?").verdict == "another"
        """
    )
    result = run(project)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*- Captured DSPy call -*", *TREE])


def test_a_budget_fails_the_test_at_its_end(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        import unittest
        import pytest
        from conftest import Answer

        @pytest.mark.dspy_budget(lm_calls=2, cost=0.01, tokens=220)
        def test_kept():
            Answer()(question="Where?")

        @pytest.mark.dspy_budget(lm_calls=1)
        def test_broken():
            Answer()(question="Where?")

        @pytest.mark.dspy_budget(lm_calls=1)
        async def test_broken_in_a_task():
            await Answer().acall(question="Where?")

        @pytest.mark.dspy_budget(lm_calls=1)
        def test_failed_for_itself():
            Answer()(question="Where?")
            assert 1 == 2

        @pytest.mark.dspy_budget(lm_calls=1)
        @pytest.mark.parametrize("times", [1, 2])
        def test_in_cases(times, dspy_telemetry):
            for _ in range(times):
                Answer().draft(question="Where?")

        @pytest.mark.dspy_budget(lm_calls=0)
        class TestOfUnittest(unittest.TestCase):
            def test_broken(self):
                Answer().draft(question="Where?")

        @pytest.fixture
        def prepared():
            return Answer()(question="Where?")

        @pytest.mark.dspy_budget(lm_calls=0)
        def test_what_fixtures_use_is_not_the_test_s(prepared):
            pass
        """
    )
    result = run(project, "-v")
    result.assert_outcomes(passed=3, failed=5)
    result.stdout.fnmatch_lines_random(
        [
            "*::test_broken FAILED*",
            "*::test_broken_in_a_task FAILED*",
            "*::test_in_cases?1? PASSED*",
            "*::test_in_cases?2? FAILED*",
            "*::TestOfUnittest::test_broken FAILED*",
            "E       assert 1 == 2",
        ]
    )
    result.stdout.fnmatch_lines(["2 LM calls, at most 1 allowed.", "  gpt-4o-mini: 2 LM calls*", "", *TREE])
    result.stdout.no_fnmatch_line("*INTERNALERROR*")


@pytest.mark.parametrize(
    ("mark", "complaint"),
    [
        ("dspy_budget(3)", "@pytest.mark.dspy_budget takes arguments by name, such as lm_calls=3."),
        ("dspy_budget(calls=3)", "@pytest.mark.dspy_budget: there is no calls; it takes lm_calls, cost, tokens."),
        ("dspy_budget(cost='1')", "@pytest.mark.dspy_budget: cost= takes an amount in US dollars, not str."),
        ("dspy_budget()", "@pytest.mark.dspy_budget: At least one bound is needed: lm_calls, cost, tokens."),
        ("dspy_telemetry(contents=True)", "@pytest.mark.dspy_telemetry: there is no contents; it takes content."),
    ],
)
def test_a_mark_that_cannot_be_right_fails_its_test(pytester: pytest.Pytester, mark: str, complaint: str) -> None:
    pytester.makepyfile(
        f"""
        import pytest

        @pytest.mark.{mark}
        def test_it(dspy_telemetry):
            pass
        """
    )
    result = pytester.runpytest_subprocess()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([complaint.replace("[", "[[]")])


def test_content_is_recorded_where_a_test_asks_for_it(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        import pytest
        from conftest import Answer

        def test_off(dspy_telemetry):
            Answer()(question="Where is the lamp?")
            assert "lamp" not in "".join(span.to_json() for span in dspy_telemetry.spans)

        @pytest.mark.dspy_telemetry(content=True)
        def test_on(dspy_telemetry):
            Answer()(question="Where is the lamp?")
            assert "lamp" in dspy_telemetry.tree(content=True)
        """
    )
    run(project).assert_outcomes(passed=2)


def test_workers_of_xdist_count_their_own_tests(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        import pytest
        from conftest import Answer

        @pytest.mark.parametrize("number", range(6))
        @pytest.mark.dspy_budget(lm_calls=2)
        def test_kept(number):
            Answer()(question=f"Where {number}?")

        @pytest.mark.dspy_budget(lm_calls=1)
        def test_broken():
            Answer()(question="Where?")
        """
    )
    result = run(project, "-n", "2")
    result.assert_outcomes(passed=6, failed=1)
    result.stdout.fnmatch_lines(["2 LM calls, at most 1 allowed.", "  gpt-4o-mini: 2 LM calls*", "", *TREE])


def test_under_opentelemetry_instrument_the_exporter_hears_the_same_spans(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        from conftest import Answer
        from opentelemetry.instrumentation.dspy import DSPyInstrumentor
        from opentelemetry.trace import get_tracer_provider

        def test_inside(dspy_telemetry):
            Answer()(question="Where?")
            assert dspy_telemetry.usage.lm_calls == 2
            get_tracer_provider().force_flush()

        def test_outside():
            assert DSPyInstrumentor().is_instrumented_by_opentelemetry
            Answer().draft(question="Where?")
            get_tracer_provider().force_flush()
        """
    )
    result = project.run(
        Path(sys.executable).with_name("opentelemetry-instrument"),
        *("--traces_exporter", "dspy_console", "--metrics_exporter", "none", "--logs_exporter", "none"),
        *(sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-s"),
        timeout=SECONDS,
    )
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines([f"*{TREE[0]}", *TREE[1:], "*Predict question -> answer*", "total · 1 LM call *"])


def test_without_the_sdk_it_is_said_what_to_install(pytester: pytest.Pytester) -> None:
    pytester.makeconftest("import sys\nsys.modules['opentelemetry.sdk'] = None\n")
    pytester.makepyfile("def test_it(dspy_telemetry):\n    pass\n")
    # That one imports the SDK for itself.
    result = pytester.runpytest_subprocess("-p", "no:langsmith_plugin")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        [
            "The telemetry of a test is kept by the OpenTelemetry SDK, which is not installed: "
            'pip install "opentelemetry-instrumentation-dspy[[]pytest]"'
        ]
    )
    result.stdout.no_fnmatch_line("*Traceback*")


def test_without_a_dspy_that_is_supported_it_is_said_in_one_line(pytester: pytest.Pytester) -> None:
    folder = pytester.mkdir("older") / "dspy-2.5.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: dspy\nVersion: 2.5.0\n")
    pytester.makeconftest(f"import sys\nsys.path.insert(0, {str(folder.parent)!r})\n")
    pytester.makepyfile("def test_it(dspy_telemetry):\n    pass\n")
    result = pytester.runpytest_subprocess("-p", "no:langsmith_plugin")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        ["DSPy cannot be instrumented: it is not installed, or in a version that is not supported. *"]
    )
    assert "taking_over.py" not in result.stdout.str()


def test_the_marks_and_the_fixture_tell_what_they_are_for(pytester: pytest.Pytester) -> None:
    pytester.runpytest_subprocess("--markers").stdout.fnmatch_lines_random(
        ["@pytest.mark.dspy_budget(lm_calls=None, cost=None, tokens=None): *", "@pytest.mark.dspy_telemetry(*): *"]
    )
    pytester.runpytest_subprocess("--fixtures").stdout.fnmatch_lines(["dspy_telemetry -- *pytest_dspy_telemetry.py:*"])
