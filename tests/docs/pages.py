"""The pages that people read, and the blocks in them that are run.

A block that cannot be run has a mark with the reason above it: ``<!-- skip: next "why" -->``. What a block needs and a
reader does not have to see stands in ``<!-- invisible-code-block: python … -->``.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import SkipTest

from sybil import Document, Sybil
from sybil.evaluators.python import PythonEvaluator
from sybil.parsers.abstract import AbstractCodeBlockParser
from sybil.parsers.markdown import SkipParser
from sybil.parsers.markdown.lexers import DirectiveInHTMLCommentLexer, RawFencedCodeBlockLexer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sybil import Example, Region
    from sybil.typing import Evaluator

__all__ = ["PAGES", "ROOT", "blocks_of", "document_of", "fences_of"]

ROOT = Path(__file__).resolve().parent.parent.parent

PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in [ROOT / "README.md", ROOT / "CHANGELOG.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md")]
)

INCLUDED = "--8<--"
"""A block that takes in a file: the programs in ``examples/`` have tests of their own."""


def document_of(page: str, language: str, evaluate: Evaluator) -> Document:
    """Return a page with all its blocks: evaluated are those in one language."""

    def evaluate_one(example: Example) -> None:
        if example.region.lexemes["arguments"] == language:
            evaluate(example)

    return Sybil([SkipParser(), _BlockParser(evaluate_one)]).parse(ROOT / page)


def blocks_of(page: str, language: str) -> list[tuple[int, str]]:
    """Return the line and the text of each block in a language that is not marked as one that cannot be run."""
    found: list[tuple[int, str]] = []

    def take(example: Example) -> None:
        found.append((example.line, str(example.parsed)))

    for example in document_of(page, language, take).examples():
        evaluate_or_skip(example)
    return found


def evaluate_or_skip(example: Example) -> str | None:
    """Evaluate a block; return why it is not run, where a mark says so."""
    try:
        example.evaluate()
    except SkipTest as skipped:
        return str(skipped)
    return None


def run_python(example: Example) -> None:
    """Run a block in the namespace of its page, unless it is a file that is taken in."""
    if INCLUDED not in example.parsed:
        PythonEvaluator()(example)


def fences_of(page: str) -> list[tuple[int, str]]:
    """Return the line and the language of each block that a reader sees."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return [
        (text.count("\n", 0, region.start) + 1, region.lexemes["arguments"])
        for region in _BLOCKS(Document(text, str(ROOT / page)))
    ]


_BLOCKS = RawFencedCodeBlockLexer(re.compile(r" *(?P<arguments>[^\s{]*)[^\n]*$\n", re.MULTILINE))
"""Blocks in any language, also with a title or numbers of lines behind it."""


class _BlockParser(AbstractCodeBlockParser):
    """All blocks, also those that a reader does not see."""

    def __init__(self, evaluate: Evaluator) -> None:
        hidden = DirectiveInHTMLCommentLexer(directive="invisible-code-block", arguments=".+")
        super().__init__([_BLOCKS, hidden], "any", evaluate)

    def __call__(self, document: Document) -> Iterator[Region]:
        for region in self.lexers(document):
            region.parsed = region.lexemes["source"]
            region.evaluator = self._evaluator
            yield region
