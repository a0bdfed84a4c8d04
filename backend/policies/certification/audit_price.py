"""What an audit costs and brings, in labels, minutes and words."""

from dataclasses import dataclass

from backend.domain.items import ItemKind
from backend.domain.tab_titles import TabTitle

BLIND_SECONDS, GRID_SECONDS, CORRECTION_SECONDS = 4.0, 0.5, 3.0
"""Seconds to name an image's class blind, to confirm one in a grid of its predicted class (Krishna
et al., CHI 2016, 0.1 as lower bound) and to correct one there (assumed)."""


@dataclass(frozen=True, slots=True)
class AuditPlan:
    """The best audit for now.

    Attributes:
        region: images to freeze, the surest ones; 0 where no audit pays.
        sample: of them to label blind.
        accepted: others expected to be accepted.
        mistakes: expected among those.
        more_labels: labels to give first, where that brings more than an audit now.
        now: images that an audit would accept without those labels.
        cap: most boxes of an image in the region, for the promise `boxes`.
    """

    region: int = 0
    sample: int = 0
    accepted: int = 0
    mistakes: float = 0.0
    more_labels: int = 0
    now: int = 0
    cap: int = 0

    @property
    def net(self) -> int:
        """Accepted images less the labels of the audit."""
        return self.accepted - self.sample

    @property
    def pays(self) -> bool:
        """Whether the audit should be drawn now."""
        return self.net > 0 and not self.more_labels

    def sentence(self, items: ItemKind = ItemKind.IMAGE) -> str:
        """Say price and yield, for people."""
        if self.net <= 0:
            return (
                "No audit pays here: it would cost more labels than it saves. Label the remaining "
                f"{items.plural} by hand, or allow a larger error."
            )
        if self.more_labels:
            anyway = (
                f"; now about {self.now:,}. A finished data set needs those labels in any case."
                if self.now
                else "."
            )
            return (
                f"Label about {self.more_labels:,} more {items.plural} first: then about "
                f"{self.accepted:,} could be accepted with an audit of {self.sample}{anyway}"
            )
        return (
            f"Label these {self.sample} random {items.plural} (tab '{TabTitle.AUDIT}'), and about "
            f"{self.accepted:,} others will be accepted. {self._time}"
        )

    @property
    def audit_minutes(self) -> float:
        """Minutes to label the sample blind."""
        return self.sample * BLIND_SECONDS / 60

    @property
    def grid_minutes(self) -> float:
        """Minutes to confirm the accepted images in a grid, and to correct the wrong ones."""
        return (self.accepted * GRID_SECONDS + self.mistakes * CORRECTION_SECONDS) / 60

    @property
    def _time(self) -> str:
        audit, grid = self.audit_minutes, self.grid_minutes
        cheaper = "the audit" if audit <= grid else "confirming by hand"
        return (
            f"The audit takes about {max(1, round(audit))} minutes of labeling, confirming those "
            f"{self.accepted:,} in a grid about {max(1, round(grid))}: {cheaper} is faster."
        )
