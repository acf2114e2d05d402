"""The registry: entry points, plugin files and objects in; components by kind and name out."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import inspect
import io
import logging
import re
import stat
import sys
import threading
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, redirect_stdout
from dataclasses import dataclass
from functools import cache
from importlib.metadata import Distribution, EntryPoint
from pathlib import Path
from types import ModuleType

import cerberus
import pluggy

from sendoff import hookspecs
from sendoff.cleaning import excerpt
from sendoff.components import KINDS, Component
from sendoff.errors import PluginError
from sendoff.options import find_similar

_LOG = logging.getLogger("sendoff")
_ONE_IMPORT = threading.RLock()


@dataclass(frozen=True, slots=True)
class Offer:
    """A component on offer, and who offers it."""

    component: type[Component]
    provider: str

    @property
    def summary(self) -> str:
        return (inspect.getdoc(self.component) or "").partition("\n")[0]


class Registry:
    """Every component that connector files may `use:`, by kind and name.

    Plugins are loaded from three places, all alike: installed distributions' ``sendoff`` entry points
    (the built-ins are such), files in ``plugins.d/``, and objects given from Python.
    With `allow`, only the distributions and files named there are loaded, as ``acme-sendoff`` or
    ``plugins.d/acme.py``, and sendoff's own; the others are not executed.
    Raises `PluginError` for one that cannot be loaded, clashes, or breaks its kind's contract, and
    for a name in `allow` that no plugin has.
    """

    def __init__(
        self, *, files: Iterable[Path] = (), plugins: Iterable[object] = (), allow: Collection[str] | None = None
    ) -> None:
        self._manager = pluggy.PluginManager("sendoff")
        self._manager.add_hookspecs(hookspecs)
        self._allow = None if allow is None else {_normal(name) for name in allow} - {"sendoff"}
        self._met: set[str] = set()
        #: Plugins that were found and not loaded, as `allow` does not name them.
        self.skipped: list[str] = []
        #: What is dangerous about how plugins lie there.
        self.warnings: list[str] = []
        self._entries = self._find_entry_points()
        self._offers: dict[str, dict[str, Offer]] = {kind: {} for kind in KINDS}
        for file in files:
            name = f"{file.parent.name}/{file.name}"
            if self._allowed(name):
                if file.stat().st_mode & stat.S_IWOTH or file.parent.stat().st_mode & stat.S_IWOTH:
                    self.warnings.append(f"{file}: others can write it or its folder, and it runs with your rights; chmod o-w")
                self._add(_module(file), name)
        if unknown := (self._allow or set()) - self._met:
            raise PluginError(f"no plugin is named {min(unknown)!r}, which is among those allowed")
        for plugin in plugins:
            self._add(plugin, getattr(plugin, "__name__", type(plugin).__name__))

    def find(self, kind: str, name: str) -> type[Component] | None:
        """The component of this kind and name, imported if it was not yet; None if there is none.

        Raises `PluginError` if its plugin cannot be loaded, or does not offer what its entry point says.
        """
        if name not in self._offers[kind] and name in self._entries[kind]:
            self._offers[kind][name] = self._load(kind, self._entries[kind][name])
        offer = self._offers[kind].get(name)
        return offer.component if offer else None

    def names(self, kind: str) -> list[str]:
        """The names there are of a kind; nothing is imported for it."""
        return sorted({*self._offers[kind], *self._entries[kind]})

    def default(self, kind: str, purpose: str) -> type[Component] | None:
        """The component that declares itself the default for this; None if there is none.

        A plugin that cannot be loaded is passed over. Raises `PluginError` if that leaves none, and if there are several.
        """
        found: list[type[Component]] = []
        broken: PluginError | None = None
        for name in self.names(kind):
            try:
                component = self.find(kind, name)
            except PluginError as error:
                broken = broken or error
            else:
                found += [component] if component is not None and purpose in component.default_for else []
        if len(found) > 1:
            names = " and ".join(repr(component.name) for component in found)
            raise PluginError(f"{kind}: {names} both declare themselves the default for {purpose!r}; name one of them")
        if not found and broken is not None:
            raise broken
        return found[0] if found else None

    def suggest(self, kind: str, name: str) -> str | None:
        """The name most like one that is not there."""
        return find_similar(name, self.names(kind))

    def offers(self, kind: str) -> Mapping[str, Offer]:
        """Every component of a kind, by name; all of them are imported."""
        for name in self.names(kind):
            self.find(kind, name)
        return {name: self._offers[kind][name] for name in self.names(kind)}

    def _allowed(self, name: str) -> bool:
        """Whether a plugin may be loaded; a name is noted once it was met."""
        if self._allow is None or name == "sendoff" or _normal(name) in self._met:
            return True
        if _normal(name) in self._allow:
            self._met.add(_normal(name))
            return True
        if name not in self.skipped:
            self.skipped.append(name)
        return False

    def _find_entry_points(self) -> dict[str, dict[str, EntryPoint]]:
        """What installed distributions offer, by kind and name, as their metadata says."""
        found: dict[str, dict[str, EntryPoint]] = {kind: {} for kind in KINDS}
        installed = importlib.metadata.entry_points()
        for kind, entries in found.items():
            for entry in sorted(installed.select(group=f"sendoff.{kind}")):
                if entry.dist is None or not self._allowed(_distribution(entry.dist)[0]):
                    continue
                if (other := entries.get(entry.name)) is not None:
                    raise _clash(kind, entry.name, _provider(other), _provider(entry))
                entries[entry.name] = entry
        return found

    def _load(self, kind: str, entry: EntryPoint) -> Offer:
        provider = _provider(entry)
        try:
            with nullcontext() if entry.module in sys.modules else _silent(provider):
                plugin = entry.load()
        except (Exception, SystemExit) as error:
            raise PluginError(f"plugin {entry.name} of {provider} cannot be loaded: {error}") from error
        self._register(plugin, provider)
        offered = {component.name: component for component in self._components(plugin, kind, provider)}
        if entry.name not in offered:
            raise PluginError(
                f"plugin {provider}: the entry point {entry.name!r} of sendoff.{kind} leads to {entry.value}, which offers "
                f"{', '.join(map(repr, offered)) or 'nothing'} there; an entry point has its component's name"
            )
        return Offer(offered[entry.name], provider)

    def _add(self, plugin: object, provider: str) -> None:
        """Take in all that a file or an object offers."""
        self._register(plugin, provider)
        for kind, offers in self._offers.items():
            for component in self._components(plugin, kind, provider):
                if component.name in offers:
                    raise _clash(kind, component.name, offers[component.name].provider, provider)
                if component.name in self._entries[kind]:
                    raise _clash(kind, component.name, _provider(self._entries[kind][component.name]), provider)
                offers[component.name] = Offer(component, provider)

    def _register(self, plugin: object, provider: str) -> None:
        if self._manager.is_registered(plugin):
            return
        try:
            self._manager.register(plugin, name=f"{provider}: {getattr(plugin, '__name__', id(plugin))}")
        except (pluggy.PluginValidationError, ValueError) as error:
            raise PluginError(f"plugin {provider}: {error}") from error
        try:
            self._manager.check_pending()
        except pluggy.PluginValidationError as error:
            raise PluginError(f"a plugin implements a hook that does not exist: {error}") from error

    def _components(self, plugin: object, kind: str, provider: str) -> Iterator[type[Component]]:
        """What a registered plugin offers of a kind, each checked against the kind's contract."""
        for implementation in getattr(self._manager.hook, f"sendoff_{kind}").get_hookimpls():
            if implementation.plugin is not plugin:
                continue
            for component in implementation.function():
                # Our own options are checked by the tests, and not at each start.
                if (problem := contract_violation(component, kind, options=not provider.startswith("sendoff "))) is not None:
                    raise PluginError(f"plugin {provider}: {problem}")
                yield component


#: What every component has, which an option would replace.
_OWN = ("name", "kind", "options", "home", "privileged", "redact")


def contract_violation(component: object, kind: str, *, options: bool = True) -> str | None:
    """What keeps a class from being a component of this kind, in a sentence; None if nothing does.

    With `options` false it is not checked that the options are a Cerberus schema.
    """
    base = KINDS[kind]
    title = getattr(component, "__name__", repr(component))
    if not (inspect.isclass(component) and issubclass(component, base)):
        return f"{title} is offered among {kind} but is not a {base.__name__}"
    if inspect.isabstract(component):
        return f"{title} does not define {', '.join(sorted(getattr(component, '__abstractmethods__', ())))}"
    if not isinstance(component.__dict__.get("name"), str):
        return f"{title} has no name"
    if not component.__dict__.get("__doc__"):
        return f"{title} has no docstring; its first line is what `sendoff plugins` shows"
    if isinstance(component.default_for, str):
        return f"{title}: default_for is a tuple, like ({component.default_for!r},)"
    for option, rules in component.options.items():
        taken = option in _OWN or callable(getattr(base, option, None)) or isinstance(getattr(base, option, None), property)
        if taken and component.__init__ is Component.__init__:
            return f"{title}: option {option!r} has the name of something that every {base.__name__} has; choose another name"
        if not (isinstance(rules, Mapping) and rules.get("meta", {}).get("help")):
            return f"{title}: option {option!r} has no help; add {{'meta': {{'help': '…'}}}} to its rules"
    if not options:
        return None
    try:
        own = ("component", "default_for")  # rules of connector files, which Cerberus does not know
        cerberus.Validator(
            {
                name: {rule: value for rule, value in rules.items() if rule not in own}
                for name, rules in component.options.items()
            }
        )
    except cerberus.SchemaError as error:
        return f"{title}: its options are not a Cerberus schema: {error}"
    return None


@cache
def _distribution(dist: Distribution) -> tuple[str, str]:
    """Its name and its version. Its metadata is parsed anew whenever it is asked, and many entry points are of one."""
    return dist.name, dist.version


def _provider(entry: EntryPoint) -> str:
    """The distribution of an entry point, with its version."""
    assert entry.dist is not None
    return " ".join(_distribution(entry.dist))


def _clash(kind: str, name: str, first: str, second: str) -> PluginError:
    return PluginError(f"{kind}: {name!r} is offered by {first} and by {second}")


def _normal(name: str) -> str:
    """A distribution's name as the index knows it (PyPA's name normalization); a file's as it is."""
    return name if "/" in name else re.sub(r"[-_.]+", "-", name).lower()


@contextmanager
def _silent(provider: str) -> Iterator[None]:
    """Import a plugin: what it prints meanwhile is logged with its name, as standard output is for results.

    One at a time in a process: two threads that redirect at once would leave standard output redirected for ever.
    """
    printed = io.StringIO()
    try:
        with _ONE_IMPORT, redirect_stdout(printed):
            yield
    finally:
        if text := excerpt(printed.getvalue()):
            _LOG.warning("plugin %s printed while it was imported: %s", provider, text)


def _module(file: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"sendoff_plugins_d_{file.stem}", file)
    if spec is None or spec.loader is None:
        raise PluginError(f"{file}: not a Python file")
    module = importlib.util.module_from_spec(spec)
    try:
        with _silent(str(file)):
            spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise PluginError(f"{file}: {type(error).__name__}: {error}") from error
    return module
