"""Hooks of MkDocs.

A file of the repository that a page links to is a page of the site, since the repository has no address yet. A row of
the list of recipes whose page is not there is left out.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mkdocs.structure.files import File

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parent.parent
DOCS = "docs"
FOLDER = "repository"
RECIPES = "recipes/index.md"

LINK = re.compile(r"(?<!!)\[(?P<text>[^\]]*)\]\((?P<path>(?:\.\./)+[^)#\s]+)\)")
ANY_LINK = re.compile(r"(?<!!)\[(?P<text>[^\]]*)\]\((?P<path>[^)#\s]+)(?:#[^)]*)?\)")
HIDDEN = "---\nsearch:\n  exclude: true\n---\n"
LANGUAGES = {".py": "python", ".yaml": "yaml", ".yml": "yaml", ".json": "json", ".sh": "sh"}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add a page for each file of the repository that a page links to."""
    linked = {
        path
        for file in files.documentation_pages()
        for match in LINK.finditer(Path(str(file.abs_src_path)).read_text(encoding="utf-8"))
        if (path := repository_path(file.src_uri, match["path"])) is not None
    }
    for path in sorted(linked):
        files.append(File.generated(config, f"{FOLDER}/{path}.md", content=page_of(path)))
    return files


def on_page_markdown(markdown: str, page: Page, **others: Any) -> str:
    """Lead links to files of the repository to their pages."""

    def to_page(match: re.Match[str]) -> str:
        path = repository_path(page.file.src_uri, match["path"])
        if path is None:
            return match[0]
        here = posixpath.dirname(page.file.src_uri)
        return f"[{match['text']}]({posixpath.relpath(f'{FOLDER}/{path}.md', here or '.')})"

    if page.file.src_uri == RECIPES:
        markdown = "\n".join(line for line in markdown.splitlines() if not is_row_of_missing_page(line))
    return markdown if page.file.src_uri.startswith(f"{FOLDER}/") else LINK.sub(to_page, markdown)


def is_row_of_missing_page(line: str) -> bool:
    """Whether a line is a row of a table that leads to a recipe which is not there."""
    link = re.match(r"\|.*\]\(([\w/-]+\.md)\)", line)
    return link is not None and not (ROOT / DOCS / RECIPES).parent.joinpath(link[1]).is_file()


def repository_path(page: str, link: str) -> str | None:
    """Return which file of the repository outside ``docs/`` a link leads to, None if it leads to none."""
    path = posixpath.normpath(posixpath.join(DOCS, posixpath.dirname(page), link))
    if path.startswith(("..", f"{DOCS}/")) or not (ROOT / path).is_file():
        return None
    return path


def page_of(path: str) -> str:
    """Return a page that shows a file; the search is for what is written for readers."""
    text = (ROOT / path).read_text(encoding="utf-8")
    extension = posixpath.splitext(path)[1]
    if extension == ".md":
        return HIDDEN + ANY_LINK.sub(lambda match: link_from(path, match), text)
    fence = "`" * max(4, *(len(run) + 1 for run in re.findall(r"`+", text) or [""]))
    return f"{HIDDEN}# {path}\n\n{fence}{LANGUAGES.get(extension, 'text')}\n{text.rstrip()}\n{fence}\n"


def link_from(path: str, match: re.Match[str]) -> str:
    """Return a link of a page of the repository as it is in the site: to pages of ``docs/``, else its text alone."""
    target = posixpath.normpath(posixpath.join(posixpath.dirname(path), match["path"]))
    if "://" in match["path"]:
        return match[0]
    if not target.startswith(f"{DOCS}/") or not target.endswith(".md"):
        return match["text"]
    here = posixpath.dirname(f"{FOLDER}/{path}.md")
    return f"[{match['text']}]({posixpath.relpath(target.removeprefix(f'{DOCS}/'), here)})"
