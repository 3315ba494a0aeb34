"""What the check makes of advisories, licences and steps that cannot be taken: nothing is passed over."""

from __future__ import annotations

from typing import Any

import pytest

from opentelemetry.instrumentation.dspy import __name__ as package
from release import advisories, installations, licences
from release.steps import FailedError, Report, UnreachableError

WELL = {"name": "wrapt", "version": "2.0", "vulns": []}
ILL = {"name": "aiohttp", "version": "1.0", "vulns": [{"id": "GHSA-1", "fix_versions": ["1.1"]}]}
UNKNOWN = {"name": "six", "skip_reason": "not found"}


def report_of(*dependencies: dict[str, Any]) -> dict[str, Any]:
    return {"dependencies": [{"name": "opentelemetry-instrumentation-dspy", "skip_reason": "its own"}, *dependencies]}


def test_a_vulnerability_fails_and_what_is_not_known_is_no_success() -> None:
    assert advisories.findings_of(report_of(WELL)) == "1 distributions without a known vulnerability"
    with pytest.raises(FailedError, match=r"aiohttp 1\.0: GHSA-1, fixed in 1\.1"):
        advisories.findings_of(report_of(WELL, ILL, UNKNOWN))
    with pytest.raises(UnreachableError, match="of 1 the advisories could not be had"):
        advisories.findings_of(report_of(WELL, UNKNOWN))
    with pytest.raises(FailedError, match="nothing is installed"):
        advisories.findings_of(report_of())


@pytest.mark.parametrize(
    ("licence", "is_permissive"),
    [("Apache-2.0", True), ("MIT License", True), ("3-Clause BSD", True), ("GPL-3.0", False), ("UNKNOWN", False)],
)
def test_licences_that_ask_something_are_named(licence: str, is_permissive: bool) -> None:
    told = [{"Name": "x", "Version": "1", "License": licence}]
    assert licences.problems_of(told) == ([] if is_permissive else [f"x 1: {licence}"])


def fails() -> str:
    raise FailedError("no")


def cannot() -> str:
    raise UnreachableError("nobody answers")


@pytest.mark.parametrize(
    ("step", "may_leave_out", "code"),
    [
        *((lambda: "fine", False, 0), (cannot, False, 1), (cannot, True, 0)),
        *((fails, False, 1), (fails, True, 1)),
    ],
    ids=["well", "unreachable", "unreachable, and may be", "failed", "failed, whatever may be left out"],
)
def test_the_exit_code_tells_whether_all_was_checked(
    step: Any, may_leave_out: bool, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    report = Report()
    report.take("a step", step)
    assert report.code(may_leave_out=may_leave_out) == code
    assert ("NOT CHECKED" in capsys.readouterr().out.splitlines()[0]) is (step is cannot)


def test_every_extra_is_used_or_resolved() -> None:
    import importlib.metadata

    extras = importlib.metadata.metadata(package.replace(".", "-")).get_all("Provides-Extra")
    used = {extra for use in installations.USES.values() for extra in use.extras}
    assert used | {*installations.DEVELOPERS} == {*(extras or ())}
