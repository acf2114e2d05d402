"""The wheel and the sdist: what is in them, and that the wheel works where it is installed, as the pages say."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.acceptance.servers import DOCKERFILE_UTILS
from tests.docs.pages import ROOT, blocks
from tests.servers import free_port, wanted

#: Those that `classifiers` names, and that may be on the machine. On the running one the Containerfile's commands are run.
OTHER_PYTHONS = [version for version in ("3.11", "3.12", "3.13", "3.14") if version != f"3.{sys.version_info.minor}"]
PAGE = {block.file: block.text for block in blocks((ROOT / "docs/how-to/container-and-systemd.md").read_text()) if block.file}


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel and an sdist, built as the page says, but with the hatchling that is installed here."""
    folder = tmp_path_factory.mktemp("dist")
    run([sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)])
    return folder


def run(command: list[str], cwd: Path | None = None, **environment: str) -> str:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    done = subprocess.run(
        command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={**clean, "NO_COLOR": "1", **environment}
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def wheel(dist: Path) -> Path:
    (found,) = dist.glob("*.whl")
    return found


def deliver(sendoff: Path, home: Path) -> None:
    """The way of a newcomer, with an installed sendoff and nothing else."""
    home.mkdir()
    (home / "people.csv").write_text("id,email\n1,ann@example.com\n2,bob@example.com\n")
    assert re.fullmatch(r"sendoff, version \d+\.\d+\.\d+\n", run([str(sendoff), "--version"], home))
    run([str(sendoff), "init"], home)
    run([str(sendoff), "new", "people", "--from", "people.csv", "--url", "http://127.0.0.1:${env:SENDOFF_PORT}/v1/people"], home)
    assert "1 connector: nothing wrong" in run([str(sendoff), "check"], home, SENDOFF_PORT="8824")
    port = str(free_port())
    said = run([str(sendoff), "sandbox", "--port", port, "--", str(sendoff), "run"], home, SENDOFF_PORT=port)
    assert re.search(r"^people +1 +2 +2 +0 +0 +0 +1 .* complete$", said, re.MULTILINE), said


def test_the_wheel_has_what_core_and_plugins_have_and_no_tests(dist: Path) -> None:
    held = {name for name in zipfile.ZipFile(wheel(dist)).namelist() if ".dist-info/" not in name}
    there = {
        file.relative_to(ROOT / root).as_posix()
        for root in ("core", "plugins")
        for file in (ROOT / root).rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    assert held == there
    assert {name.partition("/")[0] for name in held} == {"sendoff", "sendoff_plugins"}
    assert {"sendoff/py.typed", "sendoff/apis/hubspot.yaml"} <= held


def test_the_metadata_name_no_project_of_the_index_as_ours(dist: Path) -> None:
    archive = zipfile.ZipFile(wheel(dist))
    (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
    needs = re.findall(r"^Requires-Dist: ([\w.-]+)", archive.read(name).decode(), re.MULTILINE)
    assert "polars" in needs
    assert "sendoff" not in needs


def test_the_sdist_has_what_the_repository_has(dist: Path) -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("this is no git repository")
    tracked = {name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()}
    (archive,) = dist.glob("*.tar.gz")
    with tarfile.open(archive) as opened:
        held = {name.partition("/")[2] for name in opened.getnames()}
    assert tracked - held == set()
    assert held - tracked - untracked() == {"PKG-INFO"}


def untracked() -> set[str]:
    """What somebody is working on, and has not added yet."""
    return set(run(["git", "ls-files", "-z", "--others", "--exclude-standard"], ROOT).split("\0"))


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("version", OTHER_PYTHONS)
def test_the_wheel_installs_and_delivers_on_another_python(version: str, dist: Path, tmp_path: Path) -> None:
    python = interpreter(version)
    if python is None:
        pytest.skip(f"Python {version} is not on this machine")
    run([str(python), "-m", "venv", "--without-pip", str(tmp_path / "env")])
    install(tmp_path / "env/bin/python", str(wheel(dist)))
    deliver(tmp_path / "env/bin/sendoff", tmp_path / "project")


def interpreter(version: str) -> Path | None:
    """A Python of this version that starts."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    on_path = shutil.which(f"python{version}")
    for each in [*sorted(pyenv.glob(f"{version}.*/bin/python")), *([Path(on_path)] if on_path else [])]:
        if subprocess.run([each, "-c", "import venv"], capture_output=True).returncode == 0:
            return each
    return None


def install(python: Path, what: str) -> None:
    options = ["--quiet", "--disable-pip-version-check", "--no-compile"]
    run([sys.executable, "-m", "pip", "--python", str(python), "install", *options, what])


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_commands_of_the_containerfile_install_what_its_entry_point_starts(dist: Path, tmp_path: Path) -> None:
    lines = PAGE["Containerfile"].splitlines()
    (copied,) = [line.split()[1:] for line in lines if line.startswith("COPY ")]
    assert [*dist.glob(Path(copied[0]).name)] == [wheel(dist)]
    prefix = tmp_path / "opt"
    places = {f" {copied[1]}": f" {dist}/", "/opt/sendoff": str(prefix), "RUN python ": f"RUN {sys.executable} "}
    for line in lines:
        for old, new in places.items():
            line = line.replace(old, new)  # noqa: PLW2901  # one place after the other
        if line.startswith("RUN ") and "useradd" not in line:
            run(["sh", "-c", line.removeprefix("RUN ")])
    (entry,) = [json.loads(line.partition(" ")[2]) for line in lines if line.startswith("ENTRYPOINT ")]
    program = Path(entry[0].replace("/opt/sendoff", str(prefix)))
    deliver(program, tmp_path / "project")
    (words,) = [json.loads(line.partition(" ")[2]) for line in lines if line.startswith("CMD ")]
    assert "Usage: sendoff serve" in run([str(program), *words, "--help"])
    unit = tmp_path / "sendoff.service"
    unit.write_text(PAGE["sendoff.service"].replace("/opt/sendoff", str(prefix)))
    assert run([wanted("systemd-analyze"), "verify", "--recursive-errors=no", str(unit)]) == ""


def test_the_containerfile_has_no_mistake_of_syntax(tmp_path: Path) -> None:
    (tmp_path / "Containerfile").write_text(PAGE["Containerfile"])
    run(["node", wanted(DOCKERFILE_UTILS), "lint", str(tmp_path / "Containerfile")])
    (tmp_path / "Wrong").write_text(PAGE["Containerfile"].replace("WORKDIR", "WORKDIRR"))
    with pytest.raises(AssertionError, match="WORKDIRR"):
        run(["node", wanted(DOCKERFILE_UTILS), "lint", str(tmp_path / "Wrong")])
