"""What runs in one example of an evaluation: its program, what the metric asks, and what they raise."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from ..slots import Slot

if TYPE_CHECKING:
    from ..programs.running_modules import RunningModule

__all__ = ["EXAMPLE_CALLS", "ExampleCalls"]


@dataclass(slots=True)
class ExampleCalls:
    """What runs in one example of an evaluation."""

    modules: list[RunningModule] = field(default_factory=list)
    """Modules that no other module called: the program's first, then the metric's."""
    program_error: BaseException | None = None
    """What ended the first of them."""
    metric_error: BaseException | None = None
    """What the metric raised where DSPy catches it and tells nobody."""

    metric_result: object = None
    """What the metric of an optimizer that asks it itself answered."""

    @property
    def error(self) -> BaseException | None:
        """What the program raised, about which a metric may be asked all the same, or else the metric."""
        return self.metric_error if self.program_error is None else self.program_error

    def note_error(self, module: RunningModule, error: BaseException) -> None:
        """Note what ended a module, if it is the program."""
        if self.modules and self.modules[0] is module:
            self.program_error = error

    def forget_errors(self) -> None:
        """Let go of what was raised: an exception keeps all that the program's functions had in hand."""
        self.program_error = self.metric_error = None


EXAMPLE_CALLS: Final = Slot[ExampleCalls]("example calls")
"""What runs in the example that a call lies in."""
