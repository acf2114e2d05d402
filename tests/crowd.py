"""A receiver that counts how many requests are with it at once."""

from __future__ import annotations

import threading
import time

from sendoff.testing import Received, Receiver, Reply


class Crowd(Receiver):
    """Takes `seconds` to answer; `most` is how many were under way at the busiest moment."""

    def __init__(self, seconds: float) -> None:
        self.most = self._busy = 0
        self._seconds = seconds
        self._counting = threading.Lock()
        super().__init__(self._slowly)

    def _slowly(self, request: Received) -> Reply:
        with self._counting:
            self._busy += 1
            self.most = max(self.most, self._busy)
        time.sleep(self._seconds)
        with self._counting:
            self._busy -= 1
        return Reply()
