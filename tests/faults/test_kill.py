"""C1 to C14, C17 to C19, D1, D2: the real tool, ended at every step and by every means, goes on where it was."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sendoff.testing import Project, Sandbox
from tests.oracle import NOTHING, account, judge
from tests.stress import failpoints, kills, starts, syscalls
from tests.stress.promise import Budget
from tests.stress.zygote import Zygote

HITS = 5


@pytest.fixture(scope="module")
def zygote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Zygote]:
    with Zygote(tmp_path_factory.mktemp("zygote")) as found:
        yield found


@pytest.mark.parametrize("step", [f"{step}-{said.replace(' ', '-')}" for step, said in failpoints.STEPS.items()])
def test_killed_at_its_first_times_nothing_is_lost_and_at_most_a_window_repeated(
    step: str, tmp_path: Path, zygote: Zygote
) -> None:
    row = step.partition("-")[0]
    struck = [failpoints.struck(row, hit, tmp_path / str(hit), zygote) for hit in range(1, HITS + 1)]
    assert any(died for died, _, _ in struck), "the step was never reached"
    assert {judgement for _, _, judgement in struck} == {NOTHING}
    assert max(repeats for _, repeats, _ in struck) <= failpoints.WINDOW


@pytest.mark.parametrize("step", failpoints.RETRY_STEPS)
def test_a_retry_killed_at_any_step_goes_on_as_the_tool_says_and_applies_each_record_once(
    step: str, tmp_path: Path, zygote: Zygote
) -> None:
    """The kind: a claim whose run is gone. `begin` is the step between the claim and the first plan."""
    struck = [failpoints.struck_retry(step, hit, tmp_path / str(hit), zygote) for hit in (1, 2)]
    assert any(struck), "the step was never reached"


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_c13_c17_killed_at_random_moments_nothing_is_lost_or_applied_twice() -> None:
    assert kills.PROMISE.hold(Budget(kills.PROMISE.ci))["kills"] >= kills.PROMISE.ci


@pytest.mark.slow
@pytest.mark.skipif(syscalls.able() is not None, reason=str(syscalls.able()))
@pytest.mark.parametrize("blow", syscalls.BLOWS)
def test_struck_in_the_kernel_at_a_write_or_sync_nothing_is_lost(blow: str, tmp_path: Path) -> None:
    hits = sorted({1, *syscalls.calls(blow, tmp_path / "calls")[:3]})
    struck = [syscalls.struck(blow, hit, tmp_path / str(hit)) for hit in hits]
    assert any(fell for fell, _ in struck), "the call was never made"
    assert {judgement for _, judgement in struck} == {NOTHING}


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_l1_of_two_processes_that_start_at_once_exactly_one_runs() -> None:
    assert starts.PROMISE.hold(Budget(starts.PROMISE.ci))["double starts"] == starts.PROMISE.ci


CONNECTOR = 'source: {{use: csv, path: in.csv}}\nschema: {{id: integer}}\nsend: {{use: batch, max_records: 10}}\ndestination: {{url: "{url}/x", concurrency: 2}}\n'


def given(project: Project, url: str, rows: int = 2_000) -> Project:
    return project(
        {"in.csv": "id\n" + "".join(f"{at}\n" for at in range(rows)), "connectors.d/c.yaml": CONNECTOR.format(url=url)}
    )


@pytest.mark.parametrize(
    ("signals", "codes"),
    [
        ([signal.SIGTERM], {143}),
        ([signal.SIGINT], {130}),
        ([signal.SIGHUP], {129}),
        ([signal.SIGINT, signal.SIGINT], {130, -signal.SIGINT}),
    ],
    ids=["c17-sigterm", "c17-sigint", "c17-sighup", "c17-sigint-twice"],
)
def test_a_signal_ends_a_run_with_its_own_exit_code_and_the_next_run_goes_on(
    project: Project, zygote: Zygote, signals: list[int], codes: set[int]
) -> None:
    with Sandbox(["slow 0.05 if always"]) as api:
        given(project, api.url)
        run = zygote.run("run", "c", "--json", cwd=project.home)
        until_taken(api, 20)
        for number in signals:
            run.signal(number)
            run.wait(0.02)
        assert run.wait(30) in codes
        api.rules.clear()
        assert zygote.run("run", "c", "--json", cwd=project.home).wait(60) == 0
        held = account(project.home / ".sendoff")
        assert held is not None
        taken = [(record["id"], record) for record in api.records]
        assert judge({at: {"id": at} for at in range(2_000)}, held.delivered, taken) == NOTHING


def test_c17_a_reader_that_goes_away_ends_what_is_shown_and_not_the_account(project: Project) -> None:
    with Sandbox() as api:
        given(project, api.url)
        command = [sys.executable, "-c", "from sendoff.cli import main; main()"]
        with subprocess.Popen([*command, "run", "c"], cwd=project.home, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run:
            assert run.stdout is not None
            assert run.stderr is not None
            run.stdout.close()
            said = run.stderr.read()
            assert run.wait(60) == 141, said
        assert b"Traceback" not in said
        held = account(project.home / ".sendoff")
        assert held is not None
        assert len(held.delivered) == 2_000


@pytest.fixture
def little_memory(tmp_path: Path) -> Iterator[Path]:
    """The file that a process writes its number into to live in 160 MiB, swap included."""
    root = tmp_path / "memory"
    root.mkdir()
    if subprocess.run(["mount", "-t", "cgroup", "-o", "memory", "none", root], capture_output=True).returncode:
        pytest.skip("no control group for memory can be mounted")
    group = root / f"sendoff-{os.getpid()}"
    try:
        group.mkdir()
        (group / "memory.limit_in_bytes").write_text(str(160 << 20))
        yield group / "cgroup.procs"
    finally:
        group.rmdir()
        subprocess.run(["umount", root], check=True)


#: Takes memory for ever at the 30th answer, as a plugin with a leak would.
LEAK = """
import os
open({group!r}, "w").write(str(os.getpid()))
from sendoff.run.dispatcher import Dispatcher
complete, seen = Dispatcher.complete, []
def hungry(*args):
    seen.append(1)
    while len(seen) >= 30:
        seen.append(b"x" * (1 << 24))
    return complete(*args)
Dispatcher.complete = hungry
"""


def test_c18_a_process_that_the_kernel_killed_for_its_memory_goes_on_like_any_other(
    project: Project, little_memory: Path
) -> None:
    with Sandbox() as api:
        given(project, api.url)
        main = "from sendoff.cli import main; main()"
        leak = LEAK.format(group=str(little_memory))
        run = subprocess.run([sys.executable, "-c", leak + main, "run", "c"], cwd=project.home, capture_output=True)
        assert run.returncode == -signal.SIGKILL, run.stderr
        again = subprocess.run([sys.executable, "-c", main, "run", "c"], cwd=project.home, capture_output=True)
        assert again.returncode == 0, again.stderr
        held = account(project.home / ".sendoff")
        assert held is not None
        taken = [(record["id"], record) for record in api.records]
        assert judge({at: {"id": at} for at in range(2_000)}, held.delivered, taken) == NOTHING


def test_c19_a_run_that_is_stopped_for_long_keeps_its_lock_and_goes_on_when_it_is_woken(
    project: Project, zygote: Zygote
) -> None:
    # The lock is the kernel's: there is no lease that could run out, so a sleeper can never become a second runner.
    with Sandbox(["slow 0.02 if always"]) as api:
        given(project, api.url)
        run = zygote.run("run", "c", "--json", cwd=project.home)
        until_taken(api, 20)
        run.signal(signal.SIGSTOP)
        other = zygote.run("run", "c", cwd=project.home)
        while (code := other.wait(3)) is None:  # it was stopped within a commit, which the other waits for
            run.signal(signal.SIGCONT)
            run.wait(0.05)
            run.signal(signal.SIGSTOP)
        assert code == 75
        assert f"is running already in process {run.pid}" in other.output()
        run.signal(signal.SIGCONT)
        assert run.wait(60) == 0
        assert [record["id"] for record in api.records].count(7) == 1
        assert json.loads(run.output())["runs"][0]["delivered"] == 2_000


def until_taken(api: Sandbox, requests: int) -> None:
    until = time.monotonic() + 30
    while api.counts["200"] < requests:
        assert time.monotonic() < until, "nothing is sent"
        time.sleep(0.005)


def test_the_oracle_notices_each_kind_of_fault() -> None:
    source = {1: "a", 2: "b", 3: "c"}
    assert judge(source, [1, 2], [(1, "a"), (2, "b"), (3, "c")]).recovered == 1
    assert judge(source, [1, 2], [(1, "a")]).lost == 1
    assert judge(source, [1], [(1, "a"), (1, "a")]).duplicated == 1
    assert judge(source, [1], [(1, "A")]).corrupted == 1
    assert judge(source, [1], [(1, "a"), (9, "z")]).unexpected == 1
    assert judge(source, [1], [(1, "a"), (2, "b")], failed=[2]).unexpected == 1
    assert judge(source, [1, 2, 3], [(1, "a"), (2, "b"), (3, "c")]) == NOTHING
