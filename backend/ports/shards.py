"""The shards of jobs, and the workers that take them."""

from collections.abc import Sequence
from typing import Protocol

from backend.domain.ids import JobId, ProjectId
from backend.domain.shards import Shard


class Shards(Protocol):
    """Shards that wait, are worked on, or are done.

    Whatever becomes of a shard, the job that offered it does what is missing afterwards.
    """

    def helpers(self) -> int:
        """Count the idle workers that would take shards now; 0 if Redis does not answer."""
        ...

    def offer(self, shards: Sequence[Shard]) -> None:
        """Let workers take these shards, of one job. Raises QueueUnreachable, OutOfSpace."""
        ...

    def take(self, project: ProjectId, job: JobId) -> Shard | None:
        """Claim the next shard of a job; None if all have been, or were withdrawn.

        Raises:
            QueueUnreachable: when Redis does not answer.
        """
        ...

    def is_wanted(self, shard: Shard) -> bool:
        """Show that a claimed shard is being worked on; False once it was withdrawn."""
        ...

    def finish(self, shard: Shard) -> None:
        """Note that nobody works on a shard any more. Raises QueueUnreachable."""
        ...

    def running(self, job: JobId) -> int:
        """Count the shards that living workers have claimed and not finished."""
        ...

    def withdraw(self, project: ProjectId, job: JobId) -> None:
        """Take all shards of a job back; whoever works on one stops. Never raises."""
        ...
