"""The cookbook: a connector file for each API in it, with what is to be known of the API in the comments at its head.

``apis/NAME.yaml`` is all there is of an API. `sendoff new --api NAME` writes it, and docs/apis is generated from it. Its first
line says what it does; then comes a comment ``# fact: text`` for each of `FACTS`, which goes on in lines that are indented.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from importlib.resources import files
from itertools import chain, count

from sendoff.cli.schema import as_scalar
from sendoff.errors import ConfigError

#: What is said of each API, in this order.
FACTS = ("documentation", "body", "success", "results", "limits", "idempotency", "needs", "tested")
_FACT = re.compile(rf"^# ({'|'.join(FACTS)}): (.+(?:\n#   .+)*)$", re.MULTILINE)
_FIELD = re.compile(r"  (\w+): *(\{.*?\})( *#.*)?")
_OPTIONAL = re.compile(r"\b(value: |nullable: true|required: false)")


@dataclass(frozen=True)
class Recipe:
    """An API's entry: its name, what it does, what is to be known, and its connector file."""

    name: str
    title: str
    facts: Mapping[str, str]
    text: str

    @property
    def connector(self) -> str:
        """The connector file without the comments at its head."""
        return self.text[self.text.index("\n\nsource:") + 2 :]

    def reading(self, source: str, columns: Mapping[str, str]) -> Recipe:
        """The same for another source. `columns` are those that it has, each with its line of an inferred schema.

        Where a column has a field's name, but for capitals, spaces and the like, the field is read from it. A field that may be
        null needs no column. The other columns follow.
        """
        left = dict(columns)
        entries: list[tuple[str, str]] = []
        for line in self._section("schema").splitlines()[1:]:
            match = _FIELD.fullmatch(line)
            assert match is not None, f"{self.name}: a field of the schema is a line of its own: {line}"
            name, rules, note = match[1], match[2], match[3] or ""
            similar = [each for each in left if _plain(each) == _plain(name)]
            column = name if name in similar else next(iter(similar), None)
            if "value:" in rules:
                entries.append((name, rules + note))
            elif column is not None:
                del left[column]
                renamed = column == name or "rename:" in rules
                entries.append((as_scalar(column), (rules if renamed else f"{rules[:-1]}, rename: {name}}}") + note))
            elif _OPTIONAL.search(rules):
                entries.append((name, rules.replace("nullable: true", "required: false") + note))
            else:
                entries.append((name, f"{rules}   # no column has this name: which one is it?"))
        taken = {_sent_as(key, rules) for key, rules in entries}
        for column, line in left.items():
            rules = line.removeprefix(f"  {as_scalar(column)}:").lstrip()
            sent = next(name for name in chain([column], (f"{column}_{n}" for n in count(2))) if name not in taken)
            taken.add(sent)
            entries.append((as_scalar(column), rules if sent == column else _renamed(rules, sent)))
        width = max(len(key) for key, _ in entries) + 1
        schema = "schema:\n" + "".join(f"  {key + ':':{width}} {rules}\n" for key, rules in entries)
        return self._replaced("schema", schema)._replaced("source", source + "\n")

    def to(self, url: str) -> Recipe:
        """The same for another URL."""
        return replace(self, text=re.sub(r"(?m)^  url: .*$", lambda _: f"  url: {as_scalar(url)}", self.text, count=1))

    def missing(self, columns: Sequence[str]) -> list[str]:
        """The fields that a column must have the name of, and none has."""
        found = map(_FIELD.fullmatch, self._section("schema").splitlines())
        needed = [match[1] for match in found if match and not _OPTIONAL.search(match[2])]
        return [field for field in needed if _plain(field) not in map(_plain, columns)]

    def _section(self, key: str) -> str:
        match = re.search(rf"(?m)^{key}:.*\n(?:[ ].*\n)*", self.text)
        assert match is not None, f"{self.name}: no {key}"
        return match[0]

    def _replaced(self, key: str, text: str) -> Recipe:
        return replace(self, text=self.text.replace(self._section(key), text, 1))


def names() -> list[str]:
    """The APIs in the cookbook."""
    return sorted(file.name.removesuffix(".yaml") for file in (files("sendoff") / "apis").iterdir())


def recipe(name: str) -> Recipe:
    """An API's entry by its name. Raises `ConfigError` for one that is not there."""
    if name not in names():
        close = get_close_matches(name, names(), 1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise ConfigError(f"the cookbook has no API named {name!r}{hint}; `sendoff new --list-apis` lists them")
    text = (files("sendoff") / "apis" / f"{name}.yaml").read_text(encoding="utf-8")
    facts = {key: re.sub(r"\n#\s+", " ", value) for key, value in _FACT.findall(text)}
    return Recipe(name, text.partition("\n")[0].removeprefix("# "), facts, text)


def _sent_as(key: str, rules: str) -> str:
    """The name under which a field is sent."""
    match = re.search(r"\brename: (\w+)", rules)
    return match[1] if match else key.strip('"')


def _renamed(rules: str, name: str) -> str:
    """A field's rules, perhaps with a note behind them, with the name under which it is sent."""
    brace = "}   #" if "}   #" in rules else "}"
    before, _, after = rules.rpartition(brace)
    return f"{before}, rename: {as_scalar(name)}{brace}{after}"


def _plain(name: str) -> str:
    return re.sub(r"[\W_]", "", name).lower()
