"""A rejected request is sent again in parts, until each bad record is alone."""

import itertools

from sendoff.plugin import Decision, Fail, FailureStrategy, Refusal, Span, Split, hookimpl


class SplitUp(FailureStrategy):
    """Send a rejected request again in smaller and smaller parts, until each bad record is alone."""

    name = "split"
    splits = True
    ways: int
    options = {
        "ways": {
            "type": "integer", "min": 2, "max": 64, "default": 2,
            "meta": {"help": "Into how many parts; more of them take fewer rounds and more requests."},
        },
        "max_requests": {
            "type": "integer", "min": 2, "nullable": True, "default": None,
            "meta": {"help": "Maximum requests it may cost in a run. Default: 2,000, and 40 for every 1,000 records."},
        },
        "max_failed_ratio": {
            "type": "number", "min": 0, "max": 1, "default": 0.5,
            "meta": {"help": "The share of records rejected, of 200 or more, above which the run stops."},
        },
    }  # fmt: skip

    def decide(self, refusal: Refusal) -> Decision:
        (lo, hi), ways = refusal.span, min(self.ways, refusal.span.size)
        if ways < 2:
            return Fail()
        cuts = [lo + (hi - lo) * part // ways for part in range(ways + 1)]
        return Split([Span(*pair) for pair in itertools.pairwise(cuts)])


@hookimpl
def sendoff_failure_strategies() -> list[type[FailureStrategy]]:
    return [SplitUp]
