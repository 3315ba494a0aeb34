"""What DSPy gives from which version on: the one table that the tests, the matrix and the documents read.

It needs nothing but the standard library, so that ``noxfile.py`` can read it without any DSPy.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ALL", "VERSIONS", "Capability", "table"]

VERSIONS = ("2.6.27", "3.0.4", "3.1.3", "3.2.1", "3.3.1", "3.4.1")
"""The newest patch of each minor version that is supported."""

Minor: TypeAlias = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Capability:
    """Something that telemetry can show only where DSPy has it or tells it."""

    name: str
    shown: str
    """What telemetry shows with it."""
    otherwise: str
    """What it shows without."""
    since: Minor
    until: Minor | None = None
    """The last minor version that has it, where a later one took it out again."""
    probe: Callable[[], bool] | None = None
    """Asks the installed DSPy itself, where it can be asked."""

    def given_by(self, version: str) -> bool:
        """Whether a version of DSPy has it, according to this table."""
        minor = _minor(version)
        return self.since <= minor and (self.until is None or minor <= self.until)

    @property
    def given(self) -> bool:
        """Whether the installed DSPy has it, according to this table."""
        return self.given_by(importlib.metadata.version("dspy"))

    def is_missing(self) -> bool:
        """Whether the installed DSPy lacks it, which table and DSPy must agree on."""
        assert self.probe is not None, f"{self.name} cannot be asked for"
        assert self.probe() == self.given, f"the table is wrong about {self.name}"
        return not self.given


def _minor(version: str) -> Minor:
    major, minor = version.split(".")[:2]
    return int(major), int(minor)


def _has_module(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False


def _engine_is_a_parameter() -> bool:
    import dspy

    return "engine" in inspect.signature(dspy.LM.__init__).parameters


def _has_request_class() -> bool:
    import dspy

    return hasattr(dspy, "LMRequest")


def _has_history_size() -> bool:
    from dspy.dsp.utils.settings import DEFAULT_CONFIG

    return "max_history_size" in DEFAULT_CONFIG


def _has_responses() -> bool:
    import dspy.clients.lm

    return hasattr(dspy.clients.lm, "litellm_responses_completion")


def _has_own_errors() -> bool:
    import dspy.utils.exceptions

    return hasattr(dspy.utils.exceptions, "LMError")


ENGINES = Capability(
    "Engines: DSPy's own client, LiteLLM, custom ones",
    "a span for each call, whichever engine answers it",
    "every call goes through LiteLLM; `engine=` means nothing",
    (3, 4),
    probe=_engine_is_a_parameter,
)
LM15_REQUESTS = Capability(
    "`lm(lm15.Request(...))`",
    "the request's own parameters and messages",
    "there is no such request",
    (3, 4),
    probe=lambda: _has_module("dspy.lm15"),
)
TYPED_REQUESTS = Capability(
    '`lm(LMRequest(...))`, `dspy.context(experimental=True)`, `forward_contract = "typed_lm"`',
    "the request's own parameters and messages",
    "there is no such request",
    (3, 3),
    (3, 3),
    probe=_has_request_class,
)
DECLARED_PROVIDERS = Capability(
    "`dspy.lm15.register_provider`",
    "the declared name and address",
    "there are no declared providers",
    (3, 4),
    probe=lambda: _has_module("dspy.lm15"),
)
DECISIONS = Capability(
    "Decision clients: `TypeSafe`",
    "a span for each call",
    "there are no decision clients",
    (3, 4),
    probe=lambda: _has_module("dspy.clients.typesafe"),
)
RESPONSES = Capability(
    '`model_type="responses"`',
    "usage, id and finish reason of the Responses API",
    "DSPy calls chat and text completions only",
    (3, 0),
    probe=_has_responses,
)
RETRIES = Capability(
    "Retries",
    "`dspy.lm.attempts`, `dspy.lm.retry` events, `dspy.lm.retries`",
    "LiteLLM retries inside one call and tells nobody",
    (3, 4),
)
BILLED_FAILURES = Capability(
    "What a call was billed that failed after an answer",
    "tokens and cost of the answer, on the span and in the roll-ups",
    "the call counts with no tokens",
    (3, 4),
)
RESOLVED_ADDRESS = Capability(
    "The address that DSPy chooses for a provider",
    "`server.address`, `server.port`",
    "they are there if `api_base` or `base_url` is set",
    (3, 4),
)
SAVED_TOKENS = Capability(
    "Tokens that a cache hit saved",
    "`dspy.cache.saved_input_tokens`, `dspy.cache.saved_output_tokens`",
    "`dspy.cache.saved_cost` alone: the cache drops the stored tokens",
    (3, 2),
)
OWN_ERRORS = Capability(
    "DSPy's own exceptions",
    "`error.type` such as `dspy.utils.exceptions.LMRateLimitError`",
    "`error.type` of LiteLLM's exception",
    (3, 3),
    probe=_has_own_errors,
)
STREAMED_USAGE = Capability(
    "The provider's own token counts of a streamed call",
    "what the provider reports, always",
    "with `track_usage=True` from 3.0 on; otherwise none, and an unknown price",
    (3, 4),
)
HISTORY_SIZE = Capability(
    "`max_history_size=0`",
    "the same telemetry",
    "there is no such setting; `disable_history=True` has the same telemetry",
    (3, 0),
    probe=_has_history_size,
)

ALL: tuple[Capability, ...] = tuple(value for value in list(globals().values()) if isinstance(value, Capability))


def table() -> str:
    """The table as it stands in ``docs/compatibility.md``."""
    minors = [".".join(version.split(".")[:2]) for version in VERSIONS]
    lines = [
        f"| what DSPy has | {' | '.join(minors)} | telemetry shows | otherwise |",
        f"| --- |{' :-: |' * len(minors)} --- | --- |",
    ]
    for capability in ALL:
        marks = " | ".join("✓" if capability.given_by(version) else "-" for version in VERSIONS)
        lines.append(f"| {capability.name} | {marks} | {capability.shown} | {capability.otherwise} |")
    return "\n".join(lines) + "\n"
