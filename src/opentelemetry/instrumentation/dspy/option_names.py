"""Names of environment variables that are no option: told, with the option that was meant."""

from __future__ import annotations

import difflib
import logging
from typing import TYPE_CHECKING

from opentelemetry.util.genai import environment_variables as of_genai

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["warn_of_unknown_names"]

_logger = logging.getLogger(f"{__package__}.config")
"""Of the options, whichever file reads them: the doctor hears it by its name."""

_GENAI = tuple(name for name in vars(of_genai) if name.startswith("OTEL_INSTRUMENTATION_GENAI_"))
"""Those that ``opentelemetry-util-genai`` reads for this library."""

_ALMOST = 0.975
"""One letter in forty: other instrumentations have options of their own, some of which are called much like these."""


def warn_of_unknown_names(variables: Mapping[str, str], prefix: str, options: Sequence[str]) -> None:
    """Log each name with the prefix that is no option, and each other one that is almost an option, told by nobody."""
    for name in sorted(variables):
        if name.startswith(prefix) and name not in options:
            close = difflib.get_close_matches(name[len(prefix) :], [known[len(prefix) :] for known in options], n=1)
            _logger.warning(
                "%s is not an option of opentelemetry-instrumentation-dspy and has no effect.%s Its options: %s.",
                name,
                f" Did you mean {prefix}{close[0]}?" if close else "",
                ", ".join(options),
            )
        elif name[:5].upper() == "OTEL_" and name not in (*options, *_GENAI):
            meant = difflib.get_close_matches(name.upper(), (*options, *_GENAI), n=1, cutoff=_ALMOST)
            if meant:
                _logger.warning("%s is not an option and has no effect. Did you mean %s?", name, meant[0])
