"""Which versions are installed, and whether they are supported."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, requires, version

from packaging.requirements import Requirement

from ..package import _instruments
from .findings import Section

__all__ = ["dspy_is_supported", "installed", "versions_found"]

_OWN = "opentelemetry-instrumentation-dspy"

_NEEDED = (
    "opentelemetry-api",
    "opentelemetry-instrumentation",
    "opentelemetry-semantic-conventions",
    "opentelemetry-util-genai",
)

_SDK = "opentelemetry-sdk"

_OPTIONAL = {
    "opentelemetry-distro": "otlp",
    "opentelemetry-exporter-otlp-proto-grpc": "otlp",
    "opentelemetry-exporter-otlp-proto-http": "otlp",
    "rich": "console",
}
"""What some set-ups need and others do not, and the extra that brings it."""


def installed(distribution: str) -> str | None:
    """Return the version of a distribution, ``None`` where it is not installed."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def dspy_is_supported() -> bool:
    """Return whether there is a DSPy that this library instruments."""
    found = installed("dspy")
    return found is not None and Requirement(_instruments[0]).specifier.contains(found, prereleases=True)


def versions_found() -> Section:
    """Return what is installed of all that telemetry of DSPy needs."""
    section = Section("versions", "Versions")
    python = platform.python_version()
    section.ok("python", f"Python {python}", python)
    _add_dspy(section)
    section.ok("this_library", f"{_OWN} {installed(_OWN) or 'from its source'}", installed(_OWN))
    ranges = _ranges()
    for name in (*_NEEDED, _SDK):
        _add(section, name, ranges.get(name))
    for name, extra in _OPTIONAL.items():
        found = installed(name)
        if found is None:
            section.note(_key(name), f'{name} is not installed (it comes with the extra "{extra}")')
        else:
            section.ok(_key(name), f"{name} {found}", found)
    return section


def _add_dspy(section: Section) -> None:
    found, needed = installed("dspy"), _instruments[0]
    if found is None:
        section.change("dspy", "DSPy is not installed", f'Run pip install "{needed.replace(" ", "")}".')
    elif dspy_is_supported():
        section.ok("dspy", f"DSPy {found}", found)
    else:
        section.change(
            "dspy", f"DSPy {found} is not instrumented: nothing is recorded", f"Install {needed} here.", found
        )


def _add(section: Section, name: str, needed: Requirement | None) -> None:
    found = installed(name)
    if found is None:
        section.change(
            _key(name), f"{name} is not installed", 'Run pip install "opentelemetry-instrumentation-dspy[otlp]".'
        )
    elif needed is not None and not needed.specifier.contains(found, prereleases=True):
        section.change(_key(name), f"{name} {found} does not go with this library", f"Install {needed}.", found)
    else:
        section.ok(_key(name), f"{name} {found}", found)


def _key(name: str) -> str:
    return name.removeprefix("opentelemetry-").replace("-", "_")


def _ranges() -> dict[str, Requirement]:
    """Return what this library asks of others, by their names; nothing where it runs from its source."""
    try:
        asked = [Requirement(text) for text in requires(_OWN) or []]
    except PackageNotFoundError:
        return {}
    return {requirement.name: requirement for requirement in asked if requirement.marker is None}
