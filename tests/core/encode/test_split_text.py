"""Where text has a field in it, and where its braces are text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sendoff.config.secrets import SecretStr
from sendoff.encode.templates import TextPart, fields_in, record_problem, split_text


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("/users/{id}", ["id"]),
        ("{id}", ["id"]),
        ("{first} {last}", ["first", "last"]),
        ("{First Name}, {Preis (€)}, {e-mail}, {a.b}, {2nd}", ["First Name", "Preis (€)", "e-mail", "a.b", "2nd"]),
        ('http_requests{method="{method}",code="{code}"} {n}', ["method", "code", "n"]),
        ('{"id": {id}, "name": "{name}"}', ["id", "name"]),
        ("query($id: ID!) { person(id: $id) { id name } }", []),
        ("query{person(id:1){id name}}", []),
        ("Hi {{name}}, {{{ raw }}} {% if a %} {#each} {/each}", []),
        ("{\"a\":1} {} { } {a:b} {a,b} {a;b} {a=b} {a\nb} {$a} {'a'}", []),
        ("${HOME} ${a}", []),
        ("a } b { c", []),
    ],
)
def test_a_name_alone_in_braces_is_a_field_and_all_else_is_text(text: str, fields: list[str]) -> None:
    assert fields_in(text) == fields


@given(st.text(alphabet="{}ab $:\n", max_size=20))
def test_nothing_of_a_text_is_lost(text: str) -> None:
    parts = split_text(text)
    assert "".join(f"{{{part.field}}}" if part.field else part.text for part in parts) == text


def test_what_a_secret_holds_is_no_field() -> None:
    assert split_text(SecretStr("p{a}ss", "${env:P}")) == [TextPart("p{a}ss")]
    assert split_text(SecretStr("key/{id}", "${env:P}/{id}")) == [TextPart("key/"), TextPart("", "id")]
    assert record_problem({"a": SecretStr("p{a}ss/{id}", "${env:P}/{id}")}) == (
        "a secret in this text holds a {name}, which cannot be told from a field; make it a value by itself"
    )
    assert record_problem({"a": SecretStr("$records", "${env:P}")}) is None
