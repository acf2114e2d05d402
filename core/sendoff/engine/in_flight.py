"""The slots of a run: what is planned, sent, answered and confirmed. Nothing else in the engine counts them."""

from __future__ import annotations

from dataclasses import dataclass

from sendoff.engine.states import IllegalMove
from sendoff.engine.tasks import OpenChunk, Task
from sendoff.transport.burst import RequestBurst

#: Single records planned ahead in one piece, so that the ledger need not hear of each.
SINGLE_CHUNK = 256
#: ... and the most, where answers come faster than commits.
MAX_SINGLE_CHUNK = 4_096
#: As many times the concurrency may batches be planned, where answers come faster than commits.
BATCH_WINDOW_FACTOR = 2


@dataclass(slots=True)
class BurstInFlight:
    """A burst that is being sent."""

    #: Where its records were taken from.
    chunk: OpenChunk
    #: How many of its requests are neither answered nor given back.
    waiting: int
    #: How many requests had succeeded when it was issued.
    successes: int
    #: No more of it may be sent.
    cancelled: bool = False


class InFlight:
    """Owns the slots of a run, and every request and burst that is in flight.

    A slot is used by a request that is planned and not settled. There are `window` slots. The commit that settles a request
    also plans those that reuse its slot; so one that was sent counts as unconfirmed until that commit is durable, and at
    most `window` requests are ever sent twice, and those besides that use no slot: the held ones, and a few that wait for their
    retry.

    What cannot be (a response to what is not in flight, say) raises `IllegalMove`.
    """

    def __init__(self, concurrency: int, *, start: int | None = None, single: bool) -> None:
        start = concurrency if start is None else start
        self._concurrency, self._start, self._single = concurrency, start, single
        #: How many slots there are.
        self.window = max(2 * concurrency, SINGLE_CHUNK) if single else start
        self._ran_out = False
        self._planned = 0
        #: Requests this process sent that are not settled durably; those of them that are settled, and in the commit under way.
        self._unconfirmed = self._settled = self._settling = 0
        self._tasks: dict[int, Task] = {}
        self._bursts: dict[RequestBurst, BurstInFlight] = {}
        self._in_bursts = 0
        self._held: set[Task] = set()

    # What is asked.

    @property
    def requests(self) -> int:
        """How many requests were sent and are not answered."""
        return len(self._tasks) + self._in_bursts

    @property
    def tasks(self) -> int:
        """How many of them were issued one by one."""
        return len(self._tasks)

    @property
    def planned(self) -> int:
        """How many requests are planned and not settled."""
        return self._planned

    @property
    def held(self) -> int:
        """How many requests are held back until others succeed or fail."""
        return len(self._held)

    @property
    def free_to_send(self) -> int:
        """How many more requests may be sent for the first time."""
        return self.window - self._unconfirmed + len(self._held)

    def free_to_plan(self, outside: int = 0) -> int:
        """How many more requests may be planned, if so many that wait for their retry use no slot."""
        return self.window - self._planned + len(self._held) + outside

    def can_plan(self, outside: int = 0) -> bool:
        """Whether another chunk may be opened: one of single records only when half the window is free, to save ledger rows."""
        return self.free_to_plan(outside) >= (max(1, self.window // 2) if self._single else 1)

    def task(self, number: int) -> Task:
        """The task that was issued under a request's number."""
        if number not in self._tasks:
            raise IllegalMove(f"request {number} is not in flight")
        return self._tasks[number]

    def burst(self, burst: RequestBurst) -> BurstInFlight:
        """A burst, while there are requests of it in flight or not sent."""
        if burst not in self._bursts:
            raise IllegalMove(f"the burst of the records {burst.span.lo} to {burst.span.hi} is not in flight")
        return self._bursts[burst]

    # A request's way.

    def plan(self, requests: int) -> None:
        """So many requests are planned."""
        self._planned += requests

    def issue(self, number: int, task: Task, *, first: bool) -> None:
        """A task is sent under this number, for the `first` time or again."""
        if number in self._tasks:
            raise IllegalMove(f"request {number} is in flight already")
        self._unconfirmed += first
        self._tasks[number] = task

    def complete(self, number: int) -> Task:
        """A request has its response. Returns its task."""
        task = self.task(number)
        del self._tasks[number]
        return task

    def issue_burst(self, burst: RequestBurst, chunk: OpenChunk, successes: int) -> None:
        """A burst is handed out."""
        requests = burst.span.size
        self._bursts[burst] = BurstInFlight(chunk, requests, successes)
        self._in_bursts += requests
        self._unconfirmed += requests

    def complete_burst(self, burst: RequestBurst, requests: int) -> BurstInFlight:
        """So many requests of a burst have their responses."""
        issued = self._bursts.get(burst)
        if issued is None or requests > issued.waiting:
            raise IllegalMove(f"{requests} requests of a burst are over, and {issued.waiting if issued else 0} are in flight")
        issued.waiting -= requests
        self._in_bursts -= requests
        if not issued.waiting:
            del self._bursts[burst]
        return issued

    def return_burst(self, burst: RequestBurst, requests: int) -> BurstInFlight:
        """So many requests of a burst are given back unsent."""
        issued = self.complete_burst(burst, requests)
        self._unconfirmed -= requests
        return issued

    def hold(self, task: Task) -> None:
        """A task is held until others succeed or fail."""
        if task in self._held:
            raise IllegalMove("the request is held already")
        self._held.add(task)

    def release(self, task: Task) -> None:
        """A task is held no longer."""
        if task not in self._held:
            raise IllegalMove("the request is not held")
        self._held.remove(task)

    def settle(self, requests: int, *, sent: bool) -> None:
        """So many requests are settled: others may be planned in their stead, and be sent once that is durable."""
        if requests > self._planned:
            raise IllegalMove(f"{requests} requests are settled, and {self._planned} are planned")
        self._planned -= requests
        if sent:
            self._settled += requests
            if self._settled + self._settling > self._unconfirmed:
                raise IllegalMove("more requests are settled than were sent")

    def propose(self) -> None:
        """What is settled so far is being committed."""
        self._settling, self._settled = self._settled, 0

    def confirm(self) -> None:
        """What was being committed is durable."""
        self._unconfirmed -= self._settling
        self._settling = 0

    # How many slots there are.

    def set_concurrency(self, concurrency: int, *, affordable: int) -> None:
        """Plan for so many concurrent requests and no more, as planned records are kept in memory.

        What `auto` climbs to is also bounded by how many requests fit into it.
        """
        if not self._single:
            self.window = min(self._concurrency, 2 * concurrency, max(self._start, affordable))

    def run_out(self) -> None:
        """Nothing could be sent: if that is as many requests wait for a commit, the window is to grow."""
        self._ran_out = self._ran_out or self._unconfirmed - self.requests > self.window // 4

    def grow(self, affordable: int) -> None:
        """Double the window if slots ran out, as responses come faster than commits; for batches, up to what is affordable."""
        ran_out, self._ran_out = self._ran_out, False
        if not ran_out:
            return
        if self._single:
            self.window = max(self.window, min(2 * self.window, MAX_SINGLE_CHUNK))
        elif 2 * self.window <= affordable:
            self.window = max(self.window, min(2 * self.window, BATCH_WINDOW_FACTOR * self._concurrency))
