"""Which files are connectors."""

import pytest

from sendoff import ConfigError
from sendoff.config.discovery import find
from sendoff.testing import Project


def test_yaml_files_at_any_depth_in_byte_order(project: Project) -> None:
    project({f"connectors.d/{name}": "x: 1" for name in ("b.yaml", "a.yml", "team/c.yaml")})
    assert list(find(project.home / "connectors.d").files) == ["a", "b", "c"]


@pytest.mark.parametrize(
    "name",
    [".a.yaml", "_a.yaml", "#a.yaml", "a.yaml~", "a.yaml.bak", "a.yaml.orig", "a.yaml.swp", "a.yaml.dpkg-old", "a.yaml.rpmsave",
     "a.yaml.example", "a.yaml.disabled", "a.txt", "_shared/a.yaml", ".git/a.yaml"],
)  # fmt: skip
def test_what_is_passed_over_is_listed_with_the_reason(project: Project, name: str) -> None:
    found = find(project({f"connectors.d/{name}": "x: 1"}).home / "connectors.d")
    assert not found.files
    assert [reason for _, reason in found.skipped]


def test_an_empty_file_disables(project: Project) -> None:
    found = find(project({"connectors.d/a.yaml": ""}).home / "connectors.d")
    assert not found.files
    assert found.skipped[0][1] == "is empty, which disables it"


@pytest.mark.parametrize("name", ["Über.yaml", "UPPER.yaml", "a b.yaml", "con nul.yaml", "-a.yaml", f"{'a' * 64}.yaml"])
def test_k8_names_are_plain(project: Project, name: str) -> None:
    with pytest.raises(ConfigError, match="is not a valid connector name"):
        find(project({f"connectors.d/{name}": "x: 1"}).home / "connectors.d")


def test_two_files_of_one_name_are_refused_naming_both(project: Project) -> None:
    project({"connectors.d/a.yaml": "x: 1", "connectors.d/team/a.yml": "x: 1"})
    with pytest.raises(ConfigError, match=r"team/a\.yml:1:1: has the name of .*a\.yaml"):
        find(project.home / "connectors.d")


def test_a_directory_that_is_not_there_says_how_to_make_one(project: Project) -> None:
    with pytest.raises(ConfigError, match="sendoff init"):
        find(project.home / "nowhere")
