"""X3: under `egress: public` a connector reads and writes nothing outside its project, and no variable that it was not given."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace

import pytest

from sendoff import ConfigError, SendoffError
from sendoff.plugin import Observer, hookimpl
from sendoff.testing import Project

TO = "destination: {url: 'https://api.example.com/v1'}\n"
IN = "source: {use: jsonl, path: in.jsonl}\n"


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


@pytest.mark.parametrize(
    "path", ["OUT/x.jsonl", "../NAME/x.jsonl", "link.jsonl", "folder/x.jsonl", "folder/", "*.jsonl", "../*/x.jsonl"]
)
@pytest.mark.parametrize("of_connector", [False, True])
def test_a_source_reads_no_file_outside(project: Project, outside: Path, path: str, of_connector: bool) -> None:
    path = path.replace("OUT", str(outside)).replace("NAME", outside.name)
    to = TO.replace("v1'", "v1', egress: public") if of_connector else TO
    project({"connectors.d/c.yaml": f"source: {{use: jsonl, path: '{path}'}}\n{to}"})
    runner = project.runner(egress="configured" if of_connector else "public")
    with pytest.raises(SendoffError, match="outside the project|leads out of the folder"):
        runner.run("c")


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
