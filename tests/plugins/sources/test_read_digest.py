"""Files are known again by the digest of what was read of them, which is made while they are read."""

from __future__ import annotations

import gzip
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sendoff import Source, SourceChanged
from sendoff.components import ReadMark
from sendoff.testing import Project, Received, Receiver, Reply
from sendoff_plugins.sources._files.location import File
from sendoff_plugins.sources._files.read_digest import ReadDigest, digest_files
from sendoff_plugins.sources.csv import Csv
from sendoff_plugins.sources.json import Json
from sendoff_plugins.sources.jsonl import JsonLines

ROWS = 60_000


def texts(kind: str, rows: int = ROWS) -> str:
    cells = [f"name {at}" for at in range(rows)]
    match kind:
        case "csv":
            return "id,name\n" + "".join(f"{at},{cell}\n" for at, cell in enumerate(cells))
        case "jsonl":
            return "".join(json.dumps({"id": at, "name": cell}) + "\n" for at, cell in enumerate(cells))
    return json.dumps([{"id": at, "name": cell} for at, cell in enumerate(cells)])


KINDS: dict[str, type[Any]] = {"csv": Csv, "jsonl": JsonLines, "json": Json}


def marks(source: Source) -> list[ReadMark]:
    found = []
    for _ in source.read(None):
        mark = source.mark()
        assert mark is not None
        found.append(mark)
    last = source.mark()
    assert last is not None
    return [*found, last]


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("kind", KINDS)
def test_each_mark_is_the_digest_up_to_its_place_and_the_last_one_the_fingerprint(tmp_path: Path, kind: str, packed: bool) -> None:
    for name in "ab":
        data = texts(kind).encode()
        (tmp_path / f"{name}.{kind}").write_bytes(gzip.compress(data) if packed else data)
    source = KINDS[kind](home=tmp_path, path=[f"a.{kind}", f"b.{kind}"])
    found = marks(source)
    assert len(found) > 2
    assert len({mark.digest for mark in found}) >= 2
    for mark in found:
        assert source.digest_to(json.loads(json.dumps(mark.position))) == mark.digest
    assert found[-1].digest == source.fingerprint()


@settings(max_examples=200, deadline=None)
@given(
    contents=st.lists(st.binary(max_size=60), min_size=1, max_size=3), sizes=st.lists(st.integers(1, 20), min_size=1),
    change=st.tuples(st.integers(0, 2), st.integers(0, 59), st.binary(min_size=1, max_size=1)), data=st.data(),
)  # fmt: skip
def test_a_change_before_a_mark_is_seen_and_one_behind_it_is_not(
    tmp_path_factory: pytest.TempPathFactory, contents: list[bytes], sizes: list[int], change: tuple[int, int, bytes], data: st.DataObject
) -> None:
    home = tmp_path_factory.mktemp("d")
    files = [File(f"{at}.bin", len(content), 0, home / f"{at}.bin") for at, content in enumerate(contents)]
    for file, content in zip(files, contents, strict=True):
        assert file.path
        file.path.write_bytes(content)
    digest, taken = ReadDigest(), []
    for at, file in enumerate(files):
        assert file.path
        with file.path.open("rb") as raw:
            stream, read = digest.follow(raw, file.name, is_text=True), 0
            for size in sizes:
                read += len(stream.read(size))
                taken.append((at, read, digest.mark()))
            digest.finish(raw)
    at, read, mark = data.draw(st.sampled_from(taken))
    assert digest_files(files, mark.position) == mark.digest
    which, where, byte = change
    if which < len(files) and where < len(contents[which]) and contents[which][where : where + 1] != byte:
        changed = bytearray(contents[which])
        changed[where : where + 1] = byte
        path = files[which].path
        assert path
        path.write_bytes(changed)
        is_before = which < at or (which == at and where < read)
        assert (digest_files(files, mark.position) != mark.digest) == is_before


def cut(project: Project, receiver: Receiver, kind: str, data: str) -> int:
    """A run that was interrupted on its way; returns how many records came."""
    text = f"source: {{use: {kind}, path: in.{kind}}}\nschema: {{id: integer, name: string}}\n"
    text += f"destination: {{url: '{receiver.url}', concurrency: 1}}\nsend: {{use: batch, max_records: 1000}}\n"
    project({"connectors.d/c.yaml": text, f"in.{kind}": data})
    runner = project.runner()

    def respond(request: Received) -> Reply:
        if len(receiver.requests) == 3:
            runner.interrupt("by the test")
        return Reply()

    receiver.script = respond
    report = runner.run("c")
    assert report.state == "interrupted", report
    receiver.script = []
    return report.delivered


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_a_run_begins_before_its_file_is_read_to_the_end_and_knows_it_by_what_it_read(
    project: Project, receiver: Receiver, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(KINDS[kind], "fingerprint", lambda _: pytest.fail("the whole file was read before the run"))
    data = texts(kind, 400_000)
    assert 0 < cut(project, receiver, kind, data) < 400_000
    monkeypatch.undo()
    more = "400000,last\n" if kind == "csv" else '{"id": 400000, "name": "last"}\n'
    project({f"in.{kind}": data + more})
    report = project.run("c")
    assert (report.state, report.read, report.delivered) == ("complete", 400_001, 400_001)
    ids = [record["id"] for request in receiver.requests for record in json.loads(request.body)]
    assert sorted(set(ids)) == [*range(400_001)]
    assert len(ids) - len(set(ids)) == 0


@pytest.mark.parametrize("change", ["first row", "shorter"])
def test_what_was_read_and_is_another_now_is_not_resumed(project: Project, receiver: Receiver, change: str) -> None:
    data = texts("csv", 400_000)
    cut(project, receiver, "csv", data)
    before = len(receiver.requests)
    project({"in.csv": data.replace("name 0", "Name 0", 1) if change == "first row" else data[:100]})
    with pytest.raises(SourceChanged, match="--restart"):
        project.run("c")
    assert len(receiver.requests) == before, "and nothing was sent"


def test_a_last_row_that_was_cut_and_has_grown_is_not_taken_for_the_same(project: Project, receiver: Receiver) -> None:
    data = texts("csv", 5_000) + "5000,half"
    assert cut(project, receiver, "csv", data) < 5_001
    project({"in.csv": data + " of it\n"})
    with suppress(SourceChanged):  # if it was read before the run was cut
        project.run("c")
    rows = [record for request in receiver.requests for record in json.loads(request.body) if record["id"] == 5_000]
    assert len({row["name"] for row in rows}) <= 1


def test_a_file_of_the_size_of_one_delivered_is_compared_before_the_run(project: Project, receiver: Receiver) -> None:
    text = f"source: {{use: csv, path: in.csv}}\ndestination: {{url: '{receiver.url}'}}\n"
    project({"connectors.d/c.yaml": text, "in.csv": "id\n1\n2\n"})
    project.run("c")
    history = project.runner().history
    project.run("c")
    assert history.repeated_run(2) == 1
    project({"in.csv": "id\n1\n3\n"})
    project.run("c")
    assert history.repeated_run(3) is None
    project({"in.csv": "id\n1\n2\n"})
    project.run("c")
    assert history.repeated_run(4) == 2


@pytest.mark.parametrize(("encoding", "is_known"), [("utf-8", True), ("utf-16-be", False)])
def test_a_file_that_has_grown_is_the_same_only_where_a_line_ended(tmp_path: Path, encoding: str, is_known: bool) -> None:
    """In UTF-16 the last byte of a letter may be that of a newline."""
    file = tmp_path / "in.csv"
    file.write_bytes(("id\n1\n2\n" if is_known else "id\n1\n\u010a").encode(encoding))
    source = Csv(home=tmp_path, path="in.csv", encoding=encoding)
    source.begin(None)
    for _, stream in source.streams():
        while stream.read(1 << 20):
            pass
        mark = source.mark()
        assert mark is not None
        with file.open("ab") as out:
            out.write("x\n".encode(encoding))
        assert (source.digest_to(mark.position) == mark.digest) is is_known
        break


def test_of_a_compressed_file_that_ends_with_a_newlines_byte_no_growth_is_taken_for_the_same(tmp_path: Path) -> None:
    file = tmp_path / "in.gz"
    file.write_bytes(b"packed\n")
    digest = ReadDigest()
    with file.open("rb") as raw:
        stream = digest.follow(raw, "in.gz", is_text=False)
        while stream.read(100):
            pass
        mark = digest.mark()
    found = [File("in.gz", 7, 0, file)]
    assert digest_files(found, mark.position) == mark.digest
    file.write_bytes(b"packed\nmore\n")
    assert digest_files(found, mark.position) != mark.digest
