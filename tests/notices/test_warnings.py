"""What this library warns of reaches standard error once, whatever the application does with its log."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
from otlp_receiver import OtlpReceiver
from started import BY_COMMAND, CALL, each_started, program, started

from opentelemetry.instrumentation.dspy.config import Options

if TYPE_CHECKING:
    from pathlib import Path

    from started import Ended

INSTRUMENT = "from opentelemetry.instrumentation.dspy import DSPyInstrumentor\nDSPyInstrumentor().instrument()\n"

MISSPELT = "OTEL_INSTRUMENTATION_DSPY_CONSOL"
WARNING = (
    f"{MISSPELT} is not an option of opentelemetry-instrumentation-dspy and has no effect. "
    "Did you mean OTEL_INSTRUMENTATION_DSPY_CONSOLE? Its options: "
)

LOGS = {
    "no handler": "",
    "standard error": "import logging\nlogging.basicConfig()\n",
    "rich": "import logging\nfrom rich.console import Console\nfrom rich.logging import RichHandler\n"
    "logging.basicConfig(handlers=[RichHandler(console=Console(stderr=True, width=900))])\n",
    "a file": "import logging\nlogging.basicConfig(filename='program.log')\n",
    "nothing": "import logging\nlogging.basicConfig(handlers=[logging.NullHandler()])\n",
    "disabled": "import logging.config\nimport opentelemetry.instrumentation.dspy\n"
    "logging.config.dictConfig({'version': 1})\n",
    "failing": "import logging\n\n\nclass Failing(logging.Handler):\n    def emit(self, record):\n"
    "        record.levelname = None\n\n\nlogging.basicConfig(handlers=[Failing()])\n",
}


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Ended]:
    programs = {name: log + INSTRUMENT for name, log in LOGS.items()}
    return each_started(tmp_path_factory.mktemp("programs"), programs, **{MISSPELT: "tree"})


@pytest.mark.parametrize("log", LOGS)
def test_a_misspelt_option_is_told_once_on_standard_error(ended: dict[str, Ended], log: str) -> None:
    assert ended[log].code == 0
    assert ended[log].errors.count(f"{MISSPELT} is not an option") == 1


def test_a_log_that_nobody_sees_is_told_in_a_plain_line(ended: dict[str, Ended]) -> None:
    assert [len(ended[log].notices) for log in LOGS] == [0, 0, 0, 1, 1, 0, 1]
    [line] = ended["a file"].notices
    assert line.startswith(WARNING)


GENAI = "OTEL_INSTRUMENTATION_GENAI_"
CAPTURE = f"{GENAI}CAPTURE_MESSAGE_CONTENT"


@pytest.mark.complaints
@pytest.mark.parametrize(
    ("name", "meant"),
    [
        (f"{GENAI}CAPTURE_MESAGE_CONTENT", CAPTURE),
        ("OTEL_INSTRUMENTATION_GEN_AI_CAPTURE_MESSAGE_CONTENT", CAPTURE),
        ("otel_instrumentation_genai_capture_message_content", CAPTURE),
        (f"{GENAI}EMIT_EVENTS", f"{GENAI}EMIT_EVENT"),
        ("OTEL_INSTRUMENTATION_DSP_REDACT", "OTEL_INSTRUMENTATION_DSPY_REDACT"),
    ],
)
def test_what_is_almost_an_option_is_told_with_the_one_that_was_meant(
    name: str, meant: str, caplog: pytest.LogCaptureFixture
) -> None:
    Options.read(environment={name: "x"})

    assert caplog.messages == [f"{name} is not an option and has no effect. Did you mean {meant}?"]


@pytest.mark.parametrize(
    "name",
    [
        CAPTURE,
        f"{GENAI}UPLOAD_BASE_PATH",
        f"{CAPTURE}_MODE",
        "OTEL_INSTRUMENTATION_OPENAI_CAPTURE_MESSAGE_CONTENT",
        "OTEL_TRACES_EXPORTER",
    ],
)
def test_options_of_others_are_theirs(name: str, caplog: pytest.LogCaptureFixture) -> None:
    Options.read(environment={name: "x"})

    assert caplog.messages == []


def test_what_util_genai_says_with_every_call_is_told_once(tmp_path: Path) -> None:
    programs = {"three calls": CALL + INSTRUMENT + "call()\ncall()\ncall()\n"}
    ended = each_started(tmp_path, programs, **{f"{GENAI}EMIT_EVENT": "yes", CAPTURE: "true"})["three calls"]

    told = [line.partition(" ")[0] for line in ended.errors.splitlines() if "is not a valid option" in line]
    assert told == ["true", "yes"]


def test_a_log_that_goes_to_otlp_alone_is_told_too(tmp_path: Path) -> None:
    package = "opentelemetry.instrumentation.logging"
    pytest.importorskip(package, reason="On the first releases of Python 3.12 it is not installed (pyproject.toml).")
    with OtlpReceiver() as receiver:
        ended = started(
            BY_COMMAND,
            sys.executable,
            program(tmp_path, "print('done')\n"),
            folder=tmp_path,
            OTEL_EXPORTER_OTLP_ENDPOINT=receiver.endpoint,
            OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf",
            OTEL_PYTHON_LOGGING_AUTO_INSTRUMENTATION_ENABLED="true",
            OTEL_INSTRUMENTATION_DSPY_OPTIMIZER_TRACES="all",
            OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT="true",
        )
        bodies = [str(record.body) for record in receiver.logs]

    assert ended.output == "done\n"
    wrong = "OTEL_INSTRUMENTATION_DSPY_OPTIMIZER_TRACES='all' is not valid: it takes one of auto, linked, nested, none."
    assert len([body for body in bodies if body.startswith(wrong)]) == 1
    assert [line.partition(". ")[0] + "." for line in ended.notices] == [
        wrong,
        "true is not a valid option for `OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT` environment variable.",
    ]


def test_a_dspy_that_is_not_supported_is_told_of_where_the_log_is_not_seen(tmp_path: Path) -> None:
    metadata = tmp_path / "dspy-2.5.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: dspy\nVersion: 2.5.0\n")
    text = f"import sys\nsys.path.insert(0, {str(tmp_path)!r})\n" + LOGS["a file"] + INSTRUMENT
    ended = started(sys.executable, program(tmp_path, text), folder=tmp_path)

    [line] = ended.notices
    assert line.startswith("DSPy is not instrumented: ")
    assert "dspy 2.5.0" in line
