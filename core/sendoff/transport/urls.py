"""What is wrong with a URL, in a sentence."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import urlsplit


def url_problem(url: str) -> str | None:
    """What is wrong with a URL; None if nothing is (RFC 3986, RFC 9110 §4.2)."""
    if re.search(r"[\x00-\x20\x7f\\]", url):
        return "a URL holds no spaces, control characters or backslashes; percent-encode them"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        return f"not a URL: {error}"
    if parts.scheme not in ("http", "https") or not parts.netloc:
        return "a URL starts with http:// or https:// and a host"
    if not parts.hostname:
        return "the URL has no host"
    if "@" in parts.netloc:
        return "a URL holds no user name or password; put them into a header"
    if "#" in url:
        return "a URL to send to has no fragment; cut it at the #"
    if port == 0:
        return "port 0 is not a valid port"
    after_path = re.search(r":(\d{1,5})/?$", parts.path)
    if after_path and port is None:
        path = parts.path[: after_path.start()]
        return f"the port belongs after the host: {parts.scheme}://{parts.netloc}:{after_path[1]}{path}"
    return None


def check_url(field: str, value: object, error: Callable[[str, str], None]) -> None:
    """Cerberus's `check_with` for an option of a component that is a URL."""
    found = url_problem(value) if isinstance(value, str) else None
    if found:
        error(field, found)


def proxy_problem(url: str) -> str | None:
    """What is wrong with a proxy's URL; it may hold a user name and password."""
    if url == "env":
        return None
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        return f"not a URL: {error}"
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        return "a proxy is `env`, or a URL that starts with http:// or https://"
    return None
