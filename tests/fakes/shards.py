"""Shards in memory, and workers that take some of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from backend.domain.ids import JobId, ProjectId
from backend.domain.shards import Shard


@dataclass
class FakeShards:
    """Implements `backend.ports.shards.Shards`; without `workers` nobody helps.

    `help` is called with each shard that is offered, as a worker would be, and returns whether it
    did it. `lost` are claimed by workers that died, `busy` says for how many looks others work on.
    """

    workers: int = 0
    help: Callable[[Shard], bool] = field(default=lambda _: False)
    lost: set[int] = field(default_factory=set)
    busy: int = 0
    offered: list[Shard] = field(default_factory=list)
    claimed: set[int] = field(default_factory=set)
    own: list[int] = field(default_factory=list)
    withdrawn: list[JobId] = field(default_factory=list)

    def helpers(self) -> int:
        return self.workers

    def offer(self, shards: Sequence[Shard]) -> None:
        self.offered += shards
        self.claimed = {shard.number for shard in shards if self.help(shard)} | self.lost

    def take(self, project: ProjectId, job: JobId) -> Shard | None:
        wanted = () if job in self.withdrawn else self.offered
        shard = next((one for one in wanted if one.number not in self.claimed), None)
        if shard:
            self.claimed.add(shard.number)
            self.own.append(shard.number)
        return shard

    def is_wanted(self, shard: Shard) -> bool:
        return shard.job not in self.withdrawn

    def finish(self, shard: Shard) -> None:
        assert shard.number in self.claimed

    def running(self, job: JobId) -> int:
        self.busy -= 1
        return int(self.busy >= 0)

    def withdraw(self, project: ProjectId, job: JobId) -> None:
        self.withdrawn.append(job)
