"""M7, X3: canaries in place of secrets, of every kind, over every path; afterwards not one may be found anywhere.

The API echoes whatever it gets in every form it can, in its successes and in its refusals, as careless ones do; so do the APIs
that sources read, the programs that they run, and those who are notified. What they say is of any length, so that it is cut
off anywhere.
"""

from __future__ import annotations

import base64
import html
import json
import logging
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from random import Random
from urllib.parse import quote, quote_plus

from sendoff.sandbox import LocalServer, Received, Reply
from tests.stress.promise import Budget, Figures, Promise
from tests.stress.zygote import Zygote, sendoff

KINDS = ("BEARER", "PASSWORD", "HEADER", "QUERY", "CLIENT_SECRET", "PROXY", "SIGNING", "HOOK", "BODY", "FILE")
#: So much of the beginning of a secret is a leak.
PIECE = 10
#: Where nothing but the secrets themselves is: what is looked through is all the rest.
GIVEN = frozenset({"secret.txt"})

AUTHS = {
    "bearer": "auth: {use: bearer, token: '${BEARER}'}",
    "basic": "auth: {use: basic, username: someone, password: '${PASSWORD}'}",
    "oauth": "auth: {use: oauth2, token_url: '%(url)s/token', client_id: us, client_secret: '${CLIENT_SECRET}'}",
    "webhook": "auth: {use: standard_webhooks, secret: '${SIGNING}'}",
    "header": "headers: {X-Api-Key: '${HEADER}', Cookie: 'session=${HEADER}'}",
    "file": "headers: {X-Api-Key: '${file:secret.txt}'}",
    "proxy": "proxy: 'http://someone:${PROXY}@127.0.0.1:%(dead)s'",
}
#: Most read a file; of the others, which say what they were given, most runs end before anything is sent.
SOURCES = {
    "csv": "{use: csv, path: in.csv}",
    "file": "{use: csv, path: in.csv, order: time}",
    "many": "{use: csv, path: [in.csv]}",
    "api": "{use: http, url: '%(url)s/source?key=${QUERY}', headers: {X-Api-Key: '${HEADER}'}}",
    "site": "{use: csv, path: '%(url)s/file.csv', storage: {X-Api-Key: '${HEADER}'}}",
    "program": "{use: command, command: [sh, -c, 'echo %(cut)s $1 >&2; exit 3', sh, '${BODY}']}",
}
SENDS = {"batch": "send: {use: batch, max_records: 3}\non_failure: split", "single": "send: single"}


class Echo(LocalServer):
    """Answers with what it got, as text, JSON, escaped, in base64; with a different status each time."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)
        super().__init__(self._echo)

    def _echo(self, request: Received) -> Reply:
        if request.path.startswith("/token"):
            said = request.body.decode() + request.headers.get("authorization", "")
            if self._random.random() < 0.5:
                cut = "x" * self._random.randrange(320)
                return Reply(401, json.dumps({"error": "invalid_client", "error_description": cut + said}).encode())
            return Reply(200, json.dumps({"access_token": f"tok-{os.environ['CANARY_TOKEN']}", "expires_in": 60}).encode())
        heads = "\n".join(f"{name}: {value}" for name, value in request.headers.items())
        said = f"{request.path}\n{heads}\n{request.body.decode(errors='replace')}"
        forms = [
            said,
            quote(said),
            quote_plus(said),
            json.dumps(said),
            html.escape(said),
            "".join(f"\\u{ord(char):04x}" for char in said),
            " ".join(said.split()),
            *(base64.b64encode(b"x" * n + said.encode()).decode() for n in range(3)),
        ]
        # Each of the secrets comes to stand where a text is cut off, sooner or later.
        text = "x" * self._random.choice([0, 0, self._random.randrange(320)]) + self._random.choice(forms)
        asked_once = request.path.startswith(
            ("/source", "/file", "/hook")
        )  # a source or a webhook is not asked again, which takes time
        status = self._random.choice([400, 401, 403] if asked_once else [200, 200, 400, 400, 401, 403, 409, 422, 500, 302])
        kind = self._random.choice(["json", "problem", "page", "text"])
        headers = {"X-Request-Id": text[:200].replace("\n", " "), "Location": f"http://127.0.0.1:1/?{quote(said[:300])}"}
        match kind:
            case "json":
                return Reply(
                    status,
                    json.dumps({"error": text, "id": text[:60], "sent": {"heads": request.headers, "all": [said]}}).encode(),
                    {**headers, "Content-Type": "application/json"},
                )
            case "problem":
                problem = {"title": "No", "detail": text, "errors": [{"pointer": "/0", "detail": text}]}
                return Reply(status, json.dumps(problem).encode(), {**headers, "Content-Type": "application/problem+json"})
            case "page":
                return Reply(
                    status, f"<html><title>{text[:300]}</title>{text}</html>".encode(), {**headers, "Content-Type": "text/html"}
                )
        return Reply(status, text.encode(), headers)


def speak(words: list[str], env: dict[str, str], leaking: bool) -> None:
    """In a child: the command line, at debug level, with secrets in its environment."""
    os.environ.update(env)
    logging.basicConfig(level=logging.DEBUG)
    if leaking:
        print("a plugin that is careless:", env["HEADER"])
    sendoff(words)


def connector(chance: Random, url: str, auth: str, send: str) -> str:
    """A connector with secrets wherever one may stand."""
    said = AUTHS[auth] % {"url": url, "dead": 9}
    capture = "response: {capture: {theirs: $.id, all: $.error, whole: $}}, " if chance.random() < 0.7 else ""
    source = SOURCES[chance.choice(list(SOURCES))] % {"url": url, "cut": "x" * chance.randrange(320)}
    return (
        f"source: {source}\nschema: {{id: integer, name: string}}\n"
        f"{SENDS[send]}\n"
        f"destination:\n  {{url: '{url}/x?key=${{QUERY}}', {capture}retry: {{max_attempts: 2, initial_backoff: 0.01, max_backoff: 0.02}}, {said}}}\n"
        f"notify: [{{use: webhook, url: '{url}/hook?key=${{HOOK}}', on: [failure, recovery]}},"
        f" {{use: command, command: [sh, -c, 'echo {'x' * chance.randrange(220)} $1 >&2; exit 1', sh, '${{HOOK}}']}}]\n"
    )


def forms(secret: str) -> Iterator[bytes]:
    """Every form a secret may travel in."""
    for text in {
        secret,
        quote(secret),
        quote(secret, safe=""),
        quote_plus(secret),
        html.escape(secret),
        json.dumps(secret)[1:-1],
        repr(secret)[1:-1],
    }:
        # A piece of it is enough to be a leak: it may have been cut off behind.
        yield text[:PIECE].encode()
    yield "".join(f"\\u{ord(char):04x}" for char in secret[:PIECE]).encode()
    for before in ("", "a", "ab", "someone:"):
        whole = base64.b64encode((before + secret).encode()).decode().rstrip("=")
        # The edges depend on what stands beside it; the middle does not.
        yield whole[4 + 4 * (len(before) // 3) :][: PIECE + 4].encode()


def leaks(home: Path, said: str, secrets: dict[str, str]) -> list[str]:
    """Where a secret is found: among what was said, and in the bytes of every file, free pages included."""
    places = {"output": said.encode()}
    places |= {
        str(file.relative_to(home)): file.read_bytes() for file in home.rglob("*") if file.is_file() and file.name not in GIVEN
    }
    return [
        f"{name} as {form.decode()!r} in {place}"
        for name, secret in secrets.items()
        for form in forms(secret)
        for place, data in places.items()
        if form in data
    ]


def stress(budget: Budget, *, leaking: bool = False) -> Figures:
    """World after world: each a way to authenticate, a way to send, and every command after it."""
    chance = Random(budget.seed)
    scratch = Path(tempfile.mkdtemp(prefix="canaries-"))
    worlds, found, looked = 0, list[str](), 0
    pairs = [(auth, send) for auth in AUTHS for send in SENDS]
    os.environ["CANARY_TOKEN"] = token = _secret(chance)
    try:
        with Zygote(scratch) as zygote:
            while budget.left(worlds):
                auth, send = pairs[worlds % len(pairs)]
                secrets = {kind: _secret(chance) for kind in KINDS}
                secrets["SIGNING"] = "whsec_" + base64.b64encode(chance.randbytes(24)).decode()
                home = scratch / f"world-{worlds}"
                (home / "connectors.d").mkdir(parents=True)
                (home / "in.csv").write_text("id,name\n" + "".join(f"{at},{'x' if at % 5 else '=1+1'}\n" for at in range(12)))
                (home / "secret.txt").write_text(secrets["FILE"])
                said = ""
                with Echo(chance.randrange(1 << 30)) as api:
                    (home / "connectors.d/c.yaml").write_text(connector(chance, api.url, auth, send))
                    for words in COMMANDS:
                        child = zygote.start("tests.stress.canaries:speak", list(words), secrets, leaking, cwd=home)
                        assert child.wait(60) is not None
                        said += child.output()
                        # A traceback is for those who ask for it, as this world does: at level DEBUG.
                        shown = re.sub(r"(DEBUG:sendoff:(the traceback:\n)?|exception[^\n]*:\n\n)Traceback", "", child.output())
                        assert "Traceback" not in shown, child.output()
                found += leaks(home, said, {**secrets, "TOKEN": token})
                worlds, looked = (
                    worlds + 1,
                    looked + len(said) + sum(file.stat().st_size for file in home.rglob("*") if file.is_file()),
                )
                shutil.rmtree(home)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    assert leaking or not found, "\n".join(found[:10])
    return {"worlds": worlds, "canaries": worlds * (len(KINDS) + 1), "bytes looked through": looked, "leaks": len(found)}


def _secret(chance: Random) -> str:
    return "cnry/" + base64.b64encode(chance.randbytes(18)).decode() + '+&"%='


COMMANDS = (
    ("check", "-v"),
    ("preview", "c"),
    ("run", "c"),
    ("run", "c", "--json", "--no-early-stop"),
    ("run", "c", "--restart"),
    ("runs", "1", "--requests"),
    ("runs", "1", "--json"),
    ("failed", "1"),
    ("failed", "1", "--csv"),
    ("failed", "1", "--json"),
    ("results", "1", "--csv"),
    ("retry", "1"),
    ("schedule",),
    ("plugins",),
    ("doctor",),
)

PROMISE = Promise(
    name="canaries",
    says="Secrets stay secret",
    rests_on="values from outside are known, and taken out in all their forms of whatever leaves sendoff",
    stress=stress,
    ci=14,
    full=200,
    proof="canaries",
    zero=("leaks",),
)
