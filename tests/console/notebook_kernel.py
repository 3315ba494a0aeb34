"""A real Jupyter kernel that runs cells, and what stands below each of them, whenever it came."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty
from typing import TYPE_CHECKING, Any

from jupyter_client.manager import KernelManager

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["Cell", "Kernel"]

SECONDS = 100
TESTS = Path(__file__).parent.parent


@dataclass(slots=True)
class Cell:
    """What a frontend would show below one run of a cell: messages in the order in which they came."""

    messages: list[dict[str, Any]] = field(default_factory=list)

    @property
    def kinds(self) -> list[str]:
        """``stream``, ``display_data``, ``execute_result`` and ``error``; streams that follow each other are one."""
        kinds = [message["msg_type"] for message in self.messages]
        return [kind for index, kind in enumerate(kinds) if kind != "stream" or kinds[index - 1 : index] != ["stream"]]

    @property
    def trees(self) -> list[str]:
        """The plain text of everything that was displayed."""
        return [data["text/plain"] for data in self.displayed]

    @property
    def html(self) -> list[str]:
        """The HTML of everything that was displayed."""
        return [data["text/html"] for data in self.displayed]

    @property
    def displayed(self) -> list[dict[str, str]]:
        """What was displayed, by MIME type."""
        return [message["content"]["data"] for message in self.messages if message["msg_type"] == "display_data"]

    def stream(self, name: str = "stdout") -> str:
        """What was written to a stream."""
        streams = [message["content"] for message in self.messages if message["msg_type"] == "stream"]
        return "".join(content["text"] for content in streams if content["name"] == name)

    @property
    def error(self) -> str | None:
        """The name of the exception that the cell ended with."""
        return next((each["content"]["ename"] for each in self.messages if each["msg_type"] == "error"), None)


class Kernel:
    """Runs while it is entered as a context manager."""

    def __init__(self, **variables: str) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
        environment["PYTHONPATH"] = os.pathsep.join([str(TESTS), *filter(None, [environment.get("PYTHONPATH")])])
        self._environment = {**environment, **variables}
        self._manager = KernelManager(kernel_name="python3")
        self._cells: dict[str, Cell] = {}
        self._idle: set[str] = set()

    def __enter__(self) -> Kernel:
        self._manager.start_kernel(env=self._environment)
        self._client = self._manager.blocking_client()
        self._client.start_channels()
        self._client.wait_for_ready(timeout=SECONDS)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.stop_channels()
        self._manager.shutdown_kernel(now=True)

    def run(self, source: str, *, raises: str | None = None) -> Cell:
        """Run a cell to its end, which is the exception of the name ``raises`` if one is given."""
        identifier = self._client.execute(source, allow_stdin=False)
        cell = self._cells.setdefault(identifier, Cell())
        self._read(lambda: identifier in self._idle)
        assert cell.error == raises, cell.messages
        return cell

    def wait_for_outputs(self, cell: Cell, count: int) -> None:
        """Wait until so many outputs stand below a cell that has ended."""
        self._read(lambda: len(cell.messages) >= count)

    def _read(self, is_done: Any) -> None:
        deadline = time.monotonic() + SECONDS
        while not is_done():
            assert time.monotonic() < deadline, "nothing came any more"
            try:
                message = self._client.get_iopub_msg(timeout=1)
            except Empty:
                continue
            parent = message["parent_header"].get("msg_id", "")
            if message["msg_type"] == "status":
                if message["content"]["execution_state"] == "idle":
                    self._idle.add(parent)
            elif message["msg_type"] != "execute_input":
                self._cells.setdefault(parent, Cell()).messages.append(message)
