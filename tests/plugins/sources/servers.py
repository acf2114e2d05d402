"""Databases and stores that we did not write, started on 127.0.0.1 for as long as a test session needs them."""

from __future__ import annotations

import contextlib
import os
import pwd
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pymysql

from tests.servers import free_port, running, wanted

_POSTGRES = [str(path) for path in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)]


@contextlib.contextmanager
def _home(user: str) -> Iterator[tuple[Path, list[str]]]:
    """A directory of a user's own, and what makes a command run as that user: servers refuse to run as root."""
    with tempfile.TemporaryDirectory(prefix="sendoff-", dir="/tmp", ignore_cleanup_errors=True) as name:
        home, become = Path(name), []
        if os.geteuid() == 0:
            found = pwd.getpwnam(user)
            os.chown(home, found.pw_uid, found.pw_gid)
            become = ["setpriv", f"--reuid={found.pw_uid}", f"--regid={found.pw_gid}", "--clear-groups"]
        yield home, become


@contextlib.contextmanager
def postgres() -> Iterator[str]:
    """A PostgreSQL server; its URL."""
    program, initdb = wanted("postgres", _POSTGRES), wanted("initdb", _POSTGRES)
    with _home("postgres") as (home, become):
        subprocess.run(
            [*become, initdb, "-D", "data", "-U", "sendoff", "-A", "trust", "-E", "UTF8", "--no-sync"],
            cwd=home,
            check=True,
            capture_output=True,
        )
        port = free_port()
        command = [
            *become,
            program,
            "-D",
            str(home / "data"),
            "-p",
            str(port),
            "-c",
            "listen_addresses=127.0.0.1",
            "-k",
            str(home),
            "-c",
            "fsync=off",
        ]
        url = f"postgresql://sendoff@127.0.0.1:{port}/postgres"
        # SIGINT ends it at once, whoever is connected.
        with running(command, port, home, asked=lambda: psycopg.connect(url).close(), end=signal.SIGINT):
            yield url


@contextlib.contextmanager
def mariadb() -> Iterator[str]:
    """A MariaDB server; its URL."""
    program, install = wanted("mariadbd"), wanted("mariadb-install-db")
    with _home("mysql") as (home, become):
        subprocess.run(
            [
                *become,
                install,
                "--no-defaults",
                f"--datadir={home}/data",
                "--auth-root-authentication-method=normal",
                "--skip-test-db",
            ],
            cwd=home,
            check=True,
            capture_output=True,
        )
        port = free_port()
        command = [
            *become,
            program,
            "--no-defaults",
            f"--datadir={home}/data",
            f"--port={port}",
            "--bind-address=127.0.0.1",
            f"--socket={home}/socket",
            f"--pid-file={home}/pid",
            "--innodb-flush-log-at-trx-commit=0",
            "--local-infile=1",
        ]
        with running(command, port, home, asked=lambda: pymysql.connect(host="127.0.0.1", port=port, user="root").close()):
            yield f"mysql://root@127.0.0.1:{port}/mysql?charset=utf8mb4"


@contextlib.contextmanager
def s3() -> Iterator[str]:
    """A server that speaks S3; its URL."""
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with running(command, port, Path("/tmp")):
        yield f"http://127.0.0.1:{port}"


@contextlib.contextmanager
def sftp(home: Path) -> Iterator[tuple[str, Path, Path]]:
    """An SSH server: its URL up to the path, the key that opens it, and the file that knows it."""
    program = wanted("sshd")
    for name in ("host", "key"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(home / name)], check=True)
    (home / "authorized").write_text((home / "key.pub").read_text())
    (home / "authorized").chmod(0o600)
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    port, user = free_port(), pwd.getpwuid(os.geteuid()).pw_name
    settings = [
        f"ListenAddress=127.0.0.1:{port}",
        f"HostKey={home}/host",
        f"AuthorizedKeysFile={home}/authorized",
        "StrictModes=no",
        "UsePAM=no",
        "PermitRootLogin=yes",
        "Subsystem=sftp internal-sftp",
        f"PidFile={home}/pid",
    ]
    (home / "known_hosts").write_text(f"[127.0.0.1]:{port} {(home / 'host.pub').read_text()}")
    command = [program, "-D", "-e", "-f", "/dev/null", *(part for setting in settings for part in ("-o", setting))]
    with running(command, port, home):
        yield f"sftp://{user}@127.0.0.1:{port}", home / "key", home / "known_hosts"
