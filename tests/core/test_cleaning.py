"""Text from outside, in one line and cut, after its secrets are gone."""

from __future__ import annotations

import sys
import unicodedata

import pytest

from sendoff.cleaning import EXCERPT_LENGTH, clean, excerpt
from sendoff.config.secrets import Secrets

KEY = "sk_live_9f8e7d6c5b4a39281706"


def test_no_character_is_left_that_a_terminal_or_a_log_would_obey() -> None:
    """Kind: a table of Unicode, written out to start quickly, that lacks some."""
    unsafe = {chr(at) for at in range(sys.maxunicode + 1) if unicodedata.category(chr(at)) in ("Cc", "Cf", "Zl", "Zp", "Cs")}
    assert {char for char in map(chr, range(sys.maxunicode + 1)) if clean(char) != char} >= unsafe


@pytest.mark.parametrize("text", ["Zoë, 張偉 — 100 %", "=1+1", "a b  c", "👩 ok"])
def test_what_people_write_stays(text: str) -> None:
    assert clean(text) == text


@pytest.mark.parametrize("before", range(EXCERPT_LENGTH - len(KEY) - 4, EXCERPT_LENGTH + 4))
def test_no_part_of_a_secret_is_left_wherever_a_text_is_cut(before: int) -> None:
    secrets = Secrets()
    secrets.add(KEY, "${KEY}")
    shown = excerpt("x" * before + KEY + " is no good key", redact=secrets.redact)
    assert len(shown) <= EXCERPT_LENGTH
    assert "sk" not in shown


def test_a_text_is_squeezed_after_its_secrets_are_gone() -> None:
    secrets = Secrets()
    secrets.add("alpha  bravo\tcharlie", "${KEY}")
    assert excerpt("no:  alpha  bravo\tcharlie\r\nis none", redact=secrets.redact) == "no: ${KEY} is none"
