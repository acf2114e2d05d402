"""Text from outside, made safe to show: first secrets are taken out, then it is cleaned, then it is cut."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

#: How much of a text from outside stands in a sentence.
EXCERPT_LENGTH = 300
#: Control and format characters, line separators and lone surrogates (Unicode Cc, Cf, Zl, Zp, Cs): they move the cursor,
#: reverse or hide what stands beside them, or begin a line of their own. U+200C and U+200D count, though Persian, Indic scripts
#: and emoji need them: with them two names that differ look the same. Only what is shown loses them, not what is sent.
UNSAFE = (
    r"\0-\x1f\x7f-\x9f\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    r"\ud800-\udfff\ufeff\ufff9-\ufffb\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    r"\U000e0001\U000e0020-\U000e007f"
)
_UNSAFE = re.compile(f"[{UNSAFE}]")
_UNSAFE_IN_JSON = re.compile(f"(?!\n)[{UNSAFE}]")


def clean(text: str) -> str:
    """The text in one line, with a blank for each character that a terminal, a log or a mail would obey."""
    return _UNSAFE.sub(" ", text)


def excerpt(text: str, limit: int = EXCERPT_LENGTH, *, redact: Callable[[str], str] = str) -> str:
    """The beginning of a text from outside, in one line. Secrets go before it is cut: half of one is no longer known."""
    line = " ".join(clean(redact(text)).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def escape_in_json(text: str) -> str:
    """JSON as it is, with what a terminal would obey written as escapes: it means the same."""
    return _UNSAFE_IN_JSON.sub(lambda match: json.dumps(match[0])[1:-1], text)


def defuse_formula(text: str) -> str:
    """A cell that no spreadsheet takes for a formula (OWASP, CSV injection), by an apostrophe in front."""
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text


def restore_formula(text: str) -> str:
    """What `defuse_formula` was given."""
    return re.sub(DEFUSED, r"\1", text)


#: Apostrophes count, as one that was there already must be told from one that was put there.
_FORMULA = re.compile(r"'*[=+\-@\t\r]")
#: A cell that was defused; its group is what it was.
DEFUSED = r"\A'('*[=+\-@\t\r])"
_NUMBER = re.compile(r"[+-]?[0-9]+([.,][0-9]+)*([eE][+-]?[0-9]+)?", re.ASCII)
