"""Values from the environment and from files, which are never shown.

``${env:NAME}``, ``${NAME}``, ``${NAME:-default}`` and ``${file:PATH}`` are replaced after the YAML
is parsed, inside string values only and once, so that a value can never become structure; ``$$``
is a plain ``$``. What came from outside is remembered, and `Secrets.redact` takes it out of any
text that leaves sendoff.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from sendoff.config.env_file import EnvFile
from sendoff.config.redaction import MIN_LENGTH, Redactor
from sendoff.errors import Problem
from sendoff.errors.codes import Code
from sendoff.transport.file_access import FileAccess

_REFERENCE = re.compile(r"\$\$|\$\{(?:(?P<from>[a-z]+):(?!-))?(?P<name>[^}:]*)(?::-(?P<default>[^}]*))?\}|\$\{[^}]*\}?")
_LOGIN = re.compile(r"://(?:\$\{[^}]*\}|[^\s@/?#])*@")
#: The end of a URL in which a query's parameter begins: an API takes most keys there, under many names.
_PARAMETER = re.compile(r"[?&][^?&=#]*=[^?&#]*\Z")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_CREDENTIAL = re.compile(r"authorization|cookie|token|secret|password|passphrase|api[-_]?key|access[-_]?key", re.IGNORECASE)


class SecretStr(str):
    """A string with a secret in it. `template` is how the file wrote it, and all that may be shown."""

    template: str
    __slots__ = ("template",)

    def __new__(cls, value: str, template: str) -> Self:
        self = super().__new__(cls, value)
        self.template = template
        return self

    def __reduce__(self) -> tuple[type[SecretStr], tuple[str, str]]:
        return SecretStr, (str(self), self.template)

    def __repr__(self) -> str:
        return repr(self.template)


class Unset(Exception):
    """A reference to a variable or file that does not exist; its text is the sentence to show."""


class Secrets:
    """The values that must never be shown, in every encoding in which they may be sent."""

    def __init__(self, env: Mapping[str, str] | None = None, access: FileAccess | None = None) -> None:
        #: The variables that ``${env:NAME}`` may name; None: those of the process.
        self.env = env
        #: The files that ``${file:PATH}`` may name; None: any.
        self.access = access
        self._names: dict[str, str] = {}
        self._cut_off: set[str] = set()
        self._redactor: Redactor | None = None
        self._short: set[str] = set()
        self._referred: dict[str, str] = {}
        #: The variables that are named, each with whether it must be set, as no default stands for it.
        self.variables: dict[str, bool] = {}
        #: References in the place or with the name of a credential whose values are too short to be taken out of texts.
        self.too_short: dict[str, None] = {}
        self._lock = threading.Lock()

    def add(self, value: str, shown: str, *, whole: bool = True) -> None:
        """Never show this value, but `shown`. If it is `whole`, a secret from its first character on, no beginning either."""
        if len(value) < MIN_LENGTH:
            self._short.add(shown)
            return
        if value in self._names and (not whole or value in self._cut_off):
            return
        with self._lock:  # a token may be renewed while requests are signed in other threads
            self._names = {**self._names, value: self._names.get(value, shown)}
            if whole:
                self._cut_off.add(value)
            self._redactor = None

    def redact(self, text: str) -> str:
        """The text with every secret replaced by its name, in whatever form it stands there."""
        if not self._names:
            return text
        redactor = self._redactor
        if redactor is None:
            with self._lock:
                redactor = self._redactor = Redactor(self._names, self._cut_off)
        return redactor.redact(text)

    def redact_value(self, value: object) -> object:
        """JSON with every secret in its texts and in the names of its members replaced."""
        if isinstance(value, str):
            return self.redact(value)
        if isinstance(value, Mapping):
            return {self.redact(str(name)): self.redact_value(member) for name, member in value.items()}
        return [self.redact_value(member) for member in value] if isinstance(value, list | tuple) else value

    def add_literals(self, headers: Mapping[str, str]) -> None:
        """Redact also credentials that are written in the file itself."""
        for name, value in headers.items():
            if not is_credential(name):
                continue
            if isinstance(value, SecretStr):
                self._note_credential(value)
                continue
            words = value.split()[1:]
            self.add(value, "***", whole=not words)
            for word in words:
                self.add(word, "***")

    def add_options(self, rules: Mapping[str, Any], chosen: Mapping[str, Any]) -> None:
        """A component's options that are declared secret, as they are written in the file."""
        for name, value in chosen.items():
            if not rules.get(name, {}).get("meta", {}).get("secret"):
                continue
            if isinstance(value, SecretStr):
                self._note_credential(value)
            elif isinstance(value, str):
                self.add(value, "***", whole="://" not in value)

    def add_nested(self, chosen: Mapping[str, object]) -> None:
        """The values with names of credentials in a component's options, at any depth, and logins in its URLs."""
        for name, value in chosen.items():
            if isinstance(value, Mapping):
                self.add_nested(value)
            elif isinstance(value, str):
                if is_credential(str(name)):
                    self.add_literals({str(name): value})
                if "://" in value and "@" in value and not isinstance(value, SecretStr):
                    self.add_url(value)

    def add_url(self, url: str) -> None:
        """The password in a URL; over HTTP also a user name without one, which is then a token."""
        parts = urlsplit(url)
        login = parts.netloc.rpartition("@")[0]
        user, colon, password = login.partition(":")
        self.add(password if colon else user if parts.scheme in ("http", "https") else "", "***")
        if colon and password:
            self.add(login, "***", whole=False)

    def add_reference(self, value: str, reference: str, name: str, *, credential: bool = False) -> None:
        """What a reference leads to. Beginnings are looked for only of credentials: other values begin with ordinary words."""
        self._referred[reference] = value
        self.add(value, reference, whole=credential or is_credential(name))
        if len(value) < MIN_LENGTH and is_credential(name):
            self.too_short[reference] = None

    @property
    def references(self) -> Collection[str]:
        """The references that led to a value, as the files write them."""
        return self._referred.keys()

    def _note_credential(self, value: SecretStr) -> None:
        """A credential is made of references: those among them that are too short are reported."""
        for match in _REFERENCE.finditer(value.template):
            if match[0] in self._referred:
                self.add(self._referred[match[0]], match[0])
        self.too_short |= {match[0]: None for match in _REFERENCE.finditer(value.template) if match[0] in self._short}


def is_credential(header: str) -> bool:
    """Whether a header of this name carries a credential."""
    return bool(_CREDENTIAL.search(header))


class UnsetReferences:
    """The references of a file to what does not exist, and the values that are unknown because of them."""

    def __init__(self, problem: Callable[[Sequence[str | int], str, Code], Problem], *, reported: bool) -> None:
        self._problem, self.reported = problem, reported
        self._paths: set[str] = set()
        self.problems: list[Problem] = []

    def note(self, path: Sequence[str | int], sentence: str) -> None:
        found = self._problem(path, sentence, Code.SECRET)
        self._paths.add(found.path)
        if self.reported:
            self.problems.append(found)

    def include(self, shared: UnsetReferences) -> None:
        """What is not known of a shared destination is not known of this one."""
        self._paths |= {f"destination.{path}" for path in shared._paths}

    def without_consequences(self, problems: Sequence[Problem]) -> list[Problem]:
        """The problems, but for those of a value that is not known, as its reference leads to nothing."""
        return [each for each in problems if each in self.problems or not self._is_consequence(each)]

    def _is_consequence(self, problem: Problem) -> bool:
        """Whether it is of such a value, of what a shorthand for it stands for, or names it further up."""
        path = problem.path
        for unset in self._paths:
            whole = re.sub(r"(\[\d+\])+\Z", "", unset)
            if path == unset or path.startswith((f"{unset}.", f"{unset}[")):
                return True
            if "${" in problem.sentence and (path.startswith(f"{whole}.") or unset.startswith((f"{path}.", f"{path}["))):
                return True
        return False


def resolve(
    data: object,
    home: Path,
    secrets: Secrets,
    complain: Callable[[Sequence[str | int], str], None],
    path: tuple[str | int, ...] = (),
) -> Any:
    """The data with every reference in its string values replaced; unset ones are reported."""
    if isinstance(data, dict):
        return {key: resolve(value, home, secrets, complain, (*path, key)) for key, value in data.items()}
    if isinstance(data, list):
        return [resolve(value, home, secrets, complain, (*path, index)) for index, value in enumerate(data)]
    if isinstance(data, str) and "$" in data:
        try:
            return _replaced(data, home, secrets, credential=any(part == "auth" or is_credential(str(part)) for part in path))
        except Unset as unset:
            complain(path, str(unset))
            return SecretStr(data, data)  # its value is unknown, and what stands for it is no reference of a template
    return data


def _replaced(text: str, home: Path, secrets: Secrets, *, credential: bool) -> str:
    from_outside = False
    login = _LOGIN.search(text)

    def value(match: re.Match[str]) -> str:
        nonlocal from_outside
        if match[0] == "$$":
            return "$"
        provider, name, default = match["from"] or "env", match["name"], match["default"]
        if name is None:
            raise Unset(f"{match[0]} is not a reference; use ${{env:NAME}}, ${{file:PATH}} or $$ for a plain $")
        if provider == "env" and _NAME.fullmatch(name):
            secrets.variables[name] = secrets.variables.get(name, False) or default is None
        found = _lookup(provider, name, home, secrets)
        if found is None:
            if default is None:
                raise Unset(_missing(provider, name, secrets))
            return default
        from_outside = True
        in_login = login is not None and login.start() < match.start() < login.end()
        in_query = _PARAMETER.search(text, 0, match.start()) is not None
        secrets.add_reference(found, match[0], name, credential=credential or in_login or in_query)
        return found

    replaced = _REFERENCE.sub(value, text)
    if not from_outside:
        return replaced
    secrets.add(replaced, text, whole=False)
    return SecretStr(replaced, text)


def _lookup(provider: str, name: str, home: Path, secrets: Secrets) -> str | None:
    if provider == "env":
        if not _NAME.fullmatch(name):
            raise Unset(f"{name!r} is not the name of an environment variable")
        return (os.environ if secrets.env is None else secrets.env).get(name) or None
    if provider == "file":
        if secrets.access and (problem := secrets.access.read_problem(home / name)):
            raise Unset(f"the file {name} {problem}")
        try:
            return (home / name).read_text("utf-8").removesuffix("\n").removesuffix("\r")
        except (OSError, UnicodeDecodeError, ValueError):
            return None
    raise Unset(f"{provider!r} is not a valid source of values; use ${{env:NAME}} or ${{file:PATH}}")


def _missing(provider: str, name: str, secrets: Secrets) -> str:
    if provider == "file":
        return f"the file {name} cannot be read"
    if isinstance(secrets.env, EnvFile):
        return f"the environment variable {name} is not set, neither in {secrets.env.file} nor outside; set it in one of them"
    if secrets.env is not None:
        return f"the environment variable {name} is none that connectors may use; add it to Runner(env=…)"
    return f"the environment variable {name} is not set; set it, or use ${{env:{name}:-default}}"
