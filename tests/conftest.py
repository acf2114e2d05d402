"""Fixtures for every test: the kit that plugin authors get too."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from sendoff.testing import Project, receiver
from tests.oracle import account

__all__ = ["project", "receiver"]

# No test is about how long it takes: a loaded machine must not fail one.
settings.register_profile("sendoff", deadline=None)
settings.load_profile("sendoff")


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """An empty project. Whatever a test did in it, in the end each planned record must be in exactly one place."""
    yield Project(tmp_path)
    account(tmp_path / ".sendoff")
