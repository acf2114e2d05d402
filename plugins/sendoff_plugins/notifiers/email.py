# ruff: noqa: E501  # a row of the options reads best as a row
"""Notifications by e-mail."""

from __future__ import annotations

import smtplib
from collections.abc import Mapping, Sequence
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from typing import Any

from sendoff.plugin import TLS, Notification, Notifier, hookimpl, ssl_context

_WORD = {"type": "string", "required": False}


class Email(Notifier):
    """Send the notification as an e-mail, through a mail server that takes it."""

    name = "email"
    privileged = "connects to mail servers"
    options = {
        **Notifier.options,
        "to": {"type": "list", "schema": {"type": "string", "regex": r"[^@\s]+@[^@\s]+"}, "minlength": 1, "meta": {"help": "Who gets it."}},
        "sender": {"type": "string", "regex": r"[^@\s]+@[^@\s]+", "meta": {"help": "Who it is from."}},
        "host": {"type": "string", "meta": {"help": "The mail server."}},
        "port": {"type": "integer", "min": 1, "max": 65535, "default": 587, "meta": {"help": "Its port: 587 for starttls, 465 for tls."}},
        "security": {
            "type": "string", "allowed": ["starttls", "tls", "none"], "default": "starttls",
            "meta": {"help": "How the way there is protected. Without protection no password is sent."},
        },
        "user": {**_WORD, "meta": {"help": "Who logs in."}},
        "password": {**_WORD, "meta": {"help": "With which password.", "secret": True}},
        "ca": {**_WORD, "meta": {"help": "A file of certificates to trust instead of the usual ones."}},
    }  # fmt: skip
    to: Sequence[str]
    sender: str
    host: str
    port: int
    security: str
    user: str | None = None
    password: str | None = None
    ca: str | None = None

    def notify(self, notification: Notification) -> None:
        trusted = ssl_context(TLS(ca=self.home / self.ca if self.ca else None))
        if self.security == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(self.host, self.port, timeout=30, context=trusted)
        else:
            server = smtplib.SMTP(self.host, self.port, timeout=30)
        with server:
            if self.security == "starttls":
                server.starttls(context=trusted)
            if self.user and self.password and self.security != "none":
                server.login(self.user, self.password)
            server.send_message(self._message(notification))

    def _message(self, notification: Notification) -> EmailMessage:
        message = EmailMessage()
        message["Subject"] = f"sendoff: {notification.connector}: {notification.event}"
        message["From"], message["To"] = self.sender, ", ".join(self.to)
        message["Date"], message["Message-ID"] = formatdate(localtime=True), make_msgid(domain="sendoff.invalid")
        runs = [
            f"run {run.get('run', run.get('id'))}: {run['state']}, {run['delivered']:,} of {run['read']:,} delivered{_only(run)}, "
            f"{run['rejected']:,} rejected, {run['invalid']:,} invalid, {run['pending']:,} pending"
            for run in notification.runs
        ]
        lines = [notification.sentence, "", *runs]
        message.set_content("\n".join(lines).rstrip() + "\n")
        return message


def _only(run: Mapping[str, Any]) -> str:
    return f" ({run['accepted']:,} accepted only)" if run.get("accepted") else ""


@hookimpl
def sendoff_notifiers() -> list[type[Notifier]]:
    return [Email]
