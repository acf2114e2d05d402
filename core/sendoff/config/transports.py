"""Choose the transport of a connector whose file names none, with the reason; and find the proxy that variables name."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit
from urllib.request import (  # type: ignore[attr-defined]  # typeshed lacks the last
    getproxies,
    proxy_bypass,
    proxy_bypass_environment,
)

from sendoff.errors import PluginError
from sendoff.registry import Registry

#: Why, by what a transport is the default for.
_REASONS = {"tls_proxies": "as the proxy is reached by TLS", "destinations": "the default"}


def default_transport(
    declared: Mapping[str, object] | None, proxy: str | None, registry: Registry
) -> tuple[Mapping[str, object], str]:
    """A transport and its options, and the reason in a few words, for `sendoff check -v`.

    Each transport says of itself what it is the default for. Raises `PluginError` if none does.
    """
    if declared is not None:
        return declared, "as the file says"
    tls = proxy is not None and proxy.lower().startswith("https:")
    purpose = "tls_proxies" if tls else "destinations"
    chosen = registry.default("transports", purpose)
    if chosen is None:
        raise PluginError(f"no transport is the default for {purpose!r}; name one in destination.transport")
    return {"use": chosen.name}, _REASONS[purpose]


def find_proxy(url: str, env: Mapping[str, str] | None) -> str | None:
    """The proxy that the variables name for a URL; None for no variables: those of the process, or the system's settings."""
    parts = urlsplit(url)
    if env is None:
        return None if proxy_bypass(parts.hostname or "") else getproxies().get(parts.scheme)
    named = sorted(env, key=str.islower)  # those in lower case hold, as elsewhere
    proxies = {name.lower().removesuffix("_proxy"): env[name] for name in named if name.lower().endswith("_proxy")}
    return None if proxy_bypass_environment(parts.hostname or "", proxies) else proxies.get(parts.scheme) or None
