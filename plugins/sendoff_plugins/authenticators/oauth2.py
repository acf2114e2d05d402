"""OAuth 2.0: a token is fetched when needed, by a secret or a signed assertion, and renewed before it expires."""

from __future__ import annotations

import math
import threading
import time
import uuid
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus, urlencode

from sendoff.plugin import (
    Authenticator,
    AuthError,
    Request,
    Response,
    SendOne,
    Span,
    check_not_empty,
    check_url,
    hookimpl,
    install_command,
    jsonlib,
)

#: A token is renewed when this share of its lifetime is left, and at most this many seconds before it expires.
EARLY, EARLY_SECONDS = 0.2, 120.0
#: A token's lifetime in seconds if the server states none.
LIFETIME = 300.0
#: The seconds before each retry of a fetch that failed for a transient reason.
PAUSES = (0.2, 1.0)
#: Seconds for which an assertion is good; some servers take none that is good for more than three minutes.
ASSERTION_LIFETIME = 120
#: The grants, by what a connector calls them, and how a client says that its proof is a JWT (RFC 7523 §2).
_GRANTS = {"client_credentials": "client_credentials", "jwt_bearer": "urn:ietf:params:oauth:grant-type:jwt-bearer"}
_JWT = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

#: What helps where a private key cannot be read.
_PEM = "give the text of a PEM file, all its lines, of a private key that `algorithm` is for"


class OAuth2(Authenticator):
    """A token by OAuth 2.0 client credentials (RFC 6749 §4.4), or for an assertion (`grant: jwt_bearer`, RFC 7523 §2.1).

    The client proves who it is by its secret, or by a JWT that its `private_key` signs (`private_key_jwt`, RFC 7523 §2.2). A
    token is fetched once for all workers, and renewed before it expires and when the API responds 401.
    """

    name = "oauth2"
    options = {
        "token_url": {"type": "string", "check_with": check_url, "meta": {"help": "The token endpoint's URL."}},
        "client_id": {"type": "string", "meta": {"help": "The client's id."}},
        "client_secret": {
            "type": "string", "required": False, "excludes": "private_key", "check_with": check_not_empty,
            "meta": {"help": "The client's secret.", "secret": True},
        },
        "private_key": {
            "type": "string", "required": False, "excludes": "client_secret", "check_with": check_not_empty,
            "meta": {"help": "A private key (PEM) instead of it, best as `${file:…}`. Needs the extra `jwt`.", "secret": True},
        },
        "key_id": {"type": "string", "required": False, "meta": {"help": "What the server calls the key (`kid`)."}},
        "algorithm": {
            "type": "string", "default": "RS256",
            "allowed": [*(f"{kind}{bits}" for kind in ("RS", "PS", "ES") for bits in (256, 384, 512)), "Ed25519"],
            "meta": {"help": "How the key signs."},
        },
        "grant": {
            "type": "string", "allowed": list(_GRANTS), "default": "client_credentials",
            "meta": {"help": "What the token is given for; `jwt_bearer`: the assertion itself, as Google and Salesforce do."},
        },
        "subject": {
            "type": "string", "required": False, "meta": {"help": "Whom the token acts for, with `jwt_bearer` (`sub`)."},
        },
        "assertion_audience": {
            "type": "string", "required": False, "meta": {"help": "Whom the assertion is for (`aud`). Default: `token_url`."},
        },
        "scope": {"type": "string", "required": False, "meta": {"help": "What the token is for, separated by spaces."}},
        "audience": {"type": "string", "required": False, "meta": {"help": "Which API the token is for, where needed."}},
        "credentials_in": {
            "type": "string", "allowed": ["header", "body"], "default": "header",
            "meta": {"help": "Where the client's id and secret are sent."},
        },
    }  # fmt: skip

    token_url: str
    client_id: str
    client_secret: str | None = None
    private_key: str | None = None
    key_id: str | None = None
    algorithm: str
    grant: str
    subject: str | None = None
    assertion_audience: str | None = None
    scope: str | None = None
    audience: str | None = None
    credentials_in: str = "header"

    def __init__(self, *, home: Path | None = None, **options: Any) -> None:
        super().__init__(home=home, **options)
        self._lock = threading.Lock()
        self._token, self._renew_at = "", 0.0
        self._send: SendOne | None = None
        self.clock, self.wall_clock = time.monotonic, time.time
        self.sleep = time.sleep

    @classmethod
    def conflicts(cls, options: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """A grant without what proves who the client is, and what the grant has no use for."""
        if options.get("grant") == "jwt_bearer":
            if "private_key" not in options:
                yield "private_key", "is missing; `grant: jwt_bearer` sends an assertion that it signs"
            return
        if "client_secret" not in options and "private_key" not in options:
            yield "client_secret", "is missing; give it, or `private_key`: one of them proves who the client is"
        if "subject" in options and options.get("grant", "client_credentials") == "client_credentials":
            yield "subject", "has no effect without `grant: jwt_bearer`: leave it out, or say so"

    def start(self, send: SendOne) -> None:
        self._send = send

    def sign(self, request: Request) -> Mapping[str, str]:
        if not self._token or self.clock() >= self._renew_at:
            with self._lock:  # other threads wait here, and then use the token that was fetched
                if not self._token or self.clock() >= self._renew_at:
                    self._fetch()
        return {"Authorization": f"Bearer {self._token}"}

    def fetch(self) -> str:
        with self._lock:
            self._fetch()
        return f"a token was fetched from {self.token_url}"

    def renew(self, request: Request) -> bool:
        with self._lock:
            if request.headers.get("Authorization") == f"Bearer {self._token}":
                self._fetch()
        return True

    def secrets(self) -> Iterable[str]:
        return (self._token,)

    def _fetch(self) -> None:
        """Fetch a token. Raises `AuthError`."""
        response = self._request_token()
        for pause in PAUSES:
            if response.permanent or response.status not in (None, 429, 500, 502, 503, 504):
                break
            self.sleep(pause)
            response = self._request_token()
        if response.status is None:
            raise AuthError(f"oauth2: no token from {self.token_url}: {response.error}", permanent=response.permanent)
        try:
            body = jsonlib.loads(response.body.decode())
            body = body if isinstance(body, dict) else {}
        except ValueError:
            body = {}
        token = body.get("access_token")
        if response.status != 200 or not isinstance(token, str) or not token or not token.isascii() or not token.isprintable():
            why = self.excerpt(str(body.get("error_description") or body.get("error") or "the response has no access_token"))
            raise AuthError(
                f"oauth2: no token from {self.token_url}: {response.status}: {why}",
                permanent=response.status < 500,
            )
        if str(body.get("token_type", "bearer")).lower() != "bearer":
            kind = self.excerpt(str(body["token_type"]))
            raise AuthError(f"oauth2: {self.token_url} gives tokens of type {kind}; sendoff uses bearer tokens")
        try:
            lifetime = float(body.get("expires_in", LIFETIME))
        except (TypeError, ValueError, OverflowError):
            lifetime = LIFETIME
        if not math.isfinite(lifetime):
            lifetime = LIFETIME  # "nan" and "inf" are numbers to Python, and would never end
        self._token = token
        self._renew_at = self.clock() + lifetime - min(EARLY_SECONDS, lifetime * EARLY)

    def _request_token(self) -> Response:
        form = {"grant_type": _GRANTS[self.grant], "scope": self.scope, "audience": self.audience}
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept": "application/json",
            "Accept-Encoding": "identity",
        }
        if self.grant == "jwt_bearer":
            form["assertion"] = self._assertion({"sub": self.subject, "scope": self.scope})
        elif self.private_key:
            assertion = self._assertion({"sub": self.client_id})
            form |= {"client_id": self.client_id, "client_assertion_type": _JWT, "client_assertion": assertion}
        elif self.credentials_in == "header":
            # Each is form-encoded first (RFC 6749 §2.3.1).
            login = f"{quote_plus(self.client_id)}:{quote_plus(str(self.client_secret))}"
            headers["Authorization"] = f"Basic {b64encode(login.encode()).decode()}"
        else:
            form |= {"client_id": self.client_id, "client_secret": self.client_secret}
        body = urlencode({name: value for name, value in form.items() if value is not None}).encode()
        assert self._send is not None
        return self._send(Request(Span(0, 0), "POST", self.token_url, headers, [body], len(body), deadline=30))

    def _assertion(self, claims: Mapping[str, str | None]) -> str:
        """A JWT of these claims, signed by the private key, and good once and for a short time. Raises `AuthError`."""
        try:
            from joserfc import jwt  # noqa: PLC0415  # an extra
            from joserfc.errors import JoseError  # noqa: PLC0415  # of the same extra
            from joserfc.jwk import ECKey, OKPKey, RSAKey  # noqa: PLC0415  # of the same extra
        except ImportError:
            raise AuthError(f"oauth2: a private key needs the jwt extra: {install_command('jwt')}") from None
        pem = str(self.private_key).replace("\\n", "\n")  # as a JSON file of credentials has it
        now = int(self.wall_clock())
        all_claims = {
            "iss": self.client_id, "aud": self.assertion_audience or self.token_url, "jti": uuid.uuid4().hex,
            "iat": now, "exp": now + ASSERTION_LIFETIME, **claims,
        }  # fmt: skip
        header = {"alg": self.algorithm, "typ": "JWT", "kid": self.key_id}
        kind = OKPKey if self.algorithm == "Ed25519" else ECKey if self.algorithm.startswith("ES") else RSAKey
        try:
            return jwt.encode(
                {name: value for name, value in header.items() if value is not None},
                {name: value for name, value in all_claims.items() if value is not None},
                kind.import_key(pem),
                algorithms=[self.algorithm],
            )
        except (JoseError, ValueError, TypeError) as error:
            why = self.excerpt(str(error))
            raise AuthError(f"oauth2: the private key cannot sign with {self.algorithm}; {_PEM}: {why}") from None


@hookimpl
def sendoff_authenticators() -> list[type[Authenticator]]:
    return [OAuth2]
