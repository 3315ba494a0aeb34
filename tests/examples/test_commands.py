"""The examples are found: by their names, in the README and by `make`."""

from __future__ import annotations

import subprocess
import sys

from example_runs import EXAMPLES

RUN = str(EXAMPLES / "run.py")
NAMES = sorted(app.parent.name for app in EXAMPLES.glob("*/app.py"))


def test_the_readme_has_a_command_and_a_chapter_for_each_example() -> None:
    readme = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    for name in NAMES:
        command = "make demo" if name == "support_desk" else f"make example NAME={name}"
        assert f"| `{command}` | [`{name}`](#{name}) |" in readme
        assert f"\n## {name}\n" in readme


def test_make_names_every_example_that_it_runs() -> None:
    makefile = (EXAMPLES.parent / "Makefile").read_text(encoding="utf-8")
    [line] = [line for line in makefile.splitlines() if line.startswith("example:")]
    assert [name for name in NAMES if name != "support_desk" and name not in line] == []


def test_a_name_that_is_none_is_told_the_names_that_there_are() -> None:
    ended = subprocess.run([sys.executable, RUN, "chat"], capture_output=True, check=False, encoding="utf-8")
    names = "tenant_service, streaming_chat, watch_optimizer, evaluation_in_ci"
    assert (ended.returncode, ended.stderr) == (2, f"There is no example 'chat'. There are {names}.\n")
    assert sorted([*names.split(", "), "support_desk"]) == NAMES
