"""The notebook that the program runs in: which cell runs, and how something is shown below it or an earlier one."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any, TypeAlias

__all__ = ["Cell", "current_cell", "is_interactive", "shell_of_notebook", "show_below"]

Cell: TypeAlias = Mapping[str, Any]
"""The header of the message that ran a cell: what is to stand below the cell names it as its parent."""


def shell_of_notebook() -> Any:
    """Return IPython's shell if a notebook shows what the program prints, else ``None``.

    That is where a kernel runs the program, in Jupyter, VS Code or Colab, and nobody has put another stream in the
    place of standard output. A terminal has no kernel, and a forked child not the kernel's.
    """
    shell = _shell()
    if getattr(shell, "kernel", None) is None:
        return None
    publisher = shell.display_pub
    if not hasattr(publisher, "parent_header"):  # `%%capture` takes what is displayed, and what is printed too.
        return shell
    is_own = getattr(publisher.session, "pid", os.getpid()) == os.getpid()
    return shell if is_own and hasattr(sys.stdout, "parent_header") else None


def is_interactive() -> bool:
    """Whether somebody types what the program does next, in a notebook or in a terminal."""
    return _shell() is not None or hasattr(sys, "ps1")


def current_cell() -> Cell | None:
    """Return the cell below which a ``print`` at this place would stand; ``None`` outside of notebooks.

    In a thread that is the cell that started the thread where the kernel knows that, else the one that runs.
    """
    shell = _shell()
    if getattr(shell, "kernel", None) is None:
        return None
    for place in (sys.stdout, shell.display_pub, shell):
        header = getattr(place, "parent_header", None)
        if header:
            return header.get("header", header)  # type: ignore[no-any-return]
    return None


def show_below(cell: Cell | None, html: str, text: str) -> None:
    """Show HTML, or the text where a frontend shows none, below a cell; ``None`` stands for the one that runs."""
    publisher = shell_of_notebook().display_pub
    data = {"text/html": html, "text/plain": text}
    here = getattr(publisher, "parent_header", None)
    if cell is None or not here or here.get("msg_id") == cell.get("msg_id"):
        publisher.publish(data=data, metadata={})
        return
    # `publish` knows the cell that runs alone; a frontend takes what names another one as well.
    content = {"data": data, "metadata": {}, "transient": {}}
    message = publisher.session.msg("display_data", content, parent=cell)
    publisher.session.send(publisher.pub_socket, message, ident=publisher.topic)


def _shell() -> Any:
    # Where IPython runs the program it is imported.
    get_ipython = getattr(sys.modules.get("IPython"), "get_ipython", None)
    return None if get_ipython is None else get_ipython()
