"""The last touch to a request, without the engine's lock: compressed, signed, and told when its proof is stale."""

from __future__ import annotations

from dataclasses import replace

from sendoff.config.connector import Connector
from sendoff.engine.concurrency import MOST
from sendoff.errors import AuthError
from sendoff.transport import egress
from sendoff.transport.compression import COMPRESSORS
from sendoff.transport.protocol import Answer, Ask, Request, Wire

#: A body of fewer bytes fits one packet anyhow.
SMALL = 1_000


class Finish:
    """Makes a request ready for the wire. Called from several threads at once."""

    def __init__(self, connector: Connector, ask: Ask) -> None:
        self._auth = connector.auth
        self._secrets = connector.secrets
        self._coding = connector.destination.compress
        self._compress = COMPRESSORS.get(self._coding)
        if self._auth is not None:
            self._auth.start(ask)

    @property
    def idle(self) -> bool:
        """Whether requests leave as they are."""
        return self._compress is None and self._auth is None

    def __call__(self, request: Request) -> Request | Answer:
        """The finished request; or an answer, if it cannot be finished."""
        if self._compress is not None and request.length >= SMALL:
            body = self._compress(request.body)
            headers = {**request.headers, "Content-Encoding": self._coding}
            request = replace(request, headers=headers, body=body, length=sum(map(len, body)))
        if self._auth is None:
            return request
        try:
            headers = {**request.headers, **self._auth.sign(request)}
        except Exception as error:
            return self._unproven(error)
        finally:
            for secret in self._auth.secrets():
                self._secrets.add(secret, "***")
        return replace(request, headers=headers)

    def answered(self, request: Request, answer: Answer) -> Answer:
        """The answer, with the word that it may pass next time if the credentials were stale."""
        if answer.status == 401 and self._auth is not None and not request.renewed:
            try:
                return replace(answer, renewed=self._auth.renew(request))
            except Exception as error:
                return self._unproven(error)
        return answer

    def _unproven(self, error: Exception) -> Answer:
        """Why there is no proof: in the authenticator's own words, or that it broke."""
        if isinstance(error, AuthError):
            return Answer(error=str(error), sent=False, fatal=error.fatal)
        name = self._auth.name if self._auth is not None else ""
        return Answer(error=f"{name}: {type(error).__name__}: {error}", sent=False, fatal=True)


def wire(connector: Connector) -> Wire:
    """Where and how a connector's transport connects."""
    to = connector.destination
    most = MOST if to.concurrency == "auto" else to.concurrency
    return Wire(to.url, most, to.tls, to.proxy, lambda address: egress.refusal(address, to.egress))
