"""`sendoff serve`: runs connectors when they are due, when files have landed, and when partners have posted."""

from sendoff.serving.schedule import Due, Schedule
from sendoff.serving.server import Server

__all__ = ["Due", "Schedule", "Server"]
