"""A bearer token, from the connector file or from a file that another program renews."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from pathlib import Path

from sendoff.plugin import Authenticator, AuthError, Request, check_not_empty, hookimpl


class Bearer(Authenticator):
    """A bearer token with every request (RFC 6750). A `file` is read again when it has changed."""

    name = "bearer"
    options = {
        "token": {
            "type": "string", "required": False, "excludes": "file", "check_with": check_not_empty,
            "meta": {"help": "The token.", "secret": True},
        },
        "file": {
            "type": "string",
            "required": False,
            "meta": {"help": "A file with the token in it, and nothing else.", "path": True},
        },
    }  # fmt: skip

    token: str | None = None
    file: str | None = None

    def __init__(self, *, home: Path | None = None, **options: str) -> None:
        super().__init__(home=home, **options)
        self._lock = threading.Lock()
        self._read: tuple[tuple[int, int, int], str] | None = None

    def sign(self, request: Request) -> Mapping[str, str]:
        return {"Authorization": f"Bearer {self._current()}"}

    def fetch(self) -> str:
        self._current()
        return f"the token was read from {self.file}" if self.file else ""

    def renew(self, request: Request) -> bool:
        return self.file is not None and request.headers.get("Authorization") != f"Bearer {self._current()}"

    def secrets(self) -> Iterable[str]:
        return (self._read[1],) if self._read else (self.token or "",)

    def _current(self) -> str:
        if self.file is None:
            if not self.token:
                raise AuthError("bearer: neither `token` nor `file` is given")
            return self.token
        path = self.home / self.file
        with self._lock:
            try:
                found = path.stat()
                mark = (found.st_mtime_ns, found.st_size, found.st_ino)
                if self._read is None or self._read[0] != mark:
                    self._read = mark, path.read_text("utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                raise AuthError(f"bearer: the token cannot be read from {self.file}: {error}") from None
            if not self._read[1]:
                raise AuthError(f"bearer: {self.file} is empty; a token is expected in it, and nothing else")
            if not self._read[1].isascii() or not self._read[1].isprintable():
                raise AuthError(f"bearer: {self.file} does not hold a token, and nothing else")
            return self._read[1]


@hookimpl
def sendoff_authenticators() -> list[type[Authenticator]]:
    return [Bearer]
