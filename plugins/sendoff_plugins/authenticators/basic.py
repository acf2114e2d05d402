"""A user name and a password."""

from base64 import b64encode
from collections.abc import Iterable, Mapping

from sendoff.plugin import Authenticator, Request, hookimpl


class Basic(Authenticator):
    """A user name and a password with every request (RFC 7617)."""

    name = "basic"
    options = {
        "user": {"type": "string", "meta": {"help": "The user name."}},
        "password": {"type": "string", "meta": {"help": "The password.", "secret": True}},
    }

    user: str
    password: str

    def _proof(self) -> str:
        return b64encode(f"{self.user}:{self.password}".encode()).decode()

    def sign(self, request: Request) -> Mapping[str, str]:
        return {"Authorization": f"Basic {self._proof()}"}

    def secrets(self) -> Iterable[str]:
        return (self._proof(),)


@hookimpl
def sendoff_authenticators() -> list[type[Authenticator]]:
    return [Basic]
