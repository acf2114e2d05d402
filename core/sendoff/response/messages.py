"""Error messages of APIs, made safe to show and store: the problem details of RFC 9457 and other common formats."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Mapping
from http import HTTPStatus

from sendoff import jsonlib
from sendoff.cleaning import excerpt
from sendoff.jsonlib.jsonpath import MISSING
from sendoff.transport.protocol import Response

_MAX_READ = 65536
#: Byte order marks (Unicode §23.8); UTF-32 before UTF-16, whose mark is the beginning of that of UTF-32.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF32_LE, "utf-32-le"), (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"),
)  # fmt: skip


def describe(response: Response, redact: Callable[[str], str] = str) -> str:
    """The status and the API's error message, in one line of limited length."""
    status = response.status or 0
    body = decode_body(response, _MAX_READ)
    return excerpt(f"{status}: {_detail(body) or _extract_title(body) or status_phrase(status)}", redact=redact)


def decode_body(response: Response, limit: int | None = None) -> str:
    """A response's body, or its first bytes, as text: by its byte order mark, else the charset it declares, else UTF-8."""
    body = response.body[:limit]
    for mark, charset in _MARKS:
        if body.startswith(mark):
            return body[len(mark) :].decode(charset, "replace")
    found = re.search(r";\s*charset\s*=\s*\"?([\w.:-]{1,40})", (response.headers or {}).get("content-type", ""), re.IGNORECASE)
    return body.decode(_charset(found[1]) if found else "utf-8", "replace")


def _charset(name: str) -> str:
    """Python's name of a charset; UTF-8 for one that is unknown, or whose decoder is slow on long texts."""
    try:
        known = codecs.lookup(name).name
    except LookupError:
        return "utf-8"
    return known if re.match(r"utf-(?:8|16|32)|ascii|iso8859|cp\d|koi8|mac|gb|big5|euc|shift|iso2022", known) else "utf-8"


def status_phrase(status: int) -> str:
    """The reason phrase of a status (RFC 9110 §15)."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def extract_message(found: object) -> str:
    """The error message in a JSON body, from the members where APIs usually have it; a sentence rather than a code."""
    if isinstance(found, str):
        return found
    if isinstance(found, list):
        return "; ".join(filter(None, map(extract_message, found[:3])))
    if not isinstance(found, Mapping):
        return ""
    codes: dict[str, str] = {}
    for key in ("detail", "message", "error_description", "error", "errors", "title", "reason"):
        words = "" if codes and key in ("errors", "title") else extract_message(found.get(key))
        if words and re.fullmatch(r"[\w.:-]+", words) is None:
            return words + (_describe_pointers(found.get("errors")) if key != "errors" else "")
        if words:
            codes.setdefault(words, key)
    return ": ".join([*codes][:2]) + (
        _describe_pointers(found.get("errors")) if codes and "errors" not in codes.values() else ""
    )


def read_message(found: object) -> str:
    """The error message in a value that is one as its owner says: in words if it has some, else the value itself."""
    return extract_message(found) or ("" if found in (MISSING, None, "", [], {}) else jsonlib.dumps(found))


def failure_member(body: object) -> str | None:
    """The member at the top of a body by which APIs report a failure in a 200; None if there is none."""
    if not isinstance(body, dict):
        return None
    found = next((name for name in ("error", "errors") if body.get(name)), None)
    return found or next((name for name in ("ok", "success") if body.get(name) is False), None)


def _describe_pointers(errors: object) -> str:
    """The errors in problem details that have a pointer, with it (RFC 9457 §3)."""
    if not isinstance(errors, list):
        return ""
    pairs = [(error.get("pointer"), extract_message(error)) for error in errors[:3] if isinstance(error, Mapping)]
    shown = "; ".join(f"{pointer}: {words}" for pointer, words in pairs if isinstance(pointer, str) and words)
    return f" ({shown})" if shown else ""


def looks_like_html(body: bytes) -> bool:
    """Whether a body is an HTML page: a login form, a captive portal, a proxy's error."""
    if body[:1] in (b"\xef", b"\xff", b"\xfe", b"\0"):
        body = decode_body(Response(body=body), 1024).encode("utf-8", "replace")
    return re.match(rb"\s*<(?:!doctype|html|head|body|\?xml|!--)", body[:512], re.IGNORECASE) is not None


def _detail(body: str) -> str:
    try:
        found = jsonlib.loads(jsonlib.replace_lone_surrogates(body))
    except ValueError:
        return ""
    return extract_message(found) or body


def _extract_title(body: str) -> str:
    if re.match(r"\s*<", body):  # an HTML page, of which only the title is worth showing
        title = re.search(r"<title>([^<]*)</title>", body, re.IGNORECASE)
        return title[1] if title else ""
    return body
