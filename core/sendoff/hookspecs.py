"""What can be plugged in: one hook per kind, each returning a list of classes.

`use:` in a connector file chooses among them. The hooks run once, when a runner is made.
"""

from __future__ import annotations

from collections.abc import Iterable

import pluggy

from sendoff.components import (
    Authenticator,
    FailureStrategy,
    Notifier,
    Observer,
    Scheduler,
    Sender,
    Source,
    Transport,
    Validator,
)

hookspec = pluggy.HookspecMarker("sendoff")
hookimpl = pluggy.HookimplMarker("sendoff")


@hookspec
def sendoff_sources() -> Iterable[type[Source]]:
    """Offer sources: where records come from."""
    return ()


@hookspec
def sendoff_validators() -> Iterable[type[Validator]]:
    """Offer validators: checks that make a record invalid before it is sent."""
    return ()


@hookspec
def sendoff_senders() -> Iterable[type[Sender]]:
    """Offer senders: how records become requests."""
    return ()


@hookspec
def sendoff_failure_strategies() -> Iterable[type[FailureStrategy]]:
    """Offer failure strategies: what to do with a rejected request."""
    return ()


@hookspec
def sendoff_transports() -> Iterable[type[Transport]]:
    """Offer transports: how requests' bytes travel."""
    return ()


@hookspec
def sendoff_observers() -> Iterable[type[Observer]]:
    """Offer observers: progress, logs and metrics of a run."""
    return ()


@hookspec
def sendoff_authenticators() -> Iterable[type[Authenticator]]:
    """Offer authenticators: how requests are authenticated."""
    return ()


@hookspec
def sendoff_notifiers() -> Iterable[type[Notifier]]:
    """Offer notifiers: who is notified of how runs went."""
    return ()


@hookspec
def sendoff_schedulers() -> Iterable[type[Scheduler]]:
    """Offer schedulers: other programs that can start runs."""
    return ()
