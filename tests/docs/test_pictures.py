"""The picture of a terminal is of this version, and loads nothing."""

from __future__ import annotations

import re

from docs import pictures

from .pages import settled


def test_the_terminal_in_the_picture_shows_what_is_printed_now() -> None:
    shown = settled(pictures.plain(pictures.session()))
    assert "did you mean 'method'" in shown
    assert settled(pictures.described(pictures.PICTURE.read_text())) == shown, "run `make docs`"


def test_the_picture_of_a_terminal_is_drawn_from_the_text_that_it_holds() -> None:
    """Every line of the text is in the drawing, too, whatever the browser's font."""
    picture = pictures.PICTURE.read_text()
    drawn = re.sub(r"\s", "", "".join(re.findall(r"<text[^>]*>([^<]*)</text>", picture)).replace("&#160;", ""))
    described = re.sub(r"\s", "", picture.partition("<desc>")[2].partition("</desc>")[0])
    assert described
    assert all(word in drawn for word in ("$sendoffcheck", "incomplete", "sendofffailedpeople"))


def test_the_picture_of_a_terminal_loads_nothing() -> None:
    assert not re.search(r"url\(|href=|@import", pictures.PICTURE.read_text().replace("url(#", ""))
