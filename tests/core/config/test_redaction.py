"""What is taken out of a text, exactly, and by which name it goes then."""

from __future__ import annotations

import base64
import html
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sendoff.config.redaction import MIN_LENGTH
from sendoff.config.secrets import Secrets, SecretStr, is_credential, resolve

SECRET = 'p/+ä"s w&%=d'


def redacted(text: str, *secrets: tuple[str, str]) -> str:
    kept = Secrets()
    for value, shown in secrets:
        kept.add(value, shown)
    return kept.redact(text)


@pytest.mark.parametrize(
    "form",
    [SECRET, quote(SECRET), quote(SECRET, safe=""), quote_plus(SECRET), json.dumps(SECRET)[1:-1]],
    ids=["as it stands", "in a path", "percent", "form", "json"],
)
def test_each_text_form_goes_whole(form: str) -> None:
    assert redacted(f"<{form}>", (SECRET, "S")) == "<S>"


@pytest.mark.parametrize("before", ["", "u", "us", "usr", "user", "user:"])
def test_in_base64_at_any_offset_nothing_but_the_edges_is_left(before: str) -> None:
    raw = SECRET.encode()
    for after in ("", "x", "xy"):
        encoded = base64.b64encode(before.encode() + raw + after.encode()).decode()
        left = redacted(encoded, (SECRET, "\0"))
        assert left.count("\0") == 1
        head, tail = left.split("\0")
        # What is left in front and behind decodes to less than two of the secret's bytes at either end.
        assert len(head) * 6 < len(before.encode()) * 8 + 16 + 8
        assert len(tail.rstrip("=")) * 6 < len(after) * 8 + 8 + 8


def test_a_secret_of_the_least_length_is_one_and_a_shorter_word_is_not() -> None:
    assert MIN_LENGTH == 6
    assert redacted("abcdef abcde", ("abcdef", "S")) == "S abcde"
    assert redacted("abcdef abcde", ("abcde", "S")) == "abcdef abcde"


def test_the_longest_goes_first_and_the_first_name_stays() -> None:
    assert redacted("token-12345 token-1", ("token-1", "A"), ("token-12345", "B")) == "B A"
    assert redacted("token-1", ("token-1", "A"), ("token-1", "B")) == "A"


def test_with_nothing_to_hide_a_text_stays() -> None:
    assert Secrets().redact("as it is") == "as it is"


@pytest.mark.parametrize(
    ("headers", "text", "left"),
    [
        ({"Authorization": "Bearer abc-def-ghi"}, "Bearer abc-def-ghi, abc-def-ghi", "***, ***"),
        ({"authorization": "Bearer abc-def-ghi"}, "you sent abc-def-ghi", "you sent ***"),
        ({"X-Api-Key": "key-of-mine"}, "key-of-mine", "***"),
        ({"Cookie": "session=0123456"}, "session=0123456", "***"),
        ({"X-Note": "nothing-secret"}, "nothing-secret", "nothing-secret"),
        ({"Authorization": SecretStr("from-outside", "${T}")}, "from-outside", "from-outside"),  # it is known by its own name
        ({"X-Note": "n", "Api-Key": "second-header"}, "second-header", "***"),
    ],
)
def test_credentials_written_into_a_file_go_too(headers: dict[str, str], text: str, left: str) -> None:
    kept = Secrets()
    kept.add_literals(headers)
    assert kept.redact(text) == left


@pytest.mark.parametrize(
    "name",
    [
        "Authorization",
        "Proxy-Authorization",
        "X-Api-Key",
        "apikey",
        "API_KEY",
        "X-Access-Key",
        "client_secret",
        "Password",
        "auth-token",
        "Cookie",
    ],
)
def test_what_is_named_like_a_credential_is_one(name: str) -> None:
    assert is_credential(name)


@pytest.mark.parametrize("name", ["Accept", "X-Key", "Content-Type", "X-Pass"])
def test_what_is_not_is_none(name: str) -> None:
    assert not is_credential(name)


def test_options_that_are_declared_secret_go() -> None:
    kept = Secrets()
    rules = {"password": {"meta": {"secret": True}}, "user": {"meta": {}}, "plain": {}}
    kept.add_options(
        rules, {"user": "somebody", "password": "pass-word", "plain": "plain-text", "more": "something", "none": None}
    )
    kept.add_options({"n": {"meta": {"secret": True}}}, {"n": 1234567})
    kept.add_options({"o": {"meta": {"secret": True}}}, {"o": SecretStr("outside-it", "${O}")})
    kept.add_options({"p": {"meta": {"secret": True}}, "q": {"meta": {"secret": True}}}, {"p": 7, "q": "after-a-number"})
    assert kept.redact("somebody pass-word plain-text something 1234567 outside-it after-a-number") == (
        "somebody *** plain-text something 1234567 outside-it ***"
    )


def test_what_is_nested_goes_and_logins_in_urls() -> None:
    kept = Secrets()
    kept.add_nested(
        {
            "url": "postgresql://someone:pass-word@db/x",
            "plain": "https://example.com/path-of-it",
            "mail": "someone@example.com",
            "number": 1,
            "storage": {"secret_access_key": "deep-secret", "region": "somewhere", "deeper": {"token": "deepest-one"}},
            "outside": SecretStr("ftp://them:known-by-name@h/", "${U}"),
            "after": {"api_key": "the-last-one"},
        }
    )
    text = "someone pass-word someone:pass-word path-of-it someone@example.com deep-secret somewhere deepest-one known-by-name the-last-one"
    assert kept.redact(text) == "someone *** *** path-of-it someone@example.com *** somewhere *** known-by-name ***"


@pytest.mark.parametrize(
    ("url", "text", "left"),
    [
        ("http://someone:pass-word@h:1/p", "someone:pass-word someone pass-word", "*** someone ***"),
        ("http://a-token-of-9@h/", "a-token-of-9", "***"),
        ("postgresql://postgres@h/db", "postgresql://postgres@h/db", "postgresql://postgres@h/db"),
        ("postgresql://postgres:secret-9@h/db", "postgresql: postgres secret-9", "postgresql: postgres ***"),
        ("http://someone:p%40ss:word-2@h/", "someone:p%40ss:word-2", "***"),
        ("http://a@b-user:pass-word@host-name/", "pass-word host-name", "*** host-name"),
        ("http://host-name/someone:pass-word@x", "someone pass-word", "someone pass-word"),
    ],
)
def test_of_a_url_the_password_goes_and_nothing_else(url: str, text: str, left: str) -> None:
    """Kind: a word that is masked and no secret, as `postgres` in `postgresql:`. Over HTTP a login without a password is a token."""
    kept = Secrets()
    kept.add_url(url)
    assert kept.redact(text) == left


def test_a_resolved_value_is_shown_as_it_was_written_also_after_a_journey() -> None:
    value = SecretStr("the-value", "${X}")
    again = pickle.loads(pickle.dumps(value))
    for each in (value, again):
        assert (each, each.template, repr(each)) == ("the-value", "${X}", "'${X}'")


def test_references_are_resolved_at_any_depth_and_complaints_have_their_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN", "token-value")
    (tmp_path / "f").write_text("file-value\r\n")
    data = {
        "a": ["${TOKEN}", "x-${env:TOKEN}-$${b}"],
        "b": {"c": "${file:f}"},
        "d": 1,
        "e": "plain",
        "f": ["ok", {"g": "${NOWHERE}"}],
        "h": "${NOWHERE:-or}",
    }
    complaints: list[tuple[tuple[str | int, ...], str]] = []
    kept = Secrets()
    found = resolve(data, tmp_path, kept, lambda path, text: complaints.append((tuple(path), text)))
    assert found["a"] == ["token-value", "x-token-value-${b}"]
    assert [each.template for each in found["a"]] == ["${TOKEN}", "x-${env:TOKEN}-$${b}"]
    assert (found["b"]["c"], found["d"], found["e"], found["h"]) == ("file-value", 1, "plain", "or")
    assert not isinstance(found["h"], SecretStr)
    assert complaints == [
        (("f", 1, "g"), "the environment variable NOWHERE is not set; set it, or use ${env:NOWHERE:-default}")
    ]
    assert kept.redact("token-value file-value x-token-value-${b} or") == "${TOKEN} ${file:f} x-${env:TOKEN}-$${b} or"


_ESCAPES: list[Callable[[str], str]] = [
    str,
    quote,
    quote_plus,
    html.escape,
    lambda text: html.escape(text, quote=False).replace('"', "&#34;"),
    lambda text: json.dumps(text)[1:-1],
    lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    lambda text: text.replace("&", "\\u0026").replace("<", "\\u003C").replace("/", "\\/"),
    lambda text: "".join(f"\\u{ord(char):04x}" for char in text),
    lambda text: "".join(f"%{byte:02x}" for byte in text.encode()),
    lambda text: " ".join(text.split()),
    lambda text: text.replace("  ", "&nbsp; ").replace("\t", "\\t"),
]


@pytest.mark.parametrize(
    "secret", [SECRET, "alpha  bravo-9f8e7d6c", "alpha\tbravo-9f8e", "ab\u200dcd&ef<gh", 'a%41+b&amp;c\\n"d']
)
def test_a_secret_goes_in_whatever_way_it_is_escaped_also_twice(secret: str) -> None:
    for first in _ESCAPES:
        for second in _ESCAPES:
            text = second(first(secret))
            assert redacted(f"<{text}>", (secret, "S")) == "<S>", text


@given(st.text(alphabet='ab%\\u0041&;#x+ \t\u200d"é', max_size=60), st.integers(0, 60))
def test_what_is_around_a_secret_stays_as_it_is(around: str, at: int) -> None:
    at = min(at, len(around))
    text = f"{around[:at]} (Qz-Qz-Qz-Qz) {around[at:]}"
    assert redacted(text, ("Qz-Qz-Qz-Qz", "\0")) == text.replace("Qz-Qz-Qz-Qz", "\0")


@pytest.mark.parametrize("length", range(4, 29))
def test_of_a_secret_that_somebody_cut_off_no_more_than_its_first_letters_is_left(length: int) -> None:
    cut = "sk_live_9f8e7d6c5b4a39281706"[:length]
    for after in ("", "…", "...", '"'):
        left = redacted(f"no: {cut}{after}", ("sk_live_9f8e7d6c5b4a39281706", "S"))
        assert left == (f"no: S{after}" if length >= 8 else f"no: {cut}{after}")


@pytest.mark.parametrize("dots", ["…", "..."])
def test_of_a_secret_that_was_cut_off_with_dots_nothing_is_left_amid_a_text(dots: str) -> None:
    said = f"wait{dots} key sk_live_9f8e{dots} is not known{dots} here"
    assert redacted(said, ("sk_live_9f8e7d6c5b4a39281706", "S")) == f"wait{dots} key S{dots} is not known{dots} here"


def test_the_beginning_of_what_holds_a_secret_is_none() -> None:
    """Kind: an address or a scheme that stands before a secret was taken for one."""
    kept = Secrets()
    kept.add_literals({"Authorization": "Negotiate abc-def-ghi"})
    kept.add("https://api.example.com/x?key=the-value", "https://api.example.com/x?key=${KEY}", whole=False)
    for text in ("no Negotiate", "cannot connect to https://api.example.com"):
        assert kept.redact(text) == text


def test_a_value_of_json_is_redacted_at_any_depth_names_included() -> None:
    kept = Secrets()
    kept.add("the-value", "S")
    value = {"a": ["the-value", {"the-value": "x the-value"}], "n": 1.5, "t": True, "z": None}
    assert kept.redact_value(value) == {"a": ["S", {"S": "x S"}], "n": 1.5, "t": True, "z": None}


@pytest.mark.parametrize("end", range(60, 173))
def test_of_a_secret_that_was_cut_off_amid_an_escape_nothing_is_left(end: int) -> None:
    whole = "".join(f"\\u{ord(char):04x}" for char in "sk_live_9f8e7d6c5b4a39281706")
    assert redacted(f"no: {whole[:end]}", ("sk_live_9f8e7d6c5b4a39281706", "S")).startswith("no: S")


@pytest.mark.parametrize(("data", "beginnings"), [
    ({"tenant": "${env:TENANT}"}, False), ({"url": "https://api.example.com/${env:TENANT}?to=a@b"}, False),
    ({"headers": {"Authorization": "Bearer ${env:TENANT}"}}, True), ({"auth": {"key": "${env:TENANT}"}}, True),
    ({"url": "postgresql://me:${env:TENANT}@db.example.com/x"}, True), ({"a": "${env:A_TOKEN}"}, True),
    ({"a": "${env:TENANT}", "password": "${env:TENANT}"}, True),
])  # fmt: skip
def test_a_beginning_is_looked_for_only_of_what_is_a_credential_by_its_place_or_name(
    data: dict[str, Any], beginnings: bool, tmp_path: Path
) -> None:
    value = "production-eu-1"
    kept = Secrets({"TENANT": value, "A_TOKEN": value})
    resolve(data, tmp_path, kept, lambda path, sentence: pytest.fail(sentence))
    assert value not in kept.redact(f"not in {value}")
    assert (kept.redact("not in production") == "not in production") is not beginnings


def test_of_an_option_that_is_declared_secret_a_beginning_goes_too(tmp_path: Path) -> None:
    kept = Secrets({"X": "production-eu-1"})
    chosen = resolve({"pin": "${env:X}"}, tmp_path, kept, lambda path, sentence: pytest.fail(sentence))
    assert kept.redact("no production") == "no production"
    kept.add_options({"pin": {"meta": {"secret": True}}}, chosen)
    assert kept.redact("no production") == "no ${env:X}"


def test_a_reference_in_a_query_is_known_by_its_beginning_whatever_its_parameter_is_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kind: a secret that the API itself cuts off."""
    monkeypatch.setenv("WHO", "lantern-harbour-42")
    for url, shown in (("https://h.example/x?a=1&k=${WHO}", "no: ${WHO}"), ("https://h.example/${WHO}/x", "no: lantern-ha")):
        kept = Secrets()
        resolve({"url": url}, tmp_path, kept, lambda path, sentence: pytest.fail(sentence))
        assert kept.redact("no: lantern-ha") == shown
