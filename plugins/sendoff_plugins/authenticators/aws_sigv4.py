"""Signatures of AWS (Signature Version 4), by botocore."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from sendoff.plugin import Authenticator, AuthError, Request, check_not_empty, egress, hookimpl, install_command

#: What a signature adds to a request, where it is there.
_ADDED = ("Authorization", "X-Amz-Date", "X-Amz-Security-Token", "X-Amz-Content-SHA256")
#: The domains of AWS's APIs.
_HOSTS = ("amazonaws.com", "amazonaws.com.cn", "api.aws", "on.aws")
#: The rules of credentials that are given.
_GIVEN = {"type": "string", "required": False, "excludes": "credentials", "check_with": check_not_empty}


class AwsSigV4(Authenticator):
    """Sign every request with AWS Signature Version 4: its method, URL, headers and body, as they are sent.

    The credentials are given, or `credentials: ambient` takes those of the machine, as AWS's own programs find them; these sign
    for AWS's own hosts alone. A signature is good for its host, service and region, and for a few minutes.
    """

    name = "aws_sigv4"
    headers = _ADDED[:2]
    options = {
        "region": {"type": "string", "check_with": check_not_empty, "meta": {"help": "The region, like `eu-central-1`."}},
        "service": {
            "type": "string", "check_with": check_not_empty,
            "meta": {"help": "The service as signatures name it: `sqs`, `events`, `kinesis`, `dynamodb`, `execute-api`."},
        },
        "access_key_id": {**_GIVEN, "meta": {"help": "The access key's id."}},
        "secret_access_key": {**_GIVEN, "meta": {"help": "The access key.", "secret": True}},
        "session_token": {**_GIVEN, "meta": {"help": "The session's token, of temporary credentials.", "secret": True}},
        "credentials": {
            "type": "string", "required": False, "allowed": ["ambient"],
            "meta": {"help": "`ambient`: those of the machine: its variables, AWS's files, or its role."},
        },
    }  # fmt: skip

    region: str
    service: str
    access_key_id: str | None = None
    secret_access_key: str | None = None
    session_token: str | None = None
    credentials: str | None = None

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        if self.credentials == "ambient":
            self.privileged = "uses the account of the machine (`credentials: ambient`)"  # type: ignore[misc]  # of this one alone
        self._lock = threading.Lock()
        self._found: Any = None
        self._secrets: set[str] = set()

    @classmethod
    def conflicts(cls, options: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """Credentials that are not given, or in part."""
        if "credentials" in options:
            return
        keys = ("access_key_id", "secret_access_key")
        missing = [name for name in keys if name not in options]
        if len(missing) == len(keys):
            yield "credentials", "are missing: give `access_key_id` and `secret_access_key`, or `credentials: ambient`"
        for name in missing if len(missing) < len(keys) else ():
            yield name, f"is missing; {' and '.join(keys)} go together"

    def sign(self, request: Request) -> Mapping[str, str]:
        if self.credentials == "ambient" and not egress.may_lend_account(request.url, _HOSTS):
            where = "{0.scheme}://{0.netloc}".format(urlsplit(request.url))
            raise AuthError(
                f"aws_sigv4: the account of the machine is for AWS alone, and this goes to {where}; who runs sendoff may "
                f"allow it by {egress.AMBIENT_ORIGINS}={where}"
            )
        try:
            from botocore.auth import S3SigV4Auth, SigV4Auth  # noqa: PLC0415  # an extra
            from botocore.awsrequest import AWSRequest  # noqa: PLC0415  # of the same extra
        except ImportError:
            raise AuthError(f"aws_sigv4 needs the aws extra: {install_command('aws')}") from None
        # The path of a URL is encoded once more by all services but S3.
        signer = (S3SigV4Auth if self.service == "s3" else SigV4Auth)(self._frozen(), self.service, self.region)
        digest = hashlib.sha256()
        for part in request.body:
            digest.update(part)
        signer.payload = lambda _: digest.hexdigest()
        signed = AWSRequest(method=request.method, url=request.url, headers=dict(request.headers))
        signer.add_auth(signed)
        return {name: signed.headers[name] for name in _ADDED if name in signed.headers}

    def fetch(self) -> str:
        if self.credentials is None:
            return ""
        self._frozen()
        return "the machine's credentials were found"

    def secrets(self) -> Iterable[str]:
        return tuple(self._secrets)

    def _frozen(self) -> Any:
        """The credentials as they are now; those of the machine are renewed when they are about to end. Raises `AuthError`."""
        from botocore.credentials import Credentials  # noqa: PLC0415  # an extra
        from botocore.exceptions import BotoCoreError  # noqa: PLC0415  # of the same extra
        from botocore.session import Session  # noqa: PLC0415  # of the same extra

        with self._lock:
            if self._found is None and self.credentials is None:
                self._found = Credentials(self.access_key_id, self.secret_access_key, self.session_token)
            try:
                if self._found is None:
                    self._found = Session().get_credentials()
                frozen = None if self._found is None else self._found.get_frozen_credentials()
            except BotoCoreError as error:
                raise AuthError(f"aws_sigv4: the machine's credentials cannot be had: {self.excerpt(str(error))}") from None
            if frozen is None or not frozen.access_key:
                raise AuthError("aws_sigv4: the machine has no credentials: neither variables, nor AWS's files, nor a role")
            self._secrets.update(filter(None, (frozen.secret_key, frozen.token)))
            return frozen


@hookimpl
def sendoff_authenticators() -> list[type[Authenticator]]:
    return [AwsSigV4]
