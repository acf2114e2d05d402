"""A file of variables, ``NAME=value`` a line, that connectors may name beside those of the process."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Self

from sendoff.errors import ConfigError, Problem
from sendoff.errors.codes import Code


class EnvFile(dict[str, str]):
    """The variables of the process, and those of a file that the process has not set."""

    def __init__(self, file: Path, names: dict[str, str]) -> None:
        super().__init__({**names, **os.environ})
        self.file = file
        #: How many the file sets.
        self.count = len(names)

    @classmethod
    def read(cls, file: Path) -> Self:
        """Read a file. Raises `ConfigError` with every mistake in it."""
        from dotenv.parser import parse_stream  # noqa: PLC0415  # few ask for it

        from sendoff.config.yaml_faults import decoding_fault  # noqa: PLC0415  # it brings YAML

        try:
            raw = file.read_bytes()
        except OSError as error:
            raise ConfigError(Problem(str(file), 0, 0, "", f"cannot be read: {error.strerror}", Code.FILE)) from None
        try:
            text = raw.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line, column, sentence, code = decoding_fault(error)
            raise ConfigError(Problem(str(file), line, column, "", sentence, code)) from None
        names: dict[str, str] = {}
        lines: dict[str, int] = {}
        problems: list[Problem] = []
        for found in parse_stream(io.StringIO(text)):
            written = found.original.string
            line = found.original.line + written[: len(written) - len(written.lstrip())].count("\n")
            if found.error or (found.key is not None and found.value is None):
                # What is there may be a secret, and is not shown.
                problems.append(Problem(str(file), line, 1, "", "must be NAME=value; quote what needs it", Code.VALUE))
            elif found.key in names:
                problems.append(
                    Problem(
                        str(file), line, 1, "", f"{found.key} is set already in line {lines[found.key]}", Code.DUPLICATE_KEY
                    )
                )
            elif found.key is not None and found.value is not None:
                names[found.key], lines[found.key] = found.value, line
        if problems:
            raise ConfigError(*problems)
        return cls(file, names)
