"""`sendoff serve`: runs connectors when they are due, when files have landed, and when partners have posted."""

from sendoff.serving.schedule import Schedule
from sendoff.serving.server import Server

__all__ = ["Schedule", "Server"]
