"""Offer predictions to be confirmed: on the review page, and the most frequent answers on walls.

Both show one image a task, so where labels are about several, nothing is offered.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from backend.domain.answers import Answers, ImageRef
from backend.domain.ids import VersionName
from backend.domain.json import Json
from backend.domain.reviews import ReviewImage
from backend.domain.schema import LabelSchema
from backend.label_studio import codec
from backend.label_studio.reviewed_predictions import label_confidence
from backend.policies.walls import choose_walls
from backend.ports.label_studio import WallEditor
from backend.ports.reviews import Reviews
from backend.ports.stores import Ledgers, StoredPredictions
from backend.services.labeling_round import LabelingRound
from backend.services.side_work import beside


@dataclass(frozen=True, slots=True)
class Offer:
    """A predicted image as the review page shows it, and its answers, which may make a wall."""

    image: ReviewImage
    answers: Answers


Offers = Mapping[ImageRef, Offer]


def offers_of(stored: Mapping[ImageRef, Json], schema: LabelSchema) -> dict[ImageRef, Offer]:
    """Return what is to be offered of serialized predictions."""
    if _has_several_images(schema):
        return {}
    return {ref: _offer(ref, one, schema) for ref, one in stored.items()}


@dataclass(frozen=True, slots=True)
class Offering:
    """Offers the predictions of a version, of this job and of earlier ones."""

    label_studio: WallEditor
    stored: StoredPredictions
    ledgers: Ledgers
    reviews: Reviews

    def offer(self, round_: LabelingRound, version: VersionName, prepared: Offers) -> None:
        """Offer them all; those that are not `prepared` are read from the store.

        Raises:
            OutOfSpace: when the review page cannot list them.
        """
        project, schema = round_.project, round_.schema
        withheld = self.ledgers.load(project).withheld
        refs = [ref for ref in round_.tasks.unlabeled if ref.task not in withheld]
        if _has_several_images(schema):
            refs = []
        earlier = [ref for ref in refs if ref not in prepared]
        known = {**prepared, **offers_of(self.stored.get(project, version, earlier), schema)}
        offers = [known[ref] for ref in refs if ref in known]
        images = [one.image for one in offers]
        with beside(lambda: self.reviews.index(project, version, images)) as indexed:
            walls = choose_walls(schema, (one.answers for one in offers))
            self.label_studio.show_walls(project, schema, version, walls)
        indexed.result()


def _offer(ref: ImageRef, stored: Json, schema: LabelSchema) -> Offer:
    answers = codec.answers(stored["result"], schema)
    confidence = label_confidence(stored, answers, schema)
    return Offer(ReviewImage(ref.task, stored["score"], confidence), answers)


def _has_several_images(schema: LabelSchema) -> bool:
    return len(schema.images) > 1
