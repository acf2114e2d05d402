"""A local API over a real socket: for trying sendoff out, for the docs and for tests."""

from sendoff.sandbox.api import Sandbox
from sendoff.sandbox.server import LocalServer, Received, Reply

__all__ = ["LocalServer", "Received", "Reply", "Sandbox"]
