"""YAML documents that keep the position of every value.

One composed tree gives both the data and the positions. Scalars follow the YAML 1.2 core schema
(https://yaml.org/spec/1.2.2/#103-core-schema), as editors do: ``no`` is text, ``012`` is text,
``2026-01-01`` is text. Aliases, merge keys and tags have no place in a connector file and are
refused, which also refuses alias bombs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from sendoff.config.yaml_faults import Fault, control_fault, decoding_fault, fault
from sendoff.errors import Problem
from sendoff.errors.codes import Code

MAX_BYTES = 1 << 20
MAX_DEPTH = 32

Path_ = tuple[str | int, ...]


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # C where built
    yaml_implicit_resolvers: dict[str, list[object]] = {}


for _tag, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?(?:0|[1-9][0-9]*)", list("-+0123456789")),
    ("float", r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", list("-+.0123456789")),
    ("merge", r"<<", ["<"]),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), _first)

_SCALARS: dict[str, Callable[[str], object]] = {
    "tag:yaml.org,2002:str": str,
    "tag:yaml.org,2002:null": lambda text: None,
    "tag:yaml.org,2002:bool": lambda text: text.lower() == "true",
    "tag:yaml.org,2002:int": int,
    "tag:yaml.org,2002:float": float,
    "tag:yaml.org,2002:merge": str,
}


class Places:
    """The lines and columns of a file's paths."""

    def __init__(self, marks: Mapping[Path_, tuple[int, int]]) -> None:
        self._marks = {dotted(path): place for path, place in marks.items()}

    def find(self, path: str) -> tuple[int, int]:
        """The line and column of a path, or of its nearest ancestor that is in the file."""
        while path and path not in self._marks:
            path = path.rpartition(".")[0]
        return self._marks.get(path, (1, 1))


@dataclass(slots=True)
class Document:
    """A parsed file: its `data`, the `problems` found, and the position of each path."""

    file: str
    data: object = None
    problems: list[Problem] = field(default_factory=list)
    #: What is allowed and may be a mistake.
    warnings: list[Problem] = field(default_factory=list)
    _marks: dict[Path_, tuple[int, int]] = field(default_factory=dict)
    _keys: dict[Path_, tuple[int, int]] = field(default_factory=dict)

    @property
    def places(self) -> Places:
        return Places(self._marks)

    def problem(self, path: Sequence[str | int], sentence: str, code: Code, *, key: bool = False) -> Problem:
        """A problem at a path, or at its nearest ancestor that is in the file."""
        where = tuple(path)
        marks = self._keys if key else self._marks
        while where not in marks and where:
            where, marks = where[:-1], self._marks
        line, column = marks.get(where, (1, 1))
        return Problem(self.file, line, column, dotted(path), sentence, code)


def dotted(path: Sequence[object]) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".")


def read(file: Path, shown: str | None = None) -> Document:
    """Read a YAML file. Its problems are in the document; nothing is raised for bad content."""
    document = Document(shown or str(file))
    try:
        raw = file.read_bytes()
    except OSError as error:
        document.problems.append(Problem(document.file, 1, 1, "", f"cannot be read: {error.strerror}", Code.FILE))
        return document
    return parse(raw, document)


def parse(raw: bytes, document: Document) -> Document:
    """Parse bytes into the document: data, positions and problems."""
    if len(raw) > MAX_BYTES:
        sentence = "is larger than 1 MiB, the maximum size of a connector file"
        document.problems.append(Problem(document.file, 1, 1, "", sentence, Code.LIMIT))
        return document
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        _complain(document, decoding_fault(error))
        return document
    if (found := control_fault(text)) is not None:
        _complain(document, found)
        return document
    try:
        if _bounded(text, document):
            node = yaml.compose(text, _Loader)
            document.data = None if node is None else _construct(node, (), document)
    except yaml.YAMLError as error:
        _complain(document, fault(error, text))
    return document


def _bounded(text: str, document: Document) -> bool:
    """Whether the tree is shallow and without aliases and tags; checked on the event stream, before building it."""
    depth = 0
    for event in yaml.parse(text, _Loader):
        if isinstance(event, yaml.AliasEvent):
            _complain(
                document,
                _at(event, "aliases are not supported; text that begins with * needs quotes, other values are written out"),
            )
            return False
        if getattr(event, "tag", None) is not None:
            _complain(document, _at(event, "a tag is not supported; text that begins with ! needs quotes"))
            return False
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                _complain(document, _at(event, f"nested deeper than {MAX_DEPTH} levels"))
                return False
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
    return True


def _complain(document: Document, found: Fault) -> None:
    document.problems.append(Problem(document.file, found.line, found.column, "", found.sentence, found.code))


def _at(marked: Any, sentence: str) -> Fault:
    return Fault(marked.start_mark.line + 1, marked.start_mark.column + 1, sentence)


def _construct(node: yaml.Node, path: Path_, document: Document) -> object:
    document._marks[path] = (node.start_mark.line + 1, node.start_mark.column + 1)
    if isinstance(node, yaml.ScalarNode):
        try:
            return _SCALARS[node.tag](node.value)
        except ValueError:  # Python reads integers of up to 4,300 digits
            sentence = f"a number of {len(node.value):,} digits is too long; write it as text, in quotes"
            _complain(document, _at(node, sentence))
            return None
    if isinstance(node, yaml.SequenceNode):
        return [_construct(item, (*path, index), document) for index, item in enumerate(node.value)]
    assert isinstance(node, yaml.MappingNode)
    data: dict[str, object] = {}
    for key_node, value_node in node.value:
        if not isinstance(key_node, yaml.ScalarNode) or key_node.tag == "tag:yaml.org,2002:merge":
            _complain(document, _at(key_node, "merge keys and complex keys are not supported; use plain keys"))
            continue
        key = key_node.value
        place = (key_node.start_mark.line + 1, key_node.start_mark.column + 1)
        if key in data:
            first = document._keys[(*path, key)][0]
            sentence = f"is duplicated; the first is in line {first}; keep one of them"
            document.problems.append(Problem(document.file, *place, dotted((*path, key)), sentence, Code.DUPLICATE_KEY))
            continue
        document._keys[(*path, key)] = place
        data[key] = _construct(value_node, (*path, key), document)
    return data
