"""X3: under `egress: public` a connector reads and writes nothing outside its project, and no variable that it was not given."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import pytest

from sendoff import ConfigError, SendoffError, Source
from sendoff.plugin import Observer, hookimpl
from sendoff.records import pages
from sendoff.testing import Project
from sendoff_plugins.sources.jsonl import JsonLines

TO = "destination: {url: 'https://api.example.com/v1'}\n"
IN = "source: {use: jsonl, path: in.jsonl}\n"


def rows(source: Source) -> list[tuple[Any, ...]]:
    return [row for page in pages(source.read(None)) for row in page.frame.rows()]


@pytest.fixture
def outside(tmp_path: Path, project: Project) -> Path:
    """A file of another tenant's, to which links in the project lead."""
    other = project.home.parent / f"{tmp_path.name}-other"
    other.mkdir()
    (other / "x.jsonl").write_text('{"salary": 1}\n')
    project({"in.jsonl": '{"a": 1}\n'})
    (project.home / "link.jsonl").symlink_to(other / "x.jsonl")
    (project.home / "folder").symlink_to(other)
    return other


OUTSIDE = ["OUT/x.jsonl", "../NAME/x.jsonl", "link.jsonl", "folder/x.jsonl", "folder/", "../*/x.jsonl"]


@pytest.mark.parametrize("path", OUTSIDE)
def test_a_source_reads_no_file_outside(project: Project, outside: Path, path: str) -> None:
    path = path.replace("OUT", str(outside)).replace("NAME", outside.name)
    project({"connectors.d/c.yaml": f"source: {{use: jsonl, path: '{path}'}}\n{TO}"})
    with pytest.raises(SendoffError, match="outside the project"):
        project.runner(egress="public").run("c")


@pytest.mark.parametrize("path", [path for path in OUTSIDE if path != "../*/x.jsonl"])
def test_a_connector_that_dials_only_public_addresses_reads_what_files_it_names(
    project: Project, outside: Path, path: str
) -> None:
    path = path.replace("OUT", str(outside)).replace("NAME", outside.name)
    to = TO.replace("v1'", "v1', egress: public")
    project({"connectors.d/c.yaml": f"source: {{use: jsonl, path: '{path}'}}\n{to}"})
    assert rows(project.runner().connector("c").source) == [(1,)]


def test_a_pattern_passes_over_links_that_lead_outside_and_says_so_once(
    project: Project, outside: Path, caplog: pytest.LogCaptureFixture
) -> None:
    project({"connectors.d/c.yaml": f"source: {{use: jsonl, path: '*.jsonl'}}\n{TO}"})
    source = project.runner(egress="public").connector("c").source
    assert [rows(source), rows(source)] == [[(1,)], [(1,)]]
    assert [record.getMessage() for record in caplog.records] == [
        "c: skipped: link.jsonl: is outside the project, which is not allowed where egress is `public`"
    ]


@pytest.mark.parametrize("path", [".sendoff/x.jsonl", ".sendoff/", "ledger.jsonl"])
def test_a_source_reads_nothing_of_the_state_directory(project: Project, path: str) -> None:
    project({".sendoff/x.jsonl": '{"a": 1}\n', "connectors.d/c.yaml": f"source: {{use: jsonl, path: {path}}}\n{TO}"})
    (project.home / "ledger.jsonl").symlink_to(".sendoff/x.jsonl")
    with pytest.raises(SendoffError, match="is in the state directory, which is not allowed where egress is `public`"):
        project.runner(egress="public").run("c")


@pytest.mark.parametrize("egress", ["configured", "public"])
@pytest.mark.parametrize(
    ("file", "folder"),
    [
        (".sendoff/ledger.db", ".sendoff"),
        ("link/ledger.db", ".sendoff"),
        ("connectors.d/c.yaml", "connectors.d"),
        ("out/../destinations.d/d.yaml", "destinations.d"),
        ("plugins.d/x.py", "plugins.d"),
    ],
)
def test_no_observer_overwrites_what_sendoff_goes_by(
    project: Project, file: str, folder: str, egress: Literal["configured", "public"]
) -> None:
    project({"in.jsonl": '{"a": 1}\n', "connectors.d/c.yaml": f"{IN}{TO}observers: [{{use: metrics, file: {file}}}]\n"})
    (project.home / "link").symlink_to(".sendoff")
    with pytest.raises(ConfigError, match=rf"is in {folder}, whose files sendoff goes by; choose another folder"):
        project.runner(egress=egress).connector("c")


@pytest.mark.parametrize("path", ["in/*.jsonl", "in/a.jsonl"])
def test_a_link_that_is_put_in_a_files_place_after_it_was_found_is_not_read(project: Project, outside: Path, path: str) -> None:
    project({"in/a.jsonl": '{"a": 1}\n', "connectors.d/c.yaml": f"source: {{use: jsonl, path: '{path}'}}\n{TO}"})
    source = project.runner(egress="public").connector("c").source
    assert isinstance(source, JsonLines)
    [file] = source.files()
    (project.home / "in/a.jsonl").unlink()
    (project.home / "in/a.jsonl").symlink_to(outside / "x.jsonl")
    with pytest.raises(SendoffError, match=r"in/a\.jsonl: is outside the project"), file.fetched():
        pass


def test_what_was_opened_is_read_whatever_is_put_in_its_place(project: Project, outside: Path) -> None:
    project({"in/a.jsonl": '{"a": 1}\n', "connectors.d/c.yaml": f"source: {{use: jsonl, path: in/}}\n{TO}"})
    source = project.runner(egress="public").connector("c").source
    assert isinstance(source, JsonLines)
    [file] = source.files()
    with file.fetched() as path:
        (project.home / "in/a.jsonl").unlink()
        (project.home / "in/a.jsonl").symlink_to(outside / "x.jsonl")
        assert path.read_text() == '{"a": 1}\n'


@pytest.mark.parametrize(
    "text",
    [
        IN + "destination: {url: 'https://api.example.com', headers: {X-Key: '${file:OUT/x.jsonl}'}}\n",
        IN + "destination: {url: 'https://api.example.com', headers: {X-Key: '${file:link.jsonl}'}}\n",
        IN + "destination: {url: 'https://api.example.com', auth: {use: bearer, file: OUT/x.jsonl}}\n",
        IN + "destination: {url: 'https://api.example.com', auth: {use: bearer, file: folder/x.jsonl}}\n",
        IN + TO + "observers: [{use: metrics, file: OUT/metrics.prom}]\n",
        IN + TO + "observers: [{use: metrics, file: folder/metrics.prom}]\n",
    ],
)
def test_no_other_file_outside_is_named(project: Project, outside: Path, text: str) -> None:
    project({"connectors.d/c.yaml": text.replace("OUT", str(outside))})
    project.runner().connector("c")
    with pytest.raises(ConfigError, match="is outside the project, which is not allowed where egress is `public`"):
        project.runner(egress="public").connector("c")


def test_no_account_of_the_machine_is_lent(project: Project) -> None:
    source = f"source: {{use: google_sheets, spreadsheet: {'a' * 44}, credentials: ambient}}\n"
    project({"connectors.d/c.yaml": source + TO})
    project.runner().connector("c")
    with pytest.raises(
        ConfigError, match=r"google_sheets uses the account of the machine \(`credentials: ambient`\), which is not"
    ):
        project.runner(egress="public").connector("c")


@pytest.mark.parametrize("env", [None, {}, {"OTHER": "x"}])
def test_only_given_variables_are_known(
    project: Project, monkeypatch: pytest.MonkeyPatch, env: Mapping[str, str] | None
) -> None:
    monkeypatch.setenv("KEY", "of-the-operator")
    project({"connectors.d/c.yaml": IN + "destination: {url: 'https://api.example.com', headers: {X-Key: '${KEY}'}}\n"})
    assert project.runner().connector("c").destination.headers["X-Key"] == "of-the-operator"
    with pytest.raises(ConfigError, match="the environment variable KEY is none that connectors may use"):
        project.runner(egress="public", env=env).connector("c")
    given = project.runner(egress="public", env={"KEY": "of-the-tenant"}).connector("c")
    assert given.destination.headers["X-Key"] == "of-the-tenant"


class Caller(Observer):
    """Tell another machine of each run."""

    name = "caller"
    privileged = "connects to anything"


def test_no_part_goes_where_egress_cannot_see_not_even_an_observer(project: Project) -> None:
    project({"in.jsonl": '{"a": 1}\n', "connectors.d/c.yaml": IN + TO + "observers: [caller]\n"})
    plugin = SimpleNamespace(sendoff_observers=hookimpl(lambda: [Caller]))
    project.runner(plugins=[plugin]).connector("c")
    with pytest.raises(ConfigError, match="caller connects to anything, which is not allowed where egress is `public`"):
        project.runner(plugins=[plugin], egress="public").connector("c")


@pytest.mark.parametrize(
    ("env", "proxy"),
    [
        (None, "http://of-the-operator:1"),
        ({}, None),
        ({"HTTPS_PROXY": "http://given:1"}, "http://given:1"),
        ({"https_proxy": "http://lower:1", "HTTPS_PROXY": "http://given:1"}, "http://lower:1"),
        ({"https_proxy": "http://given:1", "NO_PROXY": "example.com"}, None),
    ],
)
def test_a_proxy_of_the_environment_is_one_of_the_given_variables(
    project: Project, monkeypatch: pytest.MonkeyPatch, env: Mapping[str, str] | None, proxy: str | None
) -> None:
    monkeypatch.setenv("https_proxy", "http://of-the-operator:1")
    project({"connectors.d/c.yaml": IN + TO.replace("v1'", "v1', proxy: env")})
    assert project.runner(env=env).connector("c").destination.proxy == proxy
