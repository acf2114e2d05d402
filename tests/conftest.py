"""Fixtures for every test: the kit that plugin authors get too."""

from sendoff.testing import project, receiver

__all__ = ["project", "receiver"]
