"""The notes of a release are its section of the changelog, and version, changelog and upgrade notes go together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from release import changelog
from release.steps import FailedError

if TYPE_CHECKING:
    from pathlib import Path

TEXT = """# Changelog

## 0.2.0 - 2026-12-01

### Added

- Budgets ([docs/budgets.md](docs/budgets.md)), see [the forge](https://example.org/x).

## 0.1.1 - 2026-11-01

## 0.1.0

- The first one.
"""


def test_the_notes_are_the_section_of_the_version() -> None:
    notes = changelog.notes("0.2.0", TEXT)
    assert notes == "### Added\n\n- Budgets (docs/budgets.md), see [the forge](https://example.org/x).\n"
    assert changelog.notes("0.1.0", TEXT) == "- The first one.\n"


@pytest.mark.parametrize("version", ["0.1.1", "0.3.0", "0.2"])
def test_a_version_of_which_nothing_is_said_has_no_notes(version: str) -> None:
    with pytest.raises(FailedError, match=version):
        changelog.notes(version, TEXT)


def test_the_version_in_the_source_has_notes() -> None:
    assert changelog.check().startswith(changelog.version())


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository that is ready for 0.2.0."""
    for name, path, text in (
        ("CHANGELOG", "CHANGELOG.md", TEXT),
        ("UPGRADING", "upgrading.md", "## To 0.2.0\n"),
        ("VERSION", "version.py", '__version__ = "0.2.0"\n'),
    ):
        (tmp_path / path).write_text(text, encoding="utf-8")
        monkeypatch.setattr(changelog, name, tmp_path / path)
    return tmp_path


def test_a_tag_is_that_of_the_version(repository: Path) -> None:
    assert changelog.check(tag="v0.2.0") == "0.2.0, 3 lines of notes"
    with pytest.raises(FailedError, match=r"the tag is v0.2.1, the version 0.2.0"):
        changelog.check(tag="v0.2.1")


@pytest.mark.parametrize(
    ("path", "old", "new", "complaint"),
    [
        ("CHANGELOG.md", "2026-12-01", "unreleased", "no date for 0.2.0"),
        ("CHANGELOG.md", "## 0.2.0", "## 0.3.0", "says nothing of 0.2.0"),
        ("CHANGELOG.md", "# Changelog\n", "# Changelog\n\n## 0.3.0 - unreleased\n\n- x\n", "the newest section"),
        ("upgrading.md", "0.2.0", "0.1.0", "upgrading.md says nothing of 0.2.0"),
    ],
)
def test_what_does_not_go_together_is_told(repository: Path, path: str, old: str, new: str, complaint: str) -> None:
    file = repository / path
    file.write_text(file.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    with pytest.raises(FailedError, match=complaint):
        changelog.check(tag="v0.2.0")
