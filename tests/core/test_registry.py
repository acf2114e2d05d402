"""Plugins come in by three doors, all alike, and a broken one is told by name."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from sendoff import Component, PluginError, Source, hookimpl
from sendoff.components import KINDS
from sendoff.registry import Registry
from sendoff.testing import check_component

PLUGIN = '''
from sendoff import Source, hookimpl


class Fibonacci(Source):
    """The first `count` Fibonacci numbers."""

    name = "fibonacci"
    options = {"count": {"type": "integer", "default": 10, "meta": {"help": "How many."}}}

    def read(self, cursor):
        a, b = 0, 1
        for _ in range(self.count):
            yield {"n": a}
            a, b = b, a + b


@hookimpl
def sendoff_sources():
    return [Fibonacci]
'''


def offering(*classes: type) -> object:
    def sendoff_sources() -> list[type]:
        return list(classes)

    return type("Plugin", (), {"sendoff_sources": staticmethod(hookimpl(sendoff_sources))})


def built_ins() -> list[type[Component]]:
    registry = Registry()
    return [offer.component for kind in KINDS for offer in registry.offers(kind).values()]


@pytest.mark.parametrize("component", built_ins(), ids=lambda component: component.name)
def test_every_built_in_keeps_the_contract(component: type[Component]) -> None:
    check_component(component)


def test_a_file_in_plugins_d_is_a_plugin(tmp_path: Path) -> None:
    (tmp_path / "plugins.d").mkdir()
    file = tmp_path / "plugins.d/fib.py"
    file.write_text(PLUGIN)
    offer = Registry(files=[file]).offers("sources")["fibonacci"]
    assert offer.provider == "plugins.d/fib.py"
    assert offer.summary == "The first `count` Fibonacci numbers."


def installed(directory: Path, code: str = PLUGIN, *, entry: str = "fibonacci", package: str = "sendoff-fibonacci") -> None:
    """What an installer leaves behind: the module, and its metadata."""
    module = package.replace("-", "_")
    (directory / f"{module}.py").write_text(code)
    info = directory / f"{module}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[sendoff.sources]\n{entry} = {module}\n")


def listed(*words: str, cwd: Path, path: Path | None = None, how: tuple[str, ...] = ("-m", "sendoff")) -> str:
    """What ``sendoff`` says to these words."""
    env = {**os.environ, "PYTHONPATH": str(path or "")}
    done = subprocess.run([sys.executable, *how, *words], cwd=cwd, env=env, capture_output=True, text=True)
    return done.stdout + done.stderr


def test_an_installed_package_with_an_entry_point_is_a_plugin(tmp_path: Path) -> None:
    installed(tmp_path)
    assert listed("plugins", "fibonacci", cwd=tmp_path, path=tmp_path).startswith(
        "fibonacci (sources, from sendoff-fibonacci 1.0)"
    )


def test_only_what_is_used_is_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed(tmp_path, "raise ImportError('broken')")
    monkeypatch.syspath_prepend(str(tmp_path))
    code = "import sys\nfrom sendoff.registry import Registry\nregistry = Registry()\n"
    code += (
        "print(registry.find('senders', 'single').name, *sorted(m for m in sys.modules if m.startswith('sendoff_plugins.')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["single", "sendoff_plugins.senders", "sendoff_plugins.senders.single"]


def test_a_plugin_that_cannot_be_loaded_stops_those_who_use_it_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed(tmp_path, "raise ImportError('broken')")
    monkeypatch.syspath_prepend(str(tmp_path))
    registry = Registry()
    assert registry.find("sources", "csv") is not None
    assert registry.suggest("sources", "fibonaci") == "fibonacci"
    with pytest.raises(PluginError, match=r"plugin fibonacci of sendoff-fibonacci 1\.0 cannot be loaded: broken"):
        registry.find("sources", "fibonacci")


def test_an_entry_point_has_its_component_s_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed(tmp_path, entry="numbers", package="sendoff-numbers")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(
        PluginError, match=r"'numbers' of sendoff\.sources leads to sendoff_numbers, which offers 'fibonacci' there"
    ):
        Registry().find("sources", "numbers")


def test_two_packages_that_offer_one_name_are_both_named_before_either_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for package in ("sendoff-fibonacci", "sendoff-golden"):
        installed(tmp_path, "raise SystemExit('loaded')", package=package)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(PluginError, match=r"'fibonacci' is offered by sendoff-(fibonacci|golden) 1\.0 and by sendoff-"):
        Registry()


def test_x4_what_lies_in_the_working_directory_is_no_plugin(tmp_path: Path) -> None:
    installed(tmp_path, "raise SystemExit('loaded')")
    assert "loaded" in listed("plugins", cwd=tmp_path, path=tmp_path)  # on the path it would be one
    assert "csv" in listed("plugins", cwd=tmp_path)


@pytest.mark.parametrize("allowed", ["", "sendoff", "sendoff,plugins.d/good.py"])
def test_x4_of_plugins_that_are_not_allowed_not_a_line_is_run(tmp_path: Path, allowed: str) -> None:
    far = tmp_path / "far"
    far.mkdir()
    installed(far, "raise SystemExit('loaded')")
    (tmp_path / "connectors.d").mkdir()
    (tmp_path / "plugins.d").mkdir()
    (tmp_path / "plugins.d/bad.py").write_text("raise SystemExit('loaded')")
    (tmp_path / "plugins.d/good.py").write_text(PLUGIN)
    said = listed("--plugins", allowed, "plugins", cwd=tmp_path, path=far)
    assert "loaded" not in said.replace("not loaded", "")
    assert ("fibonacci" in said.partition("not loaded")[0]) == ("good" in allowed)
    assert "sendoff-fibonacci" in said.partition("not loaded")[2]


def test_x4_a_variable_that_is_empty_allows_no_plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kind: a guard that opens when its list is gone, as in `SENDOFF_PLUGINS=$LIST`."""
    (tmp_path / "plugins.d").mkdir()
    (tmp_path / "plugins.d/bad.py").write_text("raise SystemExit('loaded')")
    monkeypatch.setenv("SENDOFF_PLUGINS", "")
    assert "not loaded, as they are not allowed: plugins.d/bad.py" in listed("plugins", cwd=tmp_path)


@pytest.mark.parametrize("code", [None, 0, "'bye'"])
def test_x4_a_plugin_that_exits_while_it_is_imported_is_named_and_ends_with_2(tmp_path: Path, code: object) -> None:
    (tmp_path / "connectors.d").mkdir()
    (tmp_path / "plugins.d").mkdir()
    (tmp_path / "plugins.d/x.py").write_text(f"raise SystemExit({code})")
    for command in ("run", "check", "plugins"):
        done = subprocess.run([sys.executable, "-m", "sendoff", command], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 2
        assert "plugins.d/x.py: SystemExit: " in (done.stdout if command == "check" else done.stderr)


def test_x4_what_a_plugin_prints_while_it_is_imported_is_told_by_its_name_and_in_no_json(tmp_path: Path) -> None:
    (tmp_path / "connectors.d").mkdir()
    (tmp_path / "plugins.d").mkdir()
    (tmp_path / "plugins.d/x.py").write_text("print('here I am\\x1b[2J')\n" + PLUGIN)
    done = subprocess.run(
        [sys.executable, "-m", "sendoff", "plugins", "fibonacci", "--json"], cwd=tmp_path, capture_output=True, text=True
    )
    assert json.loads(done.stdout)[0]["name"] == "fibonacci"
    assert "plugins.d/x.py printed while it was imported: here I am [2J" in done.stderr


@pytest.mark.parametrize("open_to_others", ["plugins.d", "plugins.d/x.py"])
def test_x4_plugins_that_others_can_write_are_warned_of(tmp_path: Path, open_to_others: str) -> None:
    (tmp_path / "plugins.d").mkdir()
    file = tmp_path / "plugins.d/x.py"
    file.write_text(PLUGIN)
    assert not Registry(files=[file]).warnings
    (tmp_path / open_to_others).chmod(0o777)
    assert Registry(files=[file]).warnings == [
        f"{file}: others can write it or its folder, and it runs with your rights; chmod o-w"
    ]


def test_x4_a_plugin_is_allowed_by_any_spelling_of_its_name(tmp_path: Path) -> None:
    installed(tmp_path)
    assert "fibonacci (sources" in listed("--plugins", "Sendoff_Fibonacci", "plugins", "fibonacci", cwd=tmp_path, path=tmp_path)


def test_x4_a_name_among_those_allowed_that_is_nobody_s_is_told(tmp_path: Path) -> None:
    with pytest.raises(PluginError, match="no plugin is named 'acme-sendoff'"):
        Registry(allow=["acme-sendoff"])


class Named(Source):
    """Fine."""

    name = "named"

    def read(self, cursor: object) -> list[Any]:
        return []


class Nameless(Source):
    """Has no name."""

    def read(self, cursor: object) -> list[Any]:
        return []


class Undocumented(Source):
    name = "undocumented"

    def read(self, cursor: object) -> list[Any]:
        return []


class Verbless(Source):
    """Does nothing."""

    name = "verbless"


class Helpless(Named):
    """Has an option without help."""

    name = "helpless"
    options = {"x": {"type": "string"}}


class Misruled(Named):
    """Has an option whose rules are none."""

    name = "misruled"
    options = {"x": {"typ": "string", "meta": {"help": "x"}}}


class Hiding(Named):
    """Has an option that would take the place of its own verb."""

    name = "hiding"
    options = {"read": {"type": "boolean", "default": True, "meta": {"help": "x"}}}


class Renaming(Named):
    """Has an option that would take the place of its own name."""

    name = "renaming"
    options = {"name": {"type": "string", "meta": {"help": "x"}}}


class Lettered(Named):
    """Gives a word where a tuple of words is meant: each of its letters would be a purpose."""

    name = "lettered"
    default_for = ".x"


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (Nameless, "Nameless has no name"),
        (Undocumented, "Undocumented has no docstring"),
        (Verbless, "Verbless does not define read"),
        (Helpless, "option 'x' has no help"),
        (Misruled, "its options are not a Cerberus schema"),
        (Hiding, "option 'read' has the name of something that every Source has"),
        (Renaming, "option 'name' has the name of something that every Source has"),
        (Lettered, r"Lettered: default_for is a tuple, like \('.x',\)"),
        (str, "str is offered among sources but is not a Source"),
    ],
)
def test_a_class_that_breaks_the_contract_is_refused_by_name(found: type, told: str) -> None:
    with pytest.raises(PluginError, match=told):
        Registry(plugins=[offering(found)])


def test_two_plugins_that_offer_one_name_are_both_named() -> None:
    class Csv(Named):
        """Another one."""

        name = "csv"

    with pytest.raises(PluginError, match=r"'csv' is offered by sendoff .* and by Plugin"):
        Registry(plugins=[offering(Csv)])


def declaring(component: str, *purposes: str) -> type[Source]:
    def read(self: Source, cursor: object) -> list[object]:
        return []

    return type(component.title(), (Source,), {"name": component, "__doc__": "Rows.", "default_for": purposes, "read": read})


def test_a_component_declares_what_it_is_the_default_for() -> None:
    registry = Registry(plugins=[offering(declaring("mine", ".mine", ".csv"))])
    chosen = [registry.default("sources", ending) for ending in (".mine", ".tsv", ".nothing")]
    assert [component and component.name for component in chosen] == ["mine", "csv", None]
    with pytest.raises(
        PluginError, match=r"sources: 'csv' and 'mine' both declare themselves the default for '.csv'; name one"
    ):
        registry.default("sources", ".csv")


@pytest.mark.parametrize("ending", [".arrow", ".csv", ".json", ".jsonl", ".ods", ".parquet", ".tsv", ".xlsx"])
def test_a_file_of_each_kind_has_its_source(ending: str) -> None:
    assert Registry().default("sources", ending) is not None


def test_a_default_is_found_beside_a_plugin_that_cannot_be_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed(tmp_path, "import nothing_of_this_name\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    chosen = Registry().default("sources", ".csv")
    assert chosen
    assert chosen.name == "csv"
    with pytest.raises(PluginError, match="nothing_of_this_name"):
        Registry().default("sources", ".fibonacci")


def test_a_misspelt_hook_is_refused() -> None:
    def sendoff_sauces() -> list[type]:
        return []

    plugin = type("Plugin", (), {"sendoff_sauces": staticmethod(hookimpl(sendoff_sauces))})
    with pytest.raises(PluginError, match="a hook that does not exist"):
        Registry(plugins=[plugin])


def test_a_file_that_does_not_load_is_told_with_its_error(tmp_path: Path) -> None:
    file = tmp_path / "broken.py"
    file.write_text("import nothing_of_this_name")
    with pytest.raises(PluginError, match=r"broken\.py: ModuleNotFoundError"):
        Registry(files=[file])


def test_standard_output_is_as_it_was_after_many_threads_have_loaded_plugins(tmp_path: Path) -> None:
    """Kind: a redirection of something that all threads share."""
    (tmp_path / "x.py").write_text("import time\ntime.sleep(0.01)\nprint('here')\n")
    before = sys.stdout
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: Registry(files=[tmp_path / "x.py"]), range(24)))
    assert sys.stdout is before
