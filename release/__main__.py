"""``python -m release check`` and ``notes``: see CONTRIBUTING.md."""

from __future__ import annotations

import argparse
import shutil
import sys
from functools import partial
from typing import TYPE_CHECKING

from . import advisories, bill_of_materials, changelog, distributions, installations, licences
from .steps import BUILD, FailedError, Report

if TYPE_CHECKING:
    from pathlib import Path


def check(arguments: argparse.Namespace) -> int:
    """Build the distributions and check all that can be checked of them; return the exit code."""
    shutil.rmtree(BUILD, ignore_errors=True)
    BUILD.mkdir(parents=True)
    report = Report()
    report.take("version and changelog", partial(changelog.check, tag=arguments.tag))
    try:
        wheel, sdist = distributions.build(BUILD / "dist")
    except FailedError as error:
        print(error)
        return 1
    report.take("metadata", partial(distributions.check_metadata, wheel, sdist))
    report.take("contents of the wheel", partial(distributions.check_wheel, wheel))
    report.take("contents of the source distribution", partial(distributions.check_sdist, sdist))
    for name, use in installations.USES.items():
        report.take(f"the wheel with {name}", partial(_use, wheel, name, use))
    for extra in installations.DEVELOPERS:
        report.take(f"the extra {extra}", partial(installations.resolve, wheel, extra))
    everything = installations.Use(("instruments", "otlp", "console", "notebook", "pytest", "prices"), ())
    try:
        folder = installations.install(wheel, everything, "everything")
    except FailedError as error:
        print(error)
        return 1
    report.take("licences", partial(licences.collect, folder, BUILD / "licences"))
    report.take("bill of materials", partial(bill_of_materials.write, folder, BUILD / "sbom.cdx.json"))
    report.take("advisories", partial(advisories.audit, folder))
    return report.code(may_leave_out=arguments.may_leave_out)


def _use(wheel: Path, name: str, use: installations.Use) -> str:
    folder = installations.install(wheel, use, name)
    installations.use(folder, use)
    return " ".join(use.command)


def notes(arguments: argparse.Namespace) -> int:
    """Print the notes of a version; return the exit code."""
    wanted = arguments.version or changelog.version()
    try:
        print(changelog.notes(wanted, changelog.CHANGELOG.read_text(encoding="utf-8")), end="")
    except FailedError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def main() -> int:
    """Run a command and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m release", description="What is checked before a release.")
    commands = parser.add_subparsers(required=True, metavar="command")
    checking = commands.add_parser("check", help="build, install, use and examine the distributions")
    checking.add_argument(
        "--may-leave-out", action="store_true", help="exit with 0 also where a service could not be asked"
    )
    checking.add_argument("--tag", help="the tag of the release: v and its version, which must have a date then")
    checking.set_defaults(command=check)
    telling = commands.add_parser("notes", help="print the notes of a version, by default of the one in the source")
    telling.add_argument("version", nargs="?")
    telling.set_defaults(command=notes)
    arguments = parser.parse_args()
    return int(arguments.command(arguments))


if __name__ == "__main__":
    sys.exit(main())
