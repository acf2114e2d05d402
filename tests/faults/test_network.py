"""N2, N5 to N7, N10 to N12, N14: a network that drops, cuts, forgets and lies, and whole runs through it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sendoff.testing import Project, Sandbox
from tests.faults import netns
from tests.faults.netns import ALSO_FAR, FAR, Cable
from tests.faults.proxy import FINE, Proxy, Weather
from tests.oracle import NOTHING, account, judge

ROWS = 300
REASON = netns.able()
hosts = pytest.mark.skipif(REASON is not None, reason=f"two hosts: {REASON}")


@pytest.fixture
def cable(tmp_path: Path) -> Iterator[Cable]:
    with Cable(tmp_path) as found:
        yield found


def given(
    home: Path, url: str, *, transport: str = "urllib3", send: str = "{use: batch, max_records: 10}", **options: object
) -> None:
    (home / "connectors.d").mkdir(exist_ok=True)
    (home / "in.csv").write_text("id\n" + "".join(f"{at}\n" for at in range(ROWS)))
    rest = "".join(f", {name}: {json.dumps(value)}" for name, value in options.items())
    (home / "connectors.d/c.yaml").write_text(
        f"source: {{use: csv, path: in.csv}}\nschema: {{id: integer}}\nsend: {send}\n"
        f'destination: {{url: "{url}/x", transport: {transport}, concurrency: 2{rest}}}\n'
    )


def all_arrived(home: Path, records: list[dict[str, int]]) -> bool:
    held = account(home / ".sendoff")
    assert held is not None
    assert not held.open
    return judge({at: {"id": at} for at in range(ROWS)}, held.delivered, [(each["id"], each) for each in records]) == NOTHING


QUICK = {"initial_backoff": 0.01, "max_backoff": 0.1, "max_attempts": 40}


@hosts
@pytest.mark.parametrize("transport", ["urllib3", "http1"])
def test_n2_where_nothing_answers_a_connection_is_given_up_and_was_not_sent(cable: Cable, transport: str) -> None:
    given(cable.home, cable.url, transport=transport, timeout=2, retry={"max_attempts": 2, "initial_backoff": 0.01})
    cable.firewall("tcp flags syn drop")
    begun = time.monotonic()
    code, _, err = cable.run("run", "c")
    assert code == 3
    assert time.monotonic() - begun < 30
    assert "no connection and no response within 2 seconds" in err or "cannot connect to" in err, err
    cable.firewall()
    assert cable.run("run", "c", "--no-early-stop")[0] == 0
    assert all_arrived(cable.home, cable.taken()["records"])


@hosts
@pytest.mark.parametrize("transport", ["urllib3", "http1"])
def test_n5_a_name_that_turns_private_is_not_dialled(cable: Cable, transport: str) -> None:
    # At `check` the name is public; when it is dialled it is the machine itself.
    cable.names(lambda host, asked: ["127.0.0.1"])
    given(cable.home, f"http://api.example.com:{netns.PORT}", transport=transport, egress="public")
    code, out, err = cable.run("run", "c")
    assert code == 2
    assert "127.0.0.1" in err + out
    assert not cable.taken()["records"]


@hosts
def test_n3_a_name_server_that_says_nothing_is_named_and_nothing_is_sent(cable: Cable) -> None:
    cable.names(lambda host, asked: None)
    given(cable.home, f"http://api.example.com:{netns.PORT}", retry={"max_attempts": 2, "initial_backoff": 0.01})
    code, out, err = cable.run("run", "c")
    assert code == 3
    assert "api.example.com" in err + out


@hosts
@pytest.mark.parametrize("transport", ["urllib3", "http1"])
def test_n4_of_many_addresses_one_that_answers_is_enough(cable: Cable, transport: str) -> None:
    # One is of nobody, one refuses; the third is the API.
    cable.firewall(f"ip daddr {ALSO_FAR} tcp dport {netns.PORT} reject with tcp reset")
    cable.names(lambda host, asked: ["11.7.0.100", ALSO_FAR, FAR])
    given(cable.home, f"http://api.example.com:{netns.PORT}", transport=transport, timeout=30)
    code, out, err = cable.run("run", "c")
    assert code == 0, err + out
    assert all_arrived(cable.home, cable.taken()["records"])


@pytest.mark.parametrize("transport", ["urllib3", "http1"])
@pytest.mark.parametrize(
    "weather",
    [
        Weather(cut_up=0), Weather(cut_up=200), Weather(cut_up=430), Weather(cut_down=0), Weather(cut_down=20), Weather(cut_down=150),
        Weather(slices=3), Weather(slices=1, cut_down=400), Weather(latency=0.01), Weather(rate=40_000), Weather(slow_close=0.2),
    ],
    ids=[
        "n6-before-the-request", "n6-in-the-head", "n7-in-the-body", "n8-before-the-answer", "n9-in-the-status-line", "n9-in-the-head",
        "n14-in-slices", "n9-slices-then-a-cut", "n14-latency", "n14-bandwidth", "n13-slow-close",
    ],
)  # fmt: skip
def test_in_any_weather_each_record_arrives_once(project: Project, weather: Weather, transport: str) -> None:
    with Sandbox() as api, Proxy(api.port, lambda number: weather if number % 3 == 0 else FINE) as proxy:
        given(project.home, proxy.url, transport=transport, retry=QUICK, timeout=20)
        report = project.run("c")
        assert (report.state, report.delivered) == ("complete", ROWS), report.stopped_because
        assert all_arrived(project.home, api.records)
        assert api.counts["conflicts"] == 0


@pytest.mark.parametrize("transport", ["urllib3", "http1"])
def test_n14_a_body_that_takes_long_but_moves_is_not_given_up(project: Project, transport: str) -> None:
    # 60 KB at 30 KB a second take two seconds: more than the connection may be silent, less than the deadline allows.
    with Sandbox() as api, Proxy(api.port, lambda number: Weather(rate=30_000)) as proxy:
        given(project.home, proxy.url, transport=transport, send="{use: batch, max_records: 300}", timeout=20, retry=QUICK)
        (project.home / "in.csv").write_text("id,note\n" + "".join(f"{at},{'x' * 180}\n" for at in range(ROWS)))
        (project.home / "connectors.d/c.yaml").write_text(
            (project.home / "connectors.d/c.yaml").read_text().replace("{id: integer}", "{id: integer, note: string}")
        )
        report = project.run("c")
        assert (report.state, report.retries) == ("complete", 0), report.stopped_because
        assert len(api.records) == ROWS


@hosts
@pytest.mark.parametrize("transport", ["urllib3", "http1"])
def test_n7_n10_a_line_that_dies_in_the_middle_and_one_that_is_forgotten(cable: Cable, transport: str) -> None:
    given(cable.home, cable.url, transport=transport, timeout=2, retry=QUICK, send="single")
    # A reset once a connection has carried so much; then silence in the middle of what follows.
    cable.firewall("ct bytes > 6000 reject with tcp reset")
    run = cable.start("run", "c", "--json")
    cable.until_taken(40)
    cable.firewall("ct state established drop")
    time.sleep(1.0)
    cable.firewall()
    out, err = run.communicate(timeout=90)
    assert run.returncode == 0, err
    assert json.loads(out)["runs"][0]["retries"] > 0
    assert all_arrived(cable.home, cable.taken()["records"])


@hosts
@pytest.mark.slow
@pytest.mark.parametrize("transport", ["urllib3", "http1"])
def test_n11_with_a_third_of_all_packets_lost_each_record_arrives_once(cable: Cable, transport: str) -> None:
    given(cable.home, cable.url, transport=transport, timeout=3, retry=QUICK)
    cable.firewall("numgen random mod 100 < 30 drop")
    code, out, err = cable.run("run", "c", "--json", seconds=110)
    assert code == 0, err + out
    assert all_arrived(cable.home, cable.taken()["records"])


@hosts
@pytest.mark.slow
def test_n12_a_partition_parks_the_run_and_the_next_one_goes_on(cable: Cable) -> None:
    given(
        cable.home,
        cable.url,
        timeout=1,
        retry={"max_attempts": 3, "initial_backoff": 0.01, "max_backoff": 0.1, "max_elapsed": 3},
        send="single",
        rate_limit={"requests": "60/s"},
    )
    run = cable.start("run", "c", "--json")
    cable.until_taken(20)
    cable.firewall("drop")
    out, _ = run.communicate(timeout=60)
    (report,) = json.loads(out)["runs"]
    assert (run.returncode, report["state"]) == (3, "stopped")
    assert 0 < report["delivered"] < ROWS
    cable.firewall()
    given(cable.home, cable.url, timeout=20, retry=QUICK, send="single")
    code, _, err = cable.run("run", "c", "--no-early-stop")
    assert code == 0, err
    taken = cable.taken()
    assert all_arrived(cable.home, taken["records"])
    assert taken["counts"].get("conflicts", 0) == 0
