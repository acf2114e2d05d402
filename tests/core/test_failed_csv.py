"""`sendoff failed --csv` for the person's own spreadsheet program, and `retry --from` of what that makes of it."""

from __future__ import annotations

import csv
import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sendoff.components import CsvDialect
from sendoff.testing import Project, Receiver, Reply

NAMES = ["id", "name", "price", "note"]
#: The first is a text that in cp1252 has the bytes of another one in UTF-8.
ROWS = [["1", "Jürgen", "-1.234,50", "=1+1;x"], ["2", "Ann", "8,10", '"q"\nr'], ["3", "Zoë", "+7", "'@x"]]


def sendoff(home: Path, *words: str) -> bytes:
    done = subprocess.run([sys.executable, "-m", "sendoff", *words], cwd=home, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def table(rows: list[list[str]], delimiter: str) -> str:
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=delimiter, lineterminator="\r\n").writerows(rows)
    return out.getvalue()


def resaved(text: str) -> list[tuple[str, bytes]]:
    """An export of a German connector, as programs save it."""
    rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=";"))
    return [
        ("Excel, CSV", table(rows, ";").encode("cp1252")),
        ("Excel, CSV UTF-8", table(rows, ";").encode("utf-8-sig")),
        ("Google Sheets", table(rows, ",").encode()),
        ("Excel, Unicode text", table(rows, "\t").encode("utf-16")),
    ]


@pytest.fixture
def run_that_fails(project: Project) -> Any:
    """Run a connector of a CSV source once, with all its records rejected; later requests are delivered."""
    sent: list[bool] = []
    with Receiver(lambda request: Reply(200 if sent else 400)) as api:

        def fail(rows: list[list[str]], delimiter: str, encoding: str, options: str = "") -> Any:
            project(
                {
                    "connectors.d/c.yaml": f"source: {{use: csv, path: in.csv, {options}}}\n"
                    f"schema: {{{', '.join(f'{name}: string' for name in NAMES)}}}\ndestination: {{url: '{api.url}'}}\n"
                }
            )
            (project.home / "in.csv").write_bytes(table([NAMES, *rows], delimiter).encode(encoding))
            assert project.runner().run("c", early_stop=False).rejected == len(rows)
            sent.append(True)
            api.requests.clear()
            return api

        yield fail


def test_failed_records_are_exported_as_the_source_writes_and_read_back_as_any_program_saves_them(
    project: Project, run_that_fails: Any
) -> None:
    options = "delimiter: ';', encoding: cp1252, decimal: ',', thousands: '.'"
    api = run_that_fails(ROWS, ";", "cp1252", options)
    data = sendoff(project.home, "failed", "1", "--csv")
    text = data.decode("cp1252")
    first, second, third = csv.DictReader(io.StringIO(text, newline=""), delimiter=";")
    assert [first[name] for name in NAMES] == ["1", "Jürgen", "-1.234,50", "'=1+1;x"]
    assert (second["note"], third["price"], third["note"]) == ('"q"\nr', "+7", "''@x")
    for what, saved in [("as it is", data), *resaved(text)]:
        (project.home / "fix.csv").write_bytes(saved)
        examined = project.runner().examine(1, project.home / "fix.csv")
        assert (len(examined.claimed), examined.unchanged) == (3, examined.claimed), what
    (project.home / "fix.csv").write_bytes(resaved(text.replace("Ann", "Änne"))[0][1])
    sendoff(project.home, "retry", "1", "--from", "fix.csv", "-q")
    assert [list(record.values()) for body in api.bodies for record in body] == [ROWS[0], ["2", "Änne", *ROWS[1][2:]], ROWS[2]]


@pytest.mark.parametrize(
    ("delimiter", "encoding", "options"),
    [
        ("^", "cp1250", "delimiter: ^, encoding: cp1250"),
        (" ", "shift_jis", "delimiter: ' ', encoding: shift_jis"),
        (",", "utf-16", "encoding: utf-16"),
        (",", "utf-8", ""),
        (";", "cp1252", "delimiter: ;, encoding: cp1252"),
    ],
)
def test_an_export_is_read_back_exactly_in_whatever_dialect(
    project: Project, run_that_fails: Any, delimiter: str, encoding: str, options: str
) -> None:
    word = {"cp1250": "Žluťoučký", "shift_jis": "表ソ能"}.get(encoding, "Ã¼'")
    run_that_fails([["1", word, "x'", "y"], ["2", "a\rb", word, "'="]], delimiter, encoding, options)
    (project.home / "fix.csv").write_bytes(sendoff(project.home, "failed", "1", "--csv"))
    examined = project.runner().examine(1, project.home / "fix.csv")
    assert (len(examined.claimed), examined.unchanged) == (2, examined.claimed)
    sendoff(project.home, "retry", "1", "--from", "fix.csv", "-q")


def test_an_export_whose_connector_is_gone_is_written_as_is_usual(project: Project, run_that_fails: Any) -> None:
    run_that_fails(ROWS, ";", "cp1252", "delimiter: ;, encoding: cp1252")
    (project.home / "connectors.d/c.yaml").unlink()
    assert sendoff(project.home, "failed", "1", "--csv").decode().startswith("id,name,price,note,_record,")


@given(st.text(), st.sampled_from(["utf-8", "cp1252", "utf-16", "utf-16-le", "latin-1", "shift_jis", "utf-8-sig"]))
def test_the_encoding_of_an_export_can_be_told_by_its_bytes(text: str, encoding: str) -> None:
    data = CsvDialect(";", encoding).encode(text)
    if data.startswith(b"\xef\xbb\xbf"):
        assert data.decode("utf-8-sig") == text
    elif data.startswith((b"\xff\xfe", b"\xfe\xff")) and encoding == "utf-16":
        assert data.decode("utf-16") == text
    else:
        try:
            found = data.decode()
        except UnicodeDecodeError:
            found = data.decode(encoding)
        assert found == text


def test_text_that_no_encoding_has_is_exported_all_the_same() -> None:
    assert CsvDialect(",", "utf-8").encode("\ud800,1") == b"\xef\xbb\xbf\\ud800,1"
