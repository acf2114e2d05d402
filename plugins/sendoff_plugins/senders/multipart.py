"""Many records a request, uploaded as a file."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sendoff.plugin import (
    MAX_BYTES,
    MAX_RECORDS,
    Block,
    Sender,
    TypedPage,
    check_constant,
    constant_text,
    form_of,
    hookimpl,
    jsonlib,
    option,
)


def check_name(field: str, value: Any, error: Callable[[str, str], None]) -> None:
    """Cerberus's `check_with` for a name in a part's head: text that is the same in every request."""
    if isinstance(value, Mapping) and (form_of(value) or ("", ""))[1] != "literal":
        error(field, "is text, or `{value: …, as: literal}`")
    else:
        check_constant(field, value, error)


def check_one_line(field: str, value: Any, error: Callable[[str, str], None]) -> None:
    """Cerberus's `check_with` for what is a line of a part's head."""
    if isinstance(value, str) and not value.isprintable():
        error(field, "is one line, as in `text/csv; charset=utf-8`; a line break would begin another header")


NAME: dict[str, Any] = {"type": ["string", "dict"], "empty": False, "check_with": check_name}


class Multipart(Sender):
    """Upload records as a file, in a form (`multipart/form-data`, RFC 7578); another sender writes the file."""

    name = "multipart"
    options = {
        "max_records": MAX_RECORDS,
        "max_bytes": MAX_BYTES,
        "file": option(
            "The sender that writes the file: `csv`, `ndjson`, `batch`, `lines` or your own.",
            component="senders", default_for="many",
        ),
        "part": option("The name of the file's part.", default="file", **NAME),
        "filename": option("The name of the file.", default="records", **NAME),
        "content_type": option(
            "The file's content type; by default that of its sender.",
            type="string", empty=False, nullable=True, default=None, check_with=check_one_line,
        ),
        "fields": option(
            "Further parts before the file, by name, the same in every request: `{list_id: 17}`.",
            type="dict", default={},
            valuesrules={"type": ["string", "number", "boolean", "dict"], "check_with": check_constant},
        ),
    }  # fmt: skip

    file: Sender
    part: Any
    filename: Any
    fields: Mapping[str, Any]

    def start(self, fields: Sequence[str]) -> None:
        """Put the file's sender between the parts. Raises ValueError for a field that holds the boundary."""
        self.file.key_format = self.key_format
        self.file.start(fields)
        self.max_records = min(self.max_records, self.file.max_records)
        limits = [each.max_bytes for each in (self, self.file) if each.max_bytes is not None]
        self.max_bytes = min(limits, default=None)
        self.separator, self.depth = self.file.separator, self.file.depth
        self.multiline = self.file.multiline or self.file.writes_json()
        self.record, self.before, self.omit_null = self.file.record, self.file.before, self.file.omit_null
        self.needs, self.max_record_bytes = self.file.needs, self.file.max_record_bytes
        kind = self.content_type or self.file.content_type
        part, filename = constant_text(self.part), constant_text(self.filename)
        # The same for every run, as a request may have to be sent again byte for byte; no secret goes into it.
        names = jsonlib.dumps([list(self.fields), part, filename, kind])
        self._boundary = f"sendoff-{hashlib.sha256(names.encode()).hexdigest()[:32]}"
        parts = [(f'name="{_quoted(name)}"', "", constant_text(value)) for name, value in self.fields.items()]
        parts.append((f'name="{_quoted(part)}"; filename="{_quoted(filename)}"', f"\r\nContent-Type: {kind}", ""))
        opening = f"--{self._boundary}\r\nContent-Disposition: form-data; "
        head = "".join(f"{opening}{named}{more}\r\n\r\n{text}\r\n" for named, more, text in parts)
        if any(self._boundary in text for _, _, text in parts):
            raise ValueError(f"fields: a value holds the boundary {self._boundary}")
        self.prefix = head.removesuffix("\r\n").encode() + self.file.prefix
        self.suffix = self.file.suffix + f"\r\n--{self._boundary}--\r\n".encode()
        self.content_type = f"multipart/form-data; boundary={self._boundary}"

    @property
    def sends_json(self) -> bool:
        """Whether the file's sender writes records as JSON."""
        return self.file.sends_json

    def write(self, page: TypedPage) -> Block:
        """Write records as the file's sender does. One that holds the boundary would end the file, and is unwritable."""
        block = self.file.write(page)
        boundary = f"--{self._boundary}".encode()
        if boundary not in block.data:
            return block
        records = [bytes(block.slice(at, at + 1)) for at in range(block.hi)]
        ending = {at: "it holds the boundary that ends the file" for at, record in enumerate(records) if boundary in record}
        return self.block(records, {**block.unwritable, **ending})


def _quoted(name: str) -> str:
    """A name as browsers write it in a part's head (HTML, multipart form data)."""
    return name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")


@hookimpl
def sendoff_senders() -> list[type[Sender]]:
    return [Multipart]
