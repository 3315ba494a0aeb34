"""The doctor: asks one question after the other, and the last of them by a real call."""

from __future__ import annotations

import os
import sys

from ..config import NOTICES
from .content_found import content_found
from .endpoints_found import endpoints_found
from .findings import Section
from .heard import HeardLog
from .options_found import options_found
from .peers_found import peers_found
from .prices_found import prices_found
from .seams_found import seams_found
from .set_up import set_up
from .trial_call import trial_call
from .versions_found import dspy_is_supported, versions_found

__all__ = ["examine"]


def examine(*, set_up_by: str | None = None, timeout: float = 5.0) -> list[Section]:
    """Return what there is to say of the telemetry of DSPy calls in this environment.

    ``set_up_by`` is ``module:function`` of a function that sets telemetry up; without one, the environment does.
    ``timeout`` is in seconds, for each answer that is waited for.
    """
    variables = dict(os.environ)
    # What is told on standard error otherwise is a finding here; and to look takes no price list from the network.
    os.environ[NOTICES] = "false"
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # What gRPC says of a connection, the exporter says too.
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())  # As opentelemetry-instrument and `python -m` do.
    with HeardLog() as heard:
        sections = [versions_found()]
        who = set_up(set_up_by, variables, heard)
        content = content_found(variables, who.signals["logs"], heard)
        sections += [who.section, peers_found(), options_found(variables, heard), content]
        endpoints = endpoints_found(who, timeout)
        sections.append(endpoints.section)
        if not dspy_is_supported():
            return [*sections, *_without_dspy()]
        return [*sections, seams_found(), prices_found(variables), trial_call(who, endpoints, timeout, heard)]


def _without_dspy() -> list[Section]:
    sections = [Section("seams", "DSPy's calls"), Section("prices", "Prices"), Section("call", "One call")]
    for section in sections:
        section.note("none", "not looked at, without a DSPy that is supported")
    return sections
