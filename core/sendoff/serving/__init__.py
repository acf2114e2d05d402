"""`sendoff serve`: runs connectors when they are due, when files have landed, and when partners have posted."""

from sendoff.serving.export import FORMATS, export
from sendoff.serving.serve import Server
from sendoff.serving.timetable import Due, Timetable

__all__ = ["FORMATS", "Due", "Server", "Timetable", "export"]
