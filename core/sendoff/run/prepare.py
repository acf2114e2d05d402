"""The last step before a request is sent, outside the engine's lock: compression and signing."""

from __future__ import annotations

from dataclasses import replace

from sendoff.config.connector import Connector
from sendoff.engine.concurrency import MAX_CONCURRENCY
from sendoff.errors import AuthError, PluginCrash, SendoffError
from sendoff.transport import egress
from sendoff.transport.compression import COMPRESSORS
from sendoff.transport.protocol import ConnectionSettings, Request, Response, SendOne

#: A body of fewer bytes fits one packet anyhow.
SMALL = 1_000


class RequestPreparer:
    """Compresses and signs requests. Called from several threads at once."""

    def __init__(self, connector: Connector, ask: SendOne) -> None:
        self._auth = connector.auth
        self._secrets = connector.secrets
        self._coding = connector.destination.compress
        self._compress = COMPRESSORS.get(self._coding)
        #: Why requests could not be signed, the last time that it was so.
        self.error: SendoffError | None = None
        if self._auth is not None:
            self._auth.start(ask)

    @property
    def has_nothing_to_do(self) -> bool:
        """Whether requests leave as they are."""
        return self._compress is None and self._auth is None

    def __call__(self, request: Request) -> Request | Response:
        """The finished request; or a response, if it cannot be prepared."""
        if self._compress is not None and request.body_length >= SMALL:
            body = self._compress(request.body)
            headers = {**request.headers, "Content-Encoding": self._coding}
            request = replace(request, headers=headers, body=body, body_length=sum(map(len, body)))
        if self._auth is None:
            return request
        try:
            headers = {**request.headers, **self._auth.sign(request)}
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            return self._unsigned(error)
        finally:
            for secret in self._auth.secrets():
                self._secrets.add(secret, "***")
        return replace(request, headers=headers)

    def on_response(self, request: Request, response: Response) -> Response:
        """Mark a 401 as retryable if the credentials were renewed."""
        if response.status == 401 and self._auth is not None and not request.is_reauth:
            try:
                return replace(response, credentials_renewed=self._auth.renew(request))
            except KeyboardInterrupt:
                raise
            except BaseException as error:
                return self._unsigned(error)
        return response

    def _unsigned(self, error: BaseException) -> Response:
        """Why there is no proof: in the authenticator's own words, or that it broke."""
        self.error = error if isinstance(error, SendoffError) else PluginCrash.of(error, self._auth)
        permanent = error.permanent if isinstance(error, AuthError) else True
        return Response(error=str(self.error), may_have_been_sent=False, permanent=permanent)


def connection_settings(connector: Connector) -> ConnectionSettings:
    """Where and how a connector's transport connects."""
    to = connector.destination
    most = MAX_CONCURRENCY if to.concurrency == "auto" else to.concurrency
    return ConnectionSettings(to.url, most, to.tls, to.proxy, lambda address: egress.address_problem(address, to.egress))
