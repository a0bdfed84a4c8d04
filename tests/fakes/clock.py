"""Time that passes only when someone waits."""


class FakeClock:
    """Call it for the time in seconds; `pause` makes time pass and remembers how long."""

    def __init__(self) -> None:
        self.now = 0.0
        self.pauses: list[float] = []

    def __call__(self) -> float:
        return self.now

    def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds
