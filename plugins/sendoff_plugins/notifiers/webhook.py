"""Notifications by webhook."""

from __future__ import annotations

from typing import Any

from sendoff.plugin import HttpClient, Notification, Notifier, check_url, hookimpl, jsonlib


class Webhook(Notifier):
    """POST the notification as JSON: `text` in one line, which chats show, and `event`, `connector` and `runs`."""

    name = "webhook"
    options = {
        **Notifier.options,
        "url": {"type": "string", "check_with": check_url, "meta": {"help": "Where notifications are sent.", "secret": True}},
        "headers": {
            "type": "dict", "keysrules": {"type": "string"}, "valuesrules": {"type": "string"}, "default": {},
            "meta": {"help": "Headers of the request."},
        },
    }  # fmt: skip
    url: str
    headers: dict[str, str]

    def notify(self, notification: Notification) -> None:
        payload: dict[str, Any] = {
            "text": _plain(f"{notification.connector}: {notification.event}: {notification.sentence}"),
            "event": notification.event,
            "connector": notification.connector,
            "sentence": notification.sentence,
            "runs": [*notification.runs],
        }
        headers = {"Content-Type": "application/json", **self.headers}
        with HttpClient(self.url, self.egress, seconds=30, attempts=4, redact=self.redact) as web:
            web.send("POST", self.url, headers=headers, body=jsonlib.dumps(payload).encode())


def _plain(text: str) -> str:
    """A text in which a chat finds no mention and no link, as the API's words are in it."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


@hookimpl
def sendoff_notifiers() -> list[type[Notifier]]:
    return [Webhook]
