"""Responses in other charsets than plain UTF-8."""

from __future__ import annotations

import json

import pytest

from sendoff import Response
from sendoff.response import Policy, VerdictKind, classify

SAYS_YES = Policy.of({"delivered_when": {"path": "$.ok", "equals": True}, "reason": "$.why", "capture": {"id": "$.id"}})


@pytest.mark.parametrize("charset", ["utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("declared", ["application/json", "application/json; charset=utf-8"])
def test_a_byte_order_mark_is_passed_over(charset: str, declared: str) -> None:
    """Kind: a mark that is tolerated in files and not in responses. Brothers: UTF-8, -16 and -32; a success, a reason, a page."""
    given = Response(200, {"content-type": declared}, json.dumps({"ok": True, "id": 7}).encode(charset))
    found = classify(given, SAYS_YES)
    assert (found.kind, found.captured) == (VerdictKind.DELIVERED, {-1: {"id": 7}})
    refused = Response(400, {"content-type": declared}, '{"message": "Ungültige Straße"}'.encode(charset))
    assert classify(refused).reason == "400: Ungültige Straße"


@pytest.mark.parametrize("charset", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_a_page_for_people_is_no_success_in_any_charset(charset: str) -> None:
    """The same kind: a login page with a mark was a success."""
    page = "<!DOCTYPE html><title>Log in</title>".encode(charset)
    kind = classify(Response(200, {"content-type": "text/html"}, page)).kind
    assert kind is (VerdictKind.STOP if charset != "utf-16-le" else VerdictKind.DELIVERED)


@pytest.mark.parametrize(
    ("declared", "charset"),
    [
        ("application/json; charset=iso-8859-1", "latin-1"),
        ('application/json;charset="windows-1252"', "cp1252"),
        ("application/json; version=2; Charset=ISO-8859-15", "iso-8859-15"),
        ("text/plain; charset=utf-16le", "utf-16-le"),
    ],
)
def test_the_declared_charset_is_used(declared: str, charset: str) -> None:
    """Kind: the charset of responses. Brothers: quoted, beside other parameters, in a reason and in what is declared."""
    body = '{"ok": false, "why": "Ungültige Straße"}'.encode(charset)
    policy = SAYS_YES if "json" in declared else Policy.of({"rejected_when": {"text": "Straße"}, "reason": "$.why"})
    assert classify(Response(200, {"content-type": declared}, body), policy).reason == "200: Ungültige Straße"
    assert "Ungültige Straße" in classify(Response(400, {"content-type": declared}, body)).reason


@pytest.mark.parametrize("charset", ["x-unknown", "punycode", "idna", "unicode_escape", "rot13", "base64", "utf-7", "", "\0"])
def test_a_charset_that_is_none_is_read_as_utf_8(charset: str) -> None:
    given = Response(200, {"content-type": f"application/json; charset={charset}"}, '{"ok": false, "why": "Straße"}'.encode())
    assert classify(given, SAYS_YES).reason == "200: Straße"
