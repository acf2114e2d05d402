"""Certificates and keys that cannot be used are refused with the connector file, before anything is sent."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives import serialization

from sendoff.errors import ConfigError
from sendoff.testing import Project

CONNECTOR = "source: {{use: csv, path: a.csv}}\ndestination:\n  url: https://127.0.0.1:9/x\n  tls: {tls}\nsend: {send}\n"


def encrypt(key: bytes, passphrase: str) -> bytes:
    read = serialization.load_pem_private_key(key, None)
    return read.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(passphrase.encode()),
    )


@pytest.fixture
def files(project: Project) -> Project:
    """A certificate `c.pem` with its key `k.pem`, the same key encrypted, another's key, and a file that is none of these."""
    authority = trustme.CA()
    mine, other = authority.issue_cert("a@example.org"), authority.issue_cert("b@example.org")
    key = mine.private_key_pem.bytes()
    certificate = mine.cert_chain_pems[0].bytes()
    return project(
        {
            "a.csv": "id\n1\n", "junk.pem": "id\n1\n", "ca.pem": authority.cert_pem.bytes(), "c.pem": certificate, "k.pem": key,
            "both.pem": certificate + key, "other.pem": other.private_key_pem.bytes(), "enc.pem": encrypt(key, "sesame"),
            "cut.pem": key[:-60],
        }
    )  # fmt: skip


CASES = {
    "{ca: junk.pem}": ("ca", "junk.pem has no certificate in it that can be read"),
    "{ca: k.pem}": ("ca", "k.pem has no certificate in it that can be read"),
    "{cert: junk.pem}": ("cert", "junk.pem has no certificate in it"),
    "{cert: c.pem}": ("cert", "c.pem has no private key in it; name the key's file in `key`"),
    "{cert: c.pem, key: junk.pem}": ("key", "junk.pem has no private key in it"),
    "{cert: c.pem, key: cut.pem}": ("key", "cut.pem cannot be read as a certificate's key"),
    "{cert: c.pem, key: other.pem}": ("key", "other.pem is not the key of the certificate in c.pem"),
    "{cert: c.pem, key: enc.pem}": ("key", "enc.pem is encrypted; give its passphrase as `passphrase: ${env:NAME}`"),
    "{cert: c.pem, key: enc.pem, passphrase: wrong}": ("key", "enc.pem cannot be decrypted with this passphrase"),
    "{passphrase: sesame}": ("passphrase", "has no effect without `cert`"),
}


@pytest.mark.parametrize("tls", CASES)
def test_a_certificate_or_key_that_cannot_be_used_is_named_with_its_place(files: Project, tls: str) -> None:
    """The kind: what only fails when it is used, long after `check` found nothing wrong.

    Brothers looked at: every file of `tls`, with both transports, as both are given one context.
    """
    key, sentence = CASES[tls]
    files({"connectors.d/c.yaml": CONNECTOR.format(tls=tls, send="single")})
    with pytest.raises(ConfigError) as raised:
        files.runner().connector("c")
    (problem,) = raised.value.problems
    assert str(problem).partition(": ")[2].startswith(f"destination.tls.{key}: {sentence}")
    assert ":4:" in str(problem)


@pytest.mark.parametrize(
    "tls",
    ["{ca: ca.pem, cert: c.pem, key: k.pem}", "{cert: both.pem}", "{cert: c.pem, key: enc.pem, passphrase: '${env:OPEN}'}"],
)
def test_certificates_that_can_be_used_are_taken(files: Project, tls: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPEN", "sesame")
    files({"connectors.d/c.yaml": CONNECTOR.format(tls=tls, send="single")})
    chosen = files.runner().connector("c")
    assert "sesame" not in repr(chosen.destination.tls)


@pytest.mark.parametrize("send", ["single", "batch"])
def test_check_and_run_refuse_them_alike_and_ask_nobody(files: Project, send: str) -> None:
    files({"connectors.d/c.yaml": CONNECTOR.format(tls="{cert: c.pem, key: enc.pem}", send=send)})
    for words in (["check"], ["run", "-q", "--json"]):
        done = run(files.home, *words)
        assert done.returncode == 2
        assert "connectors.d/c.yaml:4:" in done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        assert "pass phrase" not in done.stdout + done.stderr


def test_a_passphrase_in_the_file_itself_is_shown_nowhere(files: Project) -> None:
    files({"connectors.d/c.yaml": CONNECTOR.format(tls="{cert: c.pem, key: enc.pem, passphrase: sesame}", send="single")})
    chosen = files.runner().connector("c")
    assert "sesame" not in chosen.secrets.redact("open with sesame")
    assert json.dumps(run(files.home, "preview", "c").stdout).count("sesame") == 0


def run(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    program = [sys.executable, "-c", "from sendoff.cli import main; main()", *words]
    return subprocess.run(
        program, cwd=home, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60, check=False, env={**os.environ}
    )
