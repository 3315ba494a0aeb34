"""What is wrong with a block of shell commands: a command, target, option, extra or file that there is not.

Not everything can be run in a test: containers, installations, servers that go on. Of these every word that names
something of this repository, or an option of a command that is installed here, is looked up.
"""

from __future__ import annotations

import importlib.util
import itertools
import re
import shlex
import shutil
import subprocess
import sys
from functools import cache
from importlib.metadata import entry_points, metadata
from pathlib import Path
from typing import TYPE_CHECKING

from pages import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["complaints_of", "simple_commands"]

READERS = {"app.py", "app:app", "main:app", "program.py", "worker.py", "service:app"}
"""Files and applications of the reader's own."""

SEPARATORS = {"&&", "||", "|", ";", "&", "(", ")"}
BUILTINS = {"cd", "echo", "export", "kill", "source", "true", "wait", "which"}


def simple_commands(block: str) -> list[list[str]]:
    """Return the words of each command of a block; assignments stay in front of the command."""
    commands: list[list[str]] = []
    line = ""
    for part in block.replace("\\\n", " ").splitlines():
        line += part + "\n"
        lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        words: list[str] = []
        try:
            found = [*lexer, ";"]
        except ValueError:
            # A text in quotation marks goes on in the next line.
            continue
        line = ""
        for word in found:
            if word in SEPARATORS:
                commands += [words] if words else []
                words = []
            else:
                words.append(word)
    return commands


def complaints_of(block: str) -> list[str]:
    """Return what is wrong with a block, nothing where all that it names is there."""
    syntax = subprocess.run(["bash", "-n"], input=block, capture_output=True, text=True, check=False)
    found = [syntax.stderr] if syntax.returncode else []
    for words in simple_commands(block):
        found += _of_command(words)
    return found


def _of_command(words: list[str]) -> list[str]:
    while words and re.match(r"[A-Za-z_]\w*=", words[0]):
        words = words[1:]
    if not words or words[0] in BUILTINS:
        return []
    name, arguments = words[0], words[1:]
    if name.startswith(".venv"):
        name = Path(name).name
    check = _CHECKS.get(name)
    if check is not None:
        return check(arguments)
    here = Path(sys.executable).parent
    return [] if shutil.which(name) or (here / name).exists() else [f"there is no command {name}"]


def _make(arguments: list[str]) -> list[str]:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = {*re.findall(r"^([a-z-]+):.*##", makefile, re.MULTILINE)}
    found = []
    for word in arguments:
        variable, sign, _ = word.partition("=")
        if sign and f"$({variable})" not in makefile:
            found.append(f"the Makefile has no variable {variable}")
        if not sign and word not in targets:
            found.append(f"the Makefile has no target {word}")
    return found


def _pip(arguments: list[str]) -> list[str]:
    if arguments[:1] == ["pip"]:
        arguments = arguments[1:]
    if arguments[:1] not in (["install"], ["uninstall"]):
        return [f"pip {' '.join(arguments[:1])} is not known here"]
    extras = metadata("opentelemetry-instrumentation-dspy").get_all("Provides-Extra") or []
    found = []
    for word in arguments[1:]:
        own = re.fullmatch(r"(?:\.|opentelemetry-instrumentation-dspy)\[([\w,-]+)\].*", word)
        found += [f"there is no extra {extra}" for extra in (own[1].split(",") if own else []) if extra not in extras]
    return found


def _instrument(arguments: list[str]) -> list[str]:
    found = []
    while arguments and arguments[0].startswith("-"):
        option, arguments = arguments[0].lstrip("-"), arguments[1:]
        if option not in _options_of_instrument():
            found.append(f"opentelemetry-instrument has no option --{option}")
        signal, _, kind = option.partition("_")
        group = f"opentelemetry_{signal}_{kind}"
        value, arguments = (arguments or [""])[0], arguments[1:]
        known = {point.name for point in entry_points(group=group)}
        if kind == "exporter" and not {*value.split(",")} <= known | {"none"}:
            found.append(f"there is no exporter {value} of {signal}")
    return found + _of_command(arguments)


@cache
def _options_of_instrument() -> set[str]:
    command = Path(sys.executable).with_name("opentelemetry-instrument")
    told = subprocess.run([str(command), "--help"], capture_output=True, text=True, check=True).stdout
    return {*re.findall(r"--(\w+)", told)}


def _python(arguments: list[str]) -> list[str]:
    if arguments[:1] == ["-m"]:
        found = importlib.util.find_spec(arguments[1]) is not None
        return [] if found else [f"there is no module {arguments[1]}"]
    if arguments[:1] == ["-c"] or arguments[0] in READERS or (ROOT / arguments[0]).is_file():
        return []
    return [f"there is no file {arguments[0]}"]


def _docker(arguments: list[str]) -> list[str]:
    if arguments[:2] == ["compose", "--profile"]:
        profile, arguments = arguments[2], ["compose", *arguments[3:]]
        stack = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
        if profile not in re.findall(r"\w+", "".join(re.findall(r"^ +profiles: (.*)", stack, re.MULTILINE))):
            return [f"docker-compose.yml has no profile {profile}"]
    known = {("compose", "up"), ("compose", "down"), ("compose", "logs")}
    return [] if tuple(arguments[:2]) in known else [f"docker {' '.join(arguments)} is not known here"]


def _nox(arguments: list[str]) -> list[str]:
    sessions = (ROOT / "noxfile.py").read_text(encoding="utf-8")
    [session] = [after for word, after in itertools.pairwise(arguments) if word in ("-s", "--session")]
    return [] if f"def {session.partition('(')[0]}(" in sessions else [f"there is no session {session}"]


_CHECKS: dict[str, Callable[[list[str]], list[str]]] = {
    "docker": _docker,
    "make": _make,
    "nox": _nox,
    "opentelemetry-instrument": _instrument,
    "pip": _pip,
    "python": _python,
    "uv": _pip,
}
