"""Find text that looks like a reference and is not one: a ``$name`` inside text, which would be sent unchanged."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple

_INSIDE = re.compile(r"(?<!\$)\$([A-Za-z_]\w*)")
_RESOLVED = re.compile(r"\$\{[^}]*\}")
_OWN = ("record", "records", "key")

Path = tuple[str | int, ...]


class Stray(NamedTuple):
    """What looks like a reference and is not one, and whether it can only be a mistake."""

    path: Path
    sentence: str
    is_mistake: bool


def stray(data: object, names: Collection[str]) -> Iterator[Stray]:
    """What a connector file, as it was written, has of them; `names` are the schema's fields.

    Text with braces is left alone in a body: it is GraphQL as a rule, whose variables look the same.
    """
    whole = data if isinstance(data, Mapping) else {}
    send, to = whole.get("send"), whole.get("destination")
    for part in ("envelope", "record", "before"):
        if isinstance(send, Mapping) and part in send:
            yield from _in_body(send[part], ("send", part), names)
    if isinstance(to, Mapping):
        headers = to.get("headers")
        places: dict[Path, object] = {("url",): to.get("url")}
        places |= {("headers", name): text for name, text in headers.items()} if isinstance(headers, Mapping) else {}
        for path, text in places.items():
            for name in _INSIDE.findall(text) if isinstance(text, str) else ():
                sentence = f"${name} is sent as it is; write {{{name}}} for the field, or $${name} for the text"
                yield Stray(("destination", *path), sentence, name in names)


def _in_body(value: object, path: Path, names: Collection[str]) -> Iterator[Stray]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            if str(key).startswith("$$"):
                yield Stray((*path, key), f"a key is sent as it is, with both signs; write {str(key)[1:]} for one", False)
            yield from _in_body(item, (*path, key), names)
    elif isinstance(value, list):
        for at, item in enumerate(value):
            yield from _in_body(item, (*path, at), names)
    elif isinstance(value, str) and not value.startswith("$") and "{" not in _RESOLVED.sub("", value):
        for name in _INSIDE.findall(value):
            sentence = (
                f"${name} inside text is sent as it is, as a reference is a whole value; make the text a column of the source, "
                f"or write $${name} for the text"
            )
            yield Stray(path, sentence, name in names or name in _OWN)
