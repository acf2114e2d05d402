"""The locations of files: this machine, an object store, a web or an SFTP server."""

from __future__ import annotations

import fnmatch
import glob
import importlib
import re
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import unquote, urlsplit

from sendoff.plugin import FileAccess, SourceError, SourceUnavailable, egress, install_command
from sendoff_plugins.sources._files.disk import Disk
from sendoff_plugins.sources._files.location import File, Location

_CLIENT_ERROR = re.compile(r"status:? 4(?!08|29)\d\d")
_STORES = {"s3": "S3Store", "gs": "GCSStore", "az": "AzureStore"}


class Bucket(Location):
    """Objects in S3, Google Cloud Storage or Azure."""

    def __init__(self, path: str, storage: Mapping[str, Any]) -> None:
        super().__init__(path)
        obstore = import_extra("obstore", "cloud")
        parts = urlsplit(path)
        self._bucket, self._key = f"{parts.scheme}://{parts.netloc}", unquote(parts.path.lstrip("/"))
        known = {key: str(value) if not isinstance(value, bool) else value for key, value in storage.items()}
        own = any(re.search("key|token|secret|credential|password|account|sas|skip_signature", name) for name in known)
        if parts.scheme != "s3" and not own and (where := next((v for v in map(str, known.values()) if "://" in v), "")):
            # Of S3 only signatures travel; these send a token, which whoever gets it can use.
            raise SourceError(
                f"{self.shown}: the account of the machine is for the cloud alone, and not for {where}; name credentials"
            )
        plain = str(known.get("endpoint", "")).startswith("http://")
        made = getattr(obstore.store, _STORES[parts.scheme])
        try:
            self._store = made(parts.netloc, config=known, client_options={"allow_http": plain})
        except Exception as error:  # fsspec's errors have no common base class
            raise SourceError(f"{self.shown}: {_first(error)}") from None
        self._obstore = obstore

    def files(self) -> list[File]:
        magic = glob.has_magic(self._key)
        prefix = self._key if not magic else self._key[: next(at for at, sign in enumerate(self._key) if sign in "*?[")]
        pattern = self._key if magic else f"{self._key.rstrip('/')}/*" if self.many else self._key
        try:
            # The store takes only whole segments of a path as a prefix.
            found = [meta for page in self._store.list(prefix.rpartition("/")[0] or None) for meta in page]
        except Exception as error:
            raise self._unreadable(self.shown, error) from None
        there = [meta for meta in found if _matches(meta["path"], pattern)]
        return [self._file(meta) for meta in sorted(there, key=lambda meta: str(meta["path"]).encode())]

    def _file(self, meta: Mapping[str, Any]) -> File:
        def fetch(into: BinaryIO) -> None:
            try:
                into.writelines(self._obstore.get(self._store, meta["path"]).stream(min_chunk_size=4 << 20))
            except Exception as error:
                raise self._unreadable(f"{self._bucket}/{meta['path']}", error) from None

        return File(f"{self._bucket}/{meta['path']}", meta["size"], int(meta["last_modified"].timestamp() * 1e9), fetch=fetch)

    def _unreadable(self, shown: str, error: Exception) -> SourceError:
        # A GenericError is any error without a class of its own: no connection, a 5xx, or a 4xx.
        generic = isinstance(error, self._obstore.exceptions.GenericError)
        kind = SourceUnavailable if generic and not _CLIENT_ERROR.search(str(error)) else SourceError
        return kind(f"{shown}: {_first(error)}")


class Site(Location):
    """One file on a web server."""

    def __init__(self, path: str, mode: egress.Mode, headers: Mapping[str, Any], redact: Callable[[str], str]) -> None:
        super().__init__(path)
        self.many = False
        self._redact = redact
        self._url, self._mode, self._headers = path, mode, {name: str(value) for name, value in headers.items()}

    def files(self) -> list[File]:
        def fetch(into: BinaryIO) -> None:
            from sendoff.plugin import ErrorResponse, HttpClient  # noqa: PLC0415  # most files are on this machine

            try:
                with HttpClient(self._url, self._mode, seconds=3600, redact=self._redact) as web:
                    web.fetch(self._url, into, headers=self._headers)
            except ErrorResponse as error:
                raise error.as_source_error() from None

        return [File(self.shown, 0, 0, fetch=fetch)]


class Sftp(Location):
    """Files on an SFTP server, which must be one of the known hosts."""

    def __init__(self, path: str, storage: Mapping[str, Any]) -> None:
        super().__init__(path)
        self._paramiko = import_extra("paramiko", "sftp")
        parts = urlsplit(path)
        self._login = {
            "hostname": parts.hostname or "", "port": parts.port or 22, "username": parts.username or storage.get("user"),
            "password": storage.get("password"), "key_filename": storage.get("key"), "timeout": 10.0,
        }  # fmt: skip
        self._known_hosts, self._host = storage.get("known_hosts"), parts.hostname or ""
        # A path begins at the server's root; sftp://host/~/x is below the user's home.
        self._path = unquote(parts.path).removeprefix("/~/") if parts.path.startswith("/~/") else unquote(parts.path)

    def files(self) -> list[File]:
        with self._client() as client:
            directory, _, last = self._path.rpartition("/")
            if last and not glob.has_magic(last):
                found = client.stat(self._path)
                return [self._file(self._path, found)]
            there = client.listdir_attr(directory or ".")
            names = {entry.filename: entry for entry in there if stat.S_ISREG(entry.st_mode or 0)}
            meant = [name for name in names if fnmatch.fnmatchcase(name, last or "*") and not name.startswith(".")]
            return [
                self._file(f"{directory}/{name}" if directory else name, names[name]) for name in sorted(meant, key=str.encode)
            ]

    def _file(self, path: str, found: Any) -> File:
        def fetch(into: BinaryIO) -> None:
            with self._client() as client:
                client.getfo(path, into)

        return File(
            f"sftp://{self._host}/{path.lstrip('/')}", found.st_size or 0, int((found.st_mtime or 0) * 1e9), fetch=fetch
        )

    @contextmanager
    def _client(self) -> Iterator[Any]:
        client = self._paramiko.SSHClient()
        try:
            client.load_system_host_keys(self._known_hosts and str(self._known_hosts))
            client.connect(**self._login)
            with client.open_sftp() as opened:
                yield opened
        except (self._paramiko.SSHException, OSError, EOFError) as error:
            refused = isinstance(error, (self._paramiko.AuthenticationException, self._paramiko.BadHostKeyException))
            unknown = isinstance(error, self._paramiko.SSHException) and "known_hosts" in str(error)
            fixed_by_user = refused or unknown or isinstance(error, (FileNotFoundError, PermissionError))
            kind = SourceError if fixed_by_user else SourceUnavailable
            raise kind(f"{self.shown}: {_first(error) or 'the connection was closed'}") from None
        finally:
            client.close()


def open_location(
    path: str, home: Path, storage: Mapping[str, Any], mode: egress.Mode, redact: Callable[[str], str] = str,
    access: FileAccess | None = None,
) -> Location:  # fmt: skip
    """The location of a path, by its scheme. `redact` takes secrets out of what a web server says."""
    scheme, mark, _ = path.partition("://")
    if not mark:
        return Disk(path, home, access or FileAccess(home))
    if scheme in ("http", "https"):
        return Site(path, mode, storage, redact)
    if mode == "public":
        raise SourceError(f"{scheme}:// is not read where egress is `public`")
    if scheme in _STORES:
        return Bucket(path, storage)
    if scheme == "sftp":
        return Sftp(path, {**storage, **({"known_hosts": home / storage["known_hosts"]} if "known_hosts" in storage else {})})
    raise SourceError(f"{path}: {scheme}:// is not supported; use s3, gs, az, http, https, sftp, and plain paths")


def import_extra(name: str, extra: str) -> Any:
    """Import a library of an extra. Raises `SourceError` with what to install."""
    try:
        return importlib.import_module(name)
    except ImportError:
        raise SourceError(f"this needs the {extra} extra: {install_command(extra)}") from None


def _matches(path: str, pattern: str) -> bool:
    """Whether a key matches a pattern whose ``*`` stays within a segment."""
    parts, wanted = path.split("/"), pattern.split("/")
    return len(parts) == len(wanted) and all(fnmatch.fnmatchcase(part, want) for part, want in zip(parts, wanted, strict=True))


def _first(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0]
