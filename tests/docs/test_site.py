"""The site is whole: built without a warning, every link in it leads somewhere, and nothing in it is from another host."""

from __future__ import annotations

import fcntl
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag

import pytest

from .pages import ROOT

#: Tags that make a browser load something, and the attribute that says what.
LOADS = {"script": "src", "img": "src", "iframe": "src", "source": "src", "link": "href"}


class Parsed(HTMLParser):
    """A page's links, anchors, and what it makes a browser load."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        #: Those of the text and of the tabs: what is seen without opening a menu.
        self.seen: list[str] = []
        self._in_text = False
        self.anchors = {""}
        self.loaded: list[str] = []
        self.feed(file.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.anchors |= {value for name in ("id", "name") if (value := given.get(name))}
        if tag == "a" and (link := given.get("href")):
            self.links.append(link)
            if self._in_text or given.get("class") == "md-tabs__link":
                self.seen.append(link)
        self._in_text |= tag == "article"
        if tag in LOADS and given.get("rel") not in ("canonical", "next", "prev") and (link := given.get(LOADS[tag])):
            self.loaded.append(link)

    def handle_endtag(self, tag: str) -> None:
        self._in_text &= tag != "article"


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """The site, built once for all workers."""
    base = tmp_path_factory.getbasetemp()
    shared = (base if worker_id == "master" else base.parent) / "site"
    with shared.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (shared / "index.html").exists():
            command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(shared)]
            done = subprocess.run(
                command, cwd=ROOT, env=os.environ | {"NO_MKDOCS_2_WARNING": "1"}, text=True, capture_output=True
            )
            assert done.returncode == 0, done.stderr
    return shared


@pytest.fixture(scope="session")
def parsed(site: Path) -> dict[Path, Parsed]:
    return {file: Parsed(file) for file in site.rglob("*.html") if file.name != "404.html"}


def internal(file: Path, links: list[str]) -> Iterator[tuple[str, Path, str]]:
    """Each link of a page that stays on the site: as written, the file, and the anchor."""
    for link in links:
        if not re.match(r"\w+:|//", link):
            path, anchor = urldefrag(link)
            yield link, (file.parent / unquote(path)).resolve() if path else file, unquote(anchor)


def test_every_link_on_the_site_leads_to_a_page_and_an_anchor_that_are_there(parsed: dict[Path, Parsed]) -> None:
    broken = {
        f"{file.name}: {link}"
        for file, page in parsed.items()
        for link, target, anchor in internal(file, page.links)
        if not target.is_file() or (target in parsed and anchor not in parsed[target].anchors)
    }
    assert len(parsed) > 100
    assert not broken


def test_nothing_is_loaded_from_another_host(parsed: dict[Path, Parsed], site: Path) -> None:
    loaded = {link for page in parsed.values() for link in page.loaded}
    assert loaded
    assert not {link for link in loaded if re.match(r"\w+:|//", link)}
    assert not [file.name for file in site.rglob("*.css") if re.search(r"url\(['\"]?(https?:)?//", file.read_text())]
    assert not [file for file, page in parsed.items() if 'class="mermaid"' in file.read_text()], "mermaid is loaded from afar"


def test_every_page_is_three_clicks_from_the_first(parsed: dict[Path, Parsed], site: Path) -> None:
    reached = frontier = {(site / "index.html").resolve()}
    for _ in range(3):
        frontier = {
            target for file in frontier for _, target, _ in internal(file, parsed[file].seen) if target in parsed
        } - reached
        reached = reached | frontier
    assert not {str(file.relative_to(site)) for file in parsed if file not in reached}


def test_the_search_of_the_site_has_all_pages_and_needs_no_server(site: Path, parsed: dict[Path, Parsed]) -> None:
    index = json.loads((site / "search/search_index.json").read_text())
    found = {entry["location"].partition("#")[0] for entry in index["docs"]}
    assert {str(file.relative_to(site)) for file in parsed} - found == set()


def test_links_to_other_hosts_are_written_as_https(parsed: dict[Path, Parsed]) -> None:
    """Only a list: whether they answer cannot be known without a network."""
    outside = {link for page in parsed.values() for link in page.links if re.match(r"http:", link)}
    assert outside <= {link for link in outside if re.match(r"http://(localhost|127\.0\.0\.1)", link)}, outside
