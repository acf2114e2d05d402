"""Hooks of MkDocs: turns the pages, as they are in the repository, into those of the site.

* A folder in the navigation is its README.md, and the pages that it lists, under its headings.
* A link out of docs/ leads to a page of the site (the pages of the repository's root) or to the file's text.
* A block that names its ``file=`` has that as its title.
* Lists and tables need no empty line before them, and what is in a list is indented by two, as CommonMark has it.
"""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
LINK = re.compile(r"(?<=\]\()(?!\w+:)([^)#\s]+)")
FENCE = re.compile(r"( *)```")
ITEM = re.compile(r" *(?:[-*]|\d+\.) ")
#: Where the pages of the repository's root are on the site.
ROOT_PAGES = {
    "README.md": "index.md",
    "CHANGELOG.md": "project/changelog.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "SECURITY.md": "project/security.md",
}


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Write out the folders of the navigation."""
    config.nav = [
        {title: _listed(at) if isinstance(at, str) and at.endswith("/") else _nav(at)} for title, at in _pairs(config)
    ]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what pages link to and is not in docs/."""
    for name, at in ROOT_PAGES.items():
        if at != "index.md":
            files.append(File.generated(config, at, content=_moved((ROOT / name).read_text(), ".", at)))
    for page in [*files.documentation_pages()]:
        folder = posixpath.dirname(f"docs/{page.src_uri}")
        for link in LINK.findall(page.content_string):
            target = posixpath.normpath(posixpath.join(folder, link))
            at = _place(target)
            if not at.startswith("..") and files.get_file_from_path(at) is None and (ROOT / target).is_file():
                files.append(File.generated(config, at, content=(ROOT / target).read_text()))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn a page."""
    here = page.file.src_uri
    if here not in ROOT_PAGES.values() or here == "index.md":
        markdown = _moved(markdown, posixpath.dirname(f"docs/{here}"), here)
    titled = re.sub(r"^```(\w+) file=(\S+)$", r'```\1 title="\2"', markdown, flags=re.MULTILINE)
    return "\n".join(_python_markdown(titled.split("\n")))


def _pairs(config: MkDocsConfig) -> Iterator[tuple[str, Any]]:
    for entry in config.nav or []:
        yield from entry.items()


def _nav(entries: Any) -> Any:
    if isinstance(entries, str):
        return entries
    return [{title: _listed(at) if at.endswith("/") else at for title, at in entry.items()} for entry in entries]


def _listed(folder: str) -> list[Any]:
    """A folder's README.md and the pages that it lists, under its headings."""
    nav: list[Any] = [f"{folder}README.md"]
    group = nav
    for line in (ROOT / "docs" / folder / "README.md").read_text().splitlines():
        if line.startswith("## "):
            group = []
            nav.append({line.removeprefix("## "): group})
        for title, link in re.findall(r"^(?:- |\| )\[([^]]+)\]\(([^):#]+\.md)\)", line):
            group.append({title.replace("`", ""): posixpath.normpath(f"{folder}{link}")})
    return [entry for entry in nav if entry != {} and (isinstance(entry, str) or all(entry.values()))]


def _place(target: str) -> str:
    """Where a file of the repository is on the site."""
    if target.startswith("docs/"):
        return target.removeprefix("docs/")
    return ROOT_PAGES.get(target) or (f"{target}.txt" if "." not in posixpath.basename(target) else f"source/{target}.txt")


def _moved(markdown: str, folder: str, here: str) -> str:
    """The links of a page that is in `folder` of the repository, and at `here` on the site."""

    def link(match: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(folder, match[0]))
        return os.path.relpath(_place(target), posixpath.dirname(here) or ".")

    return LINK.sub(link, markdown)


def _python_markdown(lines: list[str]) -> Iterator[str]:
    """CommonMark's lines, as Python-Markdown reads them."""
    fence, before, shift, parts, was_in_parts = False, "", 0, False, False
    for line in lines:
        if FENCE.match(line):
            fence = not fence
            shift = _shift(line) if fence else shift
            yield " " * shift + line
        elif fence:
            yield " " * shift + line
        else:
            item = ITEM.match(line) is not None
            parts = (parts or not before.strip()) and line.startswith(" ")  # an item of several parts, not only lines
            begins = item and not ITEM.match(before) and (was_in_parts or not before.startswith(" "))
            was_in_parts = parts
            begins |= line.lstrip().startswith("|") and not before.lstrip().startswith("|")
            if begins and before.strip():
                yield ""
            yield " " * _shift(line) + line
        before = line


def _shift(line: str) -> int:
    """How much further a line in a list is indented: four a level, where CommonMark has two or three."""
    indent = len(line) - len(line.lstrip(" "))
    return (indent // 2) * 4 - indent if line.strip() else 0
