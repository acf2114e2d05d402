"""A rejected request fails as a whole."""

from sendoff.plugin import Decision, Fail, FailureStrategy, Refusal, hookimpl


class FailAll(FailureStrategy):
    """Mark every record of a rejected request failed, with the API's reason."""

    name = "fail"
    default_for = ("rejection",)

    def decide(self, refusal: Refusal) -> Decision:
        return Fail()


@hookimpl
def sendoff_failure_strategies() -> list[type[FailureStrategy]]:
    return [FailAll]
