"""What was posted is kept, known again, and bounded."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from sendoff.ledger.inbox import Inboxes, InboxFull
from tests.core.ledger.implementations import Clock, Implementation

MONTH = 31 * 86_400.0


def test_posts_come_out_in_the_order_they_came(inboxes: Inboxes, ledgers: Implementation, tmp_path: Path) -> None:
    for at in range(5):
        assert inboxes.put("a", "json", b"%d" % at, key=None, most_bytes=100)
    inboxes.put("b", "json", b"other", key=None, most_bytes=100)
    assert [post.body for post in inboxes.waiting("a", 0)] == [b"0", b"1", b"2", b"3", b"4"]
    assert [post.body for post in inboxes.waiting("a", 3)] == [b"3", b"4"]
    assert ledgers.last_post_id(tmp_path, "b") == inboxes.last_post_id("b") == 6


def test_a_post_is_known_by_its_key_also_after_it_was_taken_over_and_for_a_month(inboxes: Inboxes, clock: Clock) -> None:
    assert inboxes.put("a", "json", b"x", key="k", most_bytes=100)
    assert not inboxes.put("a", "json", b"x", key="k", most_bytes=100)
    assert inboxes.put("b", "json", b"x", key="k", most_bytes=100)
    inboxes.acknowledge("a", 1)
    assert not inboxes.put("a", "json", b"x", key="k", most_bytes=100)
    clock.now += MONTH
    assert inboxes.put("a", "json", b"x", key="k", most_bytes=100)


def test_more_than_there_is_room_for_is_refused_until_there_is_room(inboxes: Inboxes) -> None:
    inboxes.put("a", "json", b"x" * 60, key=None, most_bytes=100)
    with pytest.raises(InboxFull, match="60 bytes wait here already"):
        inboxes.put("a", "json", b"x" * 60, key=None, most_bytes=100)
    inboxes.put("b", "json", b"x" * 60, key=None, most_bytes=100)
    inboxes.acknowledge("a", inboxes.last_post_id("a"))
    assert inboxes.put("a", "json", b"x" * 60, key=None, most_bytes=100)
    assert [post.id for post in inboxes.waiting("a", 0)] == [3], "numbers are not used twice"


def test_a_project_may_lie_in_a_folder_with_signs_that_a_url_knows(ledgers: Implementation, tmp_path: Path) -> None:
    """Brother: the ledger, which SQLite opens by such a URL too."""
    folder = tmp_path / "50% #1?"
    folder.mkdir()
    with closing(ledgers.inboxes(folder)) as made:
        made.put("a", "json", b"{}", key=None, most_bytes=100)
        assert ledgers.last_post_id(folder, "a") == 1
