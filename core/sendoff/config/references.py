"""Find text that looks like a reference and is not one, and would be sent unchanged: ``$name`` or ``{{name}}`` inside text."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple

from sendoff.encode import templates

_INSIDE = re.compile(r"(?<!\$)\$([A-Za-z_]\w*)")
_RESOLVED = re.compile(r"\$\{[^}]*\}")

#: The options of senders that are templates.
TEMPLATES = ("envelope", "record", "before")

Path = tuple[str | int, ...]


class Stray(NamedTuple):
    """What looks like a reference and is not one, and whether it can only be a mistake."""

    path: Path
    sentence: str
    is_mistake: bool


def stray(data: object, names: Collection[str]) -> Iterator[Stray]:
    """What a connector file, as it was written, has of them; `names` are the schema's fields.

    A ``$name`` is left alone in a body's text with braces around anything but a field: it is GraphQL as a rule, whose
    variables look the same.
    """
    whole = data if isinstance(data, Mapping) else {}
    send, to = whole.get("send"), whole.get("destination")
    if isinstance(send, Mapping):
        yield from _in_sender(send, ("send",), names)
    if isinstance(to, Mapping):
        headers = to.get("headers")
        places: dict[Path, object] = {("url",): to.get("url")}
        places |= {("headers", name): text for name, text in headers.items()} if isinstance(headers, Mapping) else {}
        for path, text in places.items():
            for name in _INSIDE.findall(text) if isinstance(text, str) else ():
                sentence = f"${name} is sent as it is; write {{{name}}} for the field, or $${name} for the text"
                yield Stray(("destination", *path), sentence, name in names)


def _in_sender(send: Mapping[str, object], path: Path, names: Collection[str]) -> Iterator[Stray]:
    for key, value in send.items():
        if key in TEMPLATES:
            yield from _in_body(value, (*path, key), names)
        elif isinstance(value, Mapping) and "use" in value:
            yield from _in_sender(value, (*path, key), names)


def _in_body(value: object, path: Path, names: Collection[str]) -> Iterator[Stray]:
    form = templates.form_of(value)
    if form is not None and form[1] == "literal":
        return
    if isinstance(value, Mapping):
        for key, item in value.items():
            if str(key).startswith("$$"):
                yield Stray((*path, key), f"a key is sent as it is, with both signs; write {str(key)[1:]} for one", False)
            yield from _in_body(item, (*path, key), names)
    elif isinstance(value, list):
        for at, item in enumerate(value):
            yield from _in_body(item, (*path, at), names)
    elif isinstance(value, str) and not value.startswith("$"):
        yield from _in_text(_RESOLVED.sub("", value), path, names)


def _in_text(text: str, path: Path, names: Collection[str]) -> Iterator[Stray]:
    rest = "".join(part.text for part in templates.split_text(text))
    for name in names:
        if f"{{{name}}}" in rest:
            sentence = (
                f"{{{name}}} is sent as it is, as another brace touches it or its name cannot stand in text; make the text a "
                "field, by `value` in the schema, where `{{` and `}}` are braces, as in `text: {value: '{{a={b}}}'}`, and "
                "write `$text` here; what is meant as it stands is `{value: …, as: literal}` where JSON is sent"
            )
            yield Stray(path, sentence, True)
    for name in _INSIDE.findall(rest) if "{" not in rest else ():
        sentence = f"${name} inside text is sent as it is; write {{{name}}} for the field, or $${name} for the text"
        yield Stray(path, sentence, True)
