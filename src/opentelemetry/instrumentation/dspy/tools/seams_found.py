"""Which of the places that this library listens at the installed DSPy has."""

from __future__ import annotations

from .findings import Section

__all__ = ["seams_found"]


def seams_found() -> Section:
    """Return what of DSPy is seen; DSPy is imported for it."""
    from ..config import Options
    from ..seams import seams
    from ..telemetry import Telemetry
    from ..wrapping.places import is_there

    section = Section("seams", "DSPy's calls")
    present: list[str] = []
    optional: list[str] = []
    missing: list[str] = []
    for seam in seams(Telemetry.create(Options())):
        name = ".".join(part for part in (seam.module, seam.owner, seam.attribute) if part)
        (present if is_there(seam) else optional if seam.optional else missing).append(name)
    value = {"present": len(present), "optional": optional, "missing": missing}
    text = f"{len(present)} places of this DSPy are listened at"
    if optional:
        text += f"; {len(optional)} that other versions have are not there"
    if missing:
        section.change(
            "seams",
            f"{text}; missing: {', '.join(missing)}",
            "Calls of these are not recorded: install a version of DSPy that this library knows.",
            value,
        )
    else:
        section.ok("seams", text, value)
    return section
