"""Fixtures for every test: the kit that plugin authors get too."""

from hypothesis import settings

from sendoff.testing import project, receiver

__all__ = ["project", "receiver"]

# No test is about how long it takes: a loaded machine must not fail one.
settings.register_profile("sendoff", deadline=None)
settings.load_profile("sendoff")
