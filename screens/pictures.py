"""Takes pictures of a backend's pages with Debian's Chromium; where there is none, it says so and takes none."""

from __future__ import annotations

import io
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from playwright.sync_api import Page as PlaywrightPage

__all__ = ["BROWSER", "Page", "browser", "keep", "take", "visit"]


@dataclass(frozen=True, slots=True)
class Page:
    """An address, a text that stands on the page once it is whole, and texts to click on then, one after the other."""

    address: str
    text: str
    clicks: tuple[str, ...] = ()


BROWSER = "chromium"
_WIDTH, _HEIGHT = 1400, 800
_COLOURS = 128
_SETTLED = 5000
"""Milliseconds after which a page has drawn what it asked for."""

_PATIENCE = 30_000

_FIRST_VISIT = """
localStorage.setItem('mlflow.assistant.panelOpen_v1', 'false');
localStorage.setItem('mlflow.assistant.fab.autoOpenedOnFirstLoad_v1', 'true');
"""
"""Keeps MLflow's assistant from opening over the page by itself."""

_IN_THE_WAY = ("Got it",)
"""Buttons of what a backend lays over its page when it is opened for the first time."""

_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def take(pages: Mapping[str, Page], folder: Path) -> list[Path]:
    """Photograph each page under its name; return the pictures."""
    taken: list[Path] = []
    with browser() as shown:
        if shown is None:
            return taken
        from playwright.sync_api import Error

        for name, page in pages.items():
            target = folder / f"{name}.png"
            try:
                visit(shown, page)
            except Error as error:
                print(f"  {name} is not as expected: {error}", flush=True)
            keep(shown.screenshot(), target)
            taken.append(target)
    return taken


@contextmanager
def browser() -> Iterator[PlaywrightPage | None]:
    """Open a browser's window and yield it; say so and yield None where there is no browser."""
    executable = shutil.which(BROWSER)
    if executable is None:
        print(f"  no pictures: the program `{BROWSER}` is missing (Debian's package of that name has it)", flush=True)
        yield None
        return
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=executable, args=[*_ARGUMENTS])
        shown = opened.new_page(viewport={"width": _WIDTH, "height": _HEIGHT}, color_scheme="light")
        shown.add_init_script(_FIRST_VISIT)
        yield shown
        opened.close()


def keep(picture: bytes, target: Path) -> None:
    """Write a picture with as many colours as a page needs: a third of the bytes, and small enough for a README."""
    from PIL import Image

    target.parent.mkdir(parents=True, exist_ok=True)
    Image.open(io.BytesIO(picture)).convert("RGB").quantize(_COLOURS, dither=Image.Dither.NONE).save(
        target, optimize=True
    )
    print(f"  {target}", flush=True)


def visit(shown: PlaywrightPage, page: Page) -> None:
    """Go to a page, wait until it is whole and click on what is to be clicked. Raises: Playwright's `Error`."""
    shown.goto("about:blank")
    shown.goto(page.address, timeout=_PATIENCE)
    shown.get_by_text(page.text).first.wait_for(timeout=_PATIENCE)
    for text in _IN_THE_WAY:
        for button in shown.get_by_role("button", name=text, exact=True).all():
            button.click(timeout=_PATIENCE)
    for text in page.clicks:
        shown.get_by_text(text).last.click(timeout=_PATIENCE)
    shown.wait_for_timeout(_SETTLED)
