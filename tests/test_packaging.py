"""The wheel: complete, typed, and beside the official OpenTelemetry packages without touching a file of theirs."""

from __future__ import annotations

import configparser
import email
import importlib.metadata
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = "opentelemetry/instrumentation/dspy/"
PYTEST_PLUGIN = "pytest_dspy_telemetry.py"
BUILD = "import sys, hatchling.build as backend; print(getattr(backend, sys.argv[1])(sys.argv[2]))"


def built(kind: str, folder: Path) -> Path:
    """What the build backend makes of the repository, without an environment of its own and so without a network."""
    command = [sys.executable, "-c", BUILD, f"build_{kind}", str(folder)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return folder / ended.stdout.strip()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    return zipfile.ZipFile(built("wheel", tmp_path_factory.mktemp("wheel")))


def one(wheel: zipfile.ZipFile, end: str) -> str:
    """The text of the only file whose name ends so."""
    [name] = [name for name in wheel.namelist() if name.endswith(end)]
    return wheel.read(name).decode()


def test_everything_in_the_wheel_is_this_package_and_its_pytest_plugin(wheel: zipfile.ZipFile) -> None:
    outside = [name for name in wheel.namelist() if not name.startswith(PACKAGE) and ".dist-info/" not in name]
    assert outside == [PYTEST_PLUGIN]


def test_pytest_rewrites_the_assertions_of_the_plugin_alone_and_not_those_of_dspy(wheel: zipfile.ZipFile) -> None:
    from _pytest.config import _iter_rewritable_modules

    assert [*_iter_rewritable_modules(wheel.namelist())] == [PYTEST_PLUGIN.removesuffix(".py")]
    # What it would take for a package of its own if there were no module beside it.
    folder_alone = [name for name in wheel.namelist() if name != PYTEST_PLUGIN]
    assert "dspy" in _iter_rewritable_modules(folder_alone)


def test_the_wheel_has_every_file_of_the_package_and_the_mark_of_a_typed_one(wheel: zipfile.ZipFile) -> None:
    sources = {
        path.relative_to(ROOT / "src").as_posix()
        for path in (ROOT / "src").rglob("*")
        if path.suffix in (".py", ".typed")
    }
    packed = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert packed == sources
    assert PACKAGE + "py.typed" in packed


def test_the_namespace_packages_stay_namespaces(wheel: zipfile.ZipFile) -> None:
    assert not {"opentelemetry/__init__.py", "opentelemetry/instrumentation/__init__.py"} & set(wheel.namelist())


def test_no_file_of_an_official_package_is_shadowed(wheel: zipfile.ZipFile) -> None:
    official = {
        distribution.name: {file.as_posix() for file in distribution.files or ()}
        for distribution in importlib.metadata.distributions()
        if distribution.name.startswith("opentelemetry-") and distribution.name != "opentelemetry-instrumentation-dspy"
    }
    assert "opentelemetry/instrumentation/instrumentor.py" in official["opentelemetry-instrumentation"]
    assert "opentelemetry/util/genai/handler.py" in official["opentelemetry-util-genai"]
    shadowed = {name: files & set(wheel.namelist()) for name, files in official.items()}
    assert {name: files for name, files in shadowed.items() if files} == {}


def test_the_entry_points_are_those_that_opentelemetry_looks_for(wheel: zipfile.ZipFile) -> None:
    points = configparser.ConfigParser()
    points.read_string(one(wheel, "/entry_points.txt"))
    assert {section: dict(points[section]) for section in points.sections()} == {
        "console_scripts": {"dspy-telemetry": "opentelemetry.instrumentation.dspy.tools.command:main"},
        "opentelemetry_instrumentor": {"dspy": "opentelemetry.instrumentation.dspy:DSPyInstrumentor"},
        "opentelemetry_id_generator": {
            "dspy_system_random": "opentelemetry.instrumentation.dspy.id_generator:SystemRandomIdGenerator"
        },
        "opentelemetry_traces_exporter": {
            "dspy_console": "opentelemetry.instrumentation.dspy.console:DSPyConsoleSpanExporter"
        },
        "pytest11": {"dspy_telemetry": "pytest_dspy_telemetry"},
    }


@pytest.mark.parametrize(
    ("group", "name", "loaded"),
    [
        ("opentelemetry_instrumentor", "dspy", "DSPyInstrumentor"),
        ("opentelemetry_traces_exporter", "dspy_console", "DSPyConsoleSpanExporter"),
    ],
)
def test_the_entry_points_can_be_loaded(group: str, name: str, loaded: str) -> None:
    [point] = {
        point.value: point
        for point in importlib.metadata.entry_points(group=group, name=name)
        if point.value.startswith("opentelemetry.instrumentation.dspy")
    }.values()
    assert point.load().__name__ == loaded


def test_the_metadata_say_what_is_needed_and_under_which_licence(wheel: zipfile.ZipFile) -> None:
    metadata = email.message_from_string(one(wheel, "/METADATA"))
    assert metadata["Name"] == "opentelemetry-instrumentation-dspy"
    assert metadata["Requires-Python"] == ">=3.10"
    assert metadata["License-Expression"] == "Apache-2.0"
    needed = [requirement for requirement in metadata.get_all("Requires-Dist") or [] if "extra ==" not in requirement]
    assert sorted(requirement.replace("<", ">").split(">")[0] for requirement in needed) == [
        "opentelemetry-api",
        "opentelemetry-instrumentation",
        "opentelemetry-semantic-conventions",
        "opentelemetry-util-genai",
        "wrapt",
    ]
    assert set(metadata.get_all("Provides-Extra") or []) >= {"instruments", "console", "otlp", "pytest", "test", "dev"}
    assert one(wheel, "/licenses/LICENSE") == (ROOT / "LICENSE").read_text()
    assert "Apache License" in (ROOT / "LICENSE").read_text()


def test_the_wheel_has_the_version_that_the_package_tells(wheel: zipfile.ZipFile) -> None:
    from opentelemetry.instrumentation.dspy import __version__

    assert email.message_from_string(one(wheel, "/METADATA"))["Version"] == __version__


def test_the_installed_wheel_works_beside_the_official_packages(wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    wheel.extractall(tmp_path)
    program = (
        "import opentelemetry.instrumentation.dspy as ours, opentelemetry.instrumentation.instrumentor as official\n"
        "import opentelemetry.trace, opentelemetry.sdk.trace, opentelemetry.util.genai.handler\n"
        "print(ours.__file__)\n"
        "ours.DSPyInstrumentor().instrument()\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n{program}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert Path(ended.stdout.strip()) == tmp_path / PACKAGE / "__init__.py"


def test_the_source_distribution_makes_the_same_wheel(wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    import tarfile

    archive = built("sdist", tmp_path)
    with tarfile.open(archive) as source:
        source.extractall(tmp_path, filter="data")
    folder = tmp_path / archive.name.removesuffix(".tar.gz")
    assert (folder / "tests" / "conftest.py").exists()
    command = [sys.executable, "-c", BUILD, "build_wheel", str(tmp_path)]
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    again = zipfile.ZipFile(tmp_path / ended.stdout.strip())
    assert sorted(again.namelist()) == sorted(wheel.namelist())
