"""OAuth 2.0 client credentials: a token fetched when needed, and renewed before it ends."""

from __future__ import annotations

import threading
import time
from base64 import b64encode
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus, urlencode

from sendoff.plugin import Authenticator, AuthError, Request, SendOne, Span, check_url, hookimpl, jsonlib

#: A token is renewed when this share of its life is left, and this many seconds at most before its end.
EARLY, EARLY_SECONDS = 0.2, 120.0
#: How long a token lives if the server does not say.
LIFE = 300.0
#: How often, and after how many seconds, a fetch that failed on the way is tried again.
PAUSES = (0.2, 1.0)


class OAuth2(Authenticator):
    """A token by OAuth 2.0 client credentials (RFC 6749 §4.4).

    It is fetched once for all workers, renewed before it ends, and once more when the API answers 401.
    """

    name = "oauth2"
    options = {
        "token_url": {"type": "string", "check_with": check_url, "meta": {"help": "Where tokens are given."}},
        "client_id": {"type": "string", "meta": {"help": "The client's name."}},
        "client_secret": {"type": "string", "meta": {"help": "The client's secret.", "secret": True}},
        "scope": {"type": "string", "required": False, "meta": {"help": "What the token is for, separated by spaces."}},
        "audience": {"type": "string", "required": False, "meta": {"help": "Whom the token is for, where the server asks."}},
        "credentials_in": {
            "type": "string", "allowed": ["header", "body"], "default": "header",
            "meta": {"help": "Where the client's name and secret travel."},
        },
    }  # fmt: skip

    token_url: str
    client_id: str
    client_secret: str
    scope: str | None = None
    audience: str | None = None
    credentials_in: str = "header"

    def __init__(self, *, home: Path | None = None, **options: Any) -> None:
        super().__init__(home=home, **options)
        self._lock = threading.Lock()
        self._token, self._renew_at = "", 0.0
        self._ask: SendOne | None = None
        self.clock = time.monotonic
        self.sleep = time.sleep

    def start(self, ask: SendOne) -> None:
        self._ask = ask

    def sign(self, request: Request) -> Mapping[str, str]:
        if not self._token or self.clock() >= self._renew_at:
            with self._lock:  # whoever comes meanwhile waits, and finds the token there
                if not self._token or self.clock() >= self._renew_at:
                    self._fetch()
        return {"Authorization": f"Bearer {self._token}"}

    def renew(self, request: Request) -> bool:
        with self._lock:
            if request.headers.get("Authorization") == f"Bearer {self._token}":
                self._fetch()
        return True

    def secrets(self) -> Iterable[str]:
        return (self._token,)

    def _fetch(self) -> None:
        answer = None
        for pause in (*PAUSES, None):
            answer = self._asked()
            if (
                pause is None
                or answer.permanent
                or (answer.status is not None and answer.status not in (429, 500, 502, 503, 504))
            ):
                break
            self.sleep(pause)
        assert answer is not None
        if answer.status is None:
            raise AuthError(f"oauth2: no token from {self.token_url}: {answer.error}", permanent=answer.permanent)
        try:
            told = jsonlib.loads(answer.body.decode())
            told = told if isinstance(told, dict) else {}
        except ValueError:
            told = {}
        token = told.get("access_token")
        if answer.status != 200 or not isinstance(token, str) or not token.isascii() or not token.isprintable():
            why = told.get("error_description") or told.get("error") or "the response has no access_token"
            raise AuthError(f"oauth2: no token from {self.token_url}: {answer.status}: {why}", permanent=answer.status < 500)
        if str(told.get("token_type", "bearer")).lower() != "bearer":
            raise AuthError(f"oauth2: {self.token_url} gives tokens of type {told['token_type']}; sendoff uses bearer tokens")
        try:
            life = float(told.get("expires_in", LIFE))
        except (TypeError, ValueError):
            life = LIFE
        self._token = token
        self._renew_at = self.clock() + life - min(EARLY_SECONDS, life * EARLY)

    def _asked(self) -> Any:
        form = {"grant_type": "client_credentials", "scope": self.scope, "audience": self.audience}
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept": "application/json",
            "Accept-Encoding": "identity",
        }
        if self.credentials_in == "header":
            # Each is form-encoded first (RFC 6749 §2.3.1).
            login = f"{quote_plus(self.client_id)}:{quote_plus(self.client_secret)}"
            headers["Authorization"] = f"Basic {b64encode(login.encode()).decode()}"
        else:
            form |= {"client_id": self.client_id, "client_secret": self.client_secret}
        body = urlencode({name: value for name, value in form.items() if value is not None}).encode()
        assert self._ask is not None
        return self._ask(Request(Span(0, 0), "POST", self.token_url, headers, [body], len(body), deadline=30))


@hookimpl
def sendoff_authenticators() -> list[type[Authenticator]]:
    return [OAuth2]
