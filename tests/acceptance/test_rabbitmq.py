"""RabbitMQ's management API: a message a request, and a 200 with `routed: false` for one that no queue has taken.

It knows no keys: what was under way when a run was killed is there twice, with the same `message_id`.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from sendoff.testing import Project
from tests.servers import free_port, running, wanted

from .servers import connector, get, kill_when, reasons, settled

LOGIN = "Basic " + b64encode(b"guest:guest").decode()  # its own, which it takes from this machine only


@pytest.fixture
def rabbitmq(tmp_path: Path) -> Iterator[str]:
    home, port, epmd = tmp_path / "rabbitmq", free_port(), free_port()
    home.mkdir()
    (home / "plugins").write_text("[rabbitmq_management].\n")
    (home / "rabbit.conf").write_text(
        f"listeners.tcp.1 = 127.0.0.1:{free_port()}\nmanagement.tcp.ip = 127.0.0.1\nmanagement.tcp.port = {port}\n"
    )
    # The port mapper would go on as a daemon: this one ends with the test.
    mapper = {"ERL_EPMD_PORT": str(epmd), "ERL_EPMD_ADDRESS": "127.0.0.1"}
    settings = mapper | {
        "HOME": str(home),
        "RABBITMQ_NODENAME": f"sendoff{port}@localhost",
        "RABBITMQ_DIST_PORT": str(free_port()),
        "RABBITMQ_MNESIA_BASE": str(home / "db"),
        "RABBITMQ_LOG_BASE": str(home / "log"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "plugins"),
        "RABBITMQ_CONFIG_FILE": str(home / "rabbit.conf"),
    }
    # The one in the usual place is a wrapper that wants to be root or the package's user.
    broker = wanted("rabbitmq-server", ["/usr/lib/rabbitmq/bin"])
    with (
        running([wanted("epmd"), "-port", str(epmd), "-address", "127.0.0.1"], epmd, home),
        running(
            ["env", *(f"{name}={value}" for name, value in settings.items()), broker],
            port,
            home,
            asked=lambda: get(f"http://127.0.0.1:{port}/api/whoami", Authorization=LOGIN),
        ) as url,
    ):
        get(f"{url}/api/queues/%2F/orders", method="PUT", body={"durable": True}, Authorization=LOGIN)
        yield url


def taken(url: str) -> list[tuple[str, str]]:
    """Every message of the queue: its `message_id`, and its text. They are gone afterwards."""
    how = {"count": 5_000, "ackmode": "ack_requeue_false", "encoding": "auto"}
    found = get(f"{url}/api/queues/%2F/orders/get", method="POST", body=how, Authorization=LOGIN)
    return [(message["properties"]["message_id"], message["payload"]) for message in found]


def test_killed_and_resumed_every_message_is_there_and_only_what_was_under_way_twice(project: Project, rabbitmq: str) -> None:
    rows = "".join(f"{at},{'nowhere' if at == 222 else 'orders'},{at % 7} Stück\n" for at in range(300))
    project(
        {"orders.csv": f"id,queue,what\n{rows}", **connector("rabbitmq", rabbitmq, **{'password: "guest': 'password: "no'})}
    )
    report = project.run("rabbitmq")
    assert (report.state, report.requests, report.delivered) == ("stopped", 1, 0)
    assert "401: Login failed" in (report.stopped_because or "")
    project(connector("rabbitmq", rabbitmq))
    kill_when(project, "rabbitmq", lambda: settled(project), 40, "60/s")
    report = project.run("rabbitmq")
    assert (report.state, report.delivered, report.rejected) == ("incomplete", 299, 1)
    assert reasons(project, report) == {"222": '200: {"routed":false}'}
    messages = taken(rabbitmq)
    sent = [{"id": at, "what": f"{at % 7} Stück"} for at in range(300) if at != 222]
    assert sorted((json.loads(text) for text in {text for _, text in messages}), key=lambda one: one["id"]) == sent
    # Of one key there is one message, however often; and at most what was in flight is there more than once.
    assert len({key for key, _ in messages}) == len(set(messages)) == 299
    assert max(Counter(messages).values()) <= 2
    assert len(messages) - 299 <= 64
