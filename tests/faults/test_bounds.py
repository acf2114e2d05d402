"""What is small and asks for much takes little: at most 256 MiB above what the tool takes to start, whatever is read."""

from __future__ import annotations

import re
import signal
import tempfile
import urllib.error
import urllib.request
from functools import cache
from pathlib import Path

import pytest

from sendoff.testing import Project, Receiver, Reply
from tests import oversized
from tests.stress.strangers import TOKEN, Inbox

pytestmark = pytest.mark.skipif(not Path("/proc").is_dir(), reason="the unit of ru_maxrss is another one elsewhere")

MOST_MIB = 256
TOO_MANY, ALL = "more than 10,000", "complete"
#: What a run says of each, if the input has 0.5 MB, and if it has 1 MB.
SAYS = {
    **dict.fromkeys(oversized.CASES, (TOO_MANY, TOO_MANY)),
    **dict.fromkeys(["csv long names", "parquet one text", "sql columns"], (ALL, ALL)),
    **dict.fromkeys(["parquet columns", "arrow columns"], (ALL, TOO_MANY)),
    "jsonl one object": ("1  invalid  .*more than 10,000", "1  invalid  .*more than 10,000"),
    "csv ragged": ("invalid  ragged", "invalid  ragged"),
    "excel one text": ("no spreadsheet of records does", "no spreadsheet of records does"),
    "excel far apart": ("are spread over", "are spread over"),
    "http bomb": ("more than 64 MiB", "more than 64 MiB"),
    "csv bomb": ("nothing of records is so repetitive", "nothing of records is so repetitive"),
}


@cache
def start() -> int:
    """What the tool takes to deliver one record, in MiB."""
    with tempfile.TemporaryDirectory() as home, Receiver() as api:
        Project(Path(home))(
            {"in.jsonl": '{"a":1}\n', "connectors.d/c.yaml": connector("{use: jsonl, path: in.jsonl}", api.url)}
        )
        spent = oversized.run(Path(home), "run", "-q")
        assert spent.code == 0, spent.said
        return spent.mib


def connector(source: str, url: str, rest: str = "") -> str:
    return f"source: {source}\ndestination: {{url: {url}/v1}}\n{rest}"


@pytest.mark.parametrize("size", [500_000, 1_000_000])
@pytest.mark.parametrize("name", oversized.CASES)
def test_a_small_input_that_asks_for_much_takes_little_memory(
    name: str, size: int, project: Project, receiver: Receiver
) -> None:
    case = oversized.CASES[name]
    reply = case.reply(size) if case.reply else Reply()
    receiver.script = lambda request: reply if request.method == "GET" else Reply()
    source = case.source.replace("{url}", receiver.url)
    project({**case.files(size), "connectors.d/c.yaml": connector(source, receiver.url, case.rest)})
    spent = oversized.run(project.home, "run")
    assert "Traceback" not in spent.said
    assert re.search(SAYS[name][size > 500_000], spent.said), spent.said
    assert spent.code == (0 if SAYS[name][size > 500_000] == ALL else 1 if "invalid" in SAYS[name][0] else 2), spent.said
    assert spent.mib - start() <= MOST_MIB, spent.said


def test_the_body_of_a_webhooks_response_is_not_read(project: Project, receiver: Receiver) -> None:
    bomb = Reply(200, oversized.gzip_bomb(1_000_000), {"Content-Encoding": "gzip"})
    receiver.script = lambda request: bomb if request.path == "/hook" else Reply(401)
    hook = f"notify: [{{use: webhook, url: '{receiver.url}/hook'}}]\n"
    source = connector("{use: jsonl, path: in.jsonl}", receiver.url, hook)
    project({"in.jsonl": '{"a":1}\n', "connectors.d/c.yaml": source})
    spent = oversized.run(project.home, "run")
    assert [request.path for request in receiver.requests].count("/hook") == 1, spent.said
    assert spent.mib - start() <= MOST_MIB


def test_a_post_whose_keys_all_differ_is_refused_at_the_inbox(tmp_path: Path, receiver: Receiver) -> None:
    served = Inbox(tmp_path / "home", receiver.url)
    try:
        for kind, made in (("application/json", oversized.array), ("application/x-ndjson", oversized.lines)):
            for size in (500_000, 1_000_000):
                headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": kind}
                url = f"http://127.0.0.1:{served.port}/inbox/posts"
                with pytest.raises(urllib.error.HTTPError) as refused:
                    urllib.request.urlopen(urllib.request.Request(url, made(size), headers))
                with refused.value as answer:
                    assert (answer.status, "more than 10,000" in answer.read().decode()) == (400, True)
        assert served.memory() - start() <= MOST_MIB
    finally:
        served.end(signal.SIGKILL)
