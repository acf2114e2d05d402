"""Three connectors share one API: one file in destinations.d."""

from __future__ import annotations

import pytest

from sendoff import ConfigError
from sendoff.testing import Project, Receiver
from sendoff.transport.rate_limit import Rate, RateLimits

CRM = """
url: {url}/v2
auth: {{use: bearer, token: "${{env:CRM_TOKEN}}"}}
headers: {{X-Team: data}}
rate_limit: 1000/s
retry: {{max_attempts: 2}}
"""


def connector(destination: str) -> str:
    return f"source: {{use: jsonl, path: in.jsonl}}\ndestination: {destination}\nsend: single\n"


@pytest.fixture
def crm(project: Project, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.setenv("CRM_TOKEN", "s3cret-token")
    return project({"in.jsonl": '{"n": 1}\n', "destinations.d/crm.yaml": CRM.format(url=receiver.url)})


def test_connectors_take_up_what_they_share_and_say_what_is_their_own(crm: Project, receiver: Receiver) -> None:
    crm({
        "connectors.d/people.yaml": connector("{extends: crm, url: /people, headers: {X-Kind: person}}"),
        "connectors.d/firms.yaml": connector("{extends: crm, url: /firms, retry: {initial_backoff: 0}, auth: {use: basic, user: a, password: b}}"),
    })  # fmt: skip
    for name in ("people", "firms"):
        assert crm.run(name).state == "complete"
    people, firms = receiver.requests
    assert (people.path, firms.path) == ("/v2/people", "/v2/firms")
    assert (people.headers["x-team"], people.headers["x-kind"]) == ("data", "person")
    assert people.headers["authorization"] == "Bearer s3cret-token"
    assert firms.headers["authorization"].startswith("Basic ")
    loaded = crm.runner().connector("firms").destination
    assert (loaded.retry.max_attempts, loaded.retry.initial_backoff, loaded.rate_limit) == (
        2,
        0,
        RateLimits(requests=(Rate(1000, 1),)),
    )


def test_connectors_to_one_origin_share_one_pace(crm: Project) -> None:
    from sendoff.transport import rate_limit

    first = rate_limit.for_origin("https://api.example.com/a", RateLimits(requests=(Rate(10, 1),)))
    second = rate_limit.for_origin("https://API.example.com:443/b", RateLimits(requests=(Rate(5, 1),)))
    assert first is second
    assert first.acquire(0.0, records=1, size=1) == 0
    assert second.acquire(0.0, records=1, size=1) == pytest.approx(0.2)
    assert rate_limit.for_origin("https://api.example.com:8443/a", RateLimits()) is not first


def test_a_rest_that_was_asked_for_outlives_the_run_it_was_asked_of() -> None:
    from sendoff.transport import rate_limit

    rate_limit.for_origin("https://rest.example.com/a", RateLimits(requests=(Rate(1, 1),))).pause_until(100.0)
    after = rate_limit.for_origin("https://rest.example.com/b", RateLimits())
    assert after.pause_left(40.0) == 60.0
    # The rate was that run's own, and went with it.
    assert after.acquire(100.0, records=1, size=1) == after.acquire(100.0, records=1, size=1) == 0


@pytest.mark.parametrize(
    ("shared", "destination", "told"),
    [
        (None, "{extends: cmr, url: /x}", "connectors.d/c.yaml:2:24: destination.extends: no file destinations.d/cmr.yaml; did you mean 'crm'?"),
        ("url: http://x/\nmetod: PUT\n", "{extends: crm}", "destinations.d/crm.yaml:2:1: metod: unknown key; did you mean 'method'?"),
        ("url: http://x/\nauth: baerer\n", "{extends: crm}", "destinations.d/crm.yaml:2:7: auth.use: no authenticator is named 'baerer'; did you mean 'bearer'?"),
        ("url: [\n", "{extends: crm}", "destinations.d/crm.yaml:1:6: the [ that opens here is never closed; put ] where it ends"),
        ("- a\n", "{extends: crm}", "destinations.d/crm.yaml:1:1: is not a mapping"),
        ("method: PUT\n", "{extends: crm, url: /x}", "connectors.d/c.yaml:2:34: destination.url: a URL starts with http"),
        ("url: http://x/\nheaders: {A: '${env:NOT_SET_ANYWHERE}'}\n", "{extends: crm}", "destinations.d/crm.yaml:2:14: headers.A: the environment variable NOT_SET_ANYWHERE is not set"),
        ("extends: crm\n", "{extends: crm, url: http://x/}", "destinations.d/crm.yaml:1:1: extends: unknown key"),
    ],
)  # fmt: skip
def test_mistakes_are_told_where_they_stand(
    crm: Project, shared: str | None, destination: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(crm.home)
    crm({"connectors.d/c.yaml": connector(destination), **({} if shared is None else {"destinations.d/crm.yaml": shared})})
    with pytest.raises(ConfigError) as caught:
        crm.run("c")
    assert told in str(caught.value)
