"""The general meaning of each reason number, for counts over many images or texts.

The sentences of the criteria are about one image: its label, its figures, how it is unusual.
"""

from collections.abc import Mapping

from backend.domain.items import ItemKind
from backend.policies.hard_examples.confidence import CLOSE, LOW_CONFIDENCE
from backend.policies.hard_examples.consistency import AUGMENTATIONS

PHRASES: Mapping[int, str] = {
    0: "nothing found",
    LOW_CONFIDENCE: "low confidence",
    2: "answer differs from similar labeled images",
    3: "unlike the labeled images of its label",
    4: "near-identical image answered differently",
    5: "smaller or larger than the labeled images",
    6: "taller or wider than the labeled images",
    7: "darker or brighter than the labeled images",
    8: "paler or more saturated than the labeled images",
    9: "less or more colorful than the labeled images",
    10: "more blurred or sharper than the labeled images",
    11: "fewer or more boxes than in the labeled images",
    12: "boxes more or less alike in size than in the labeled images",
    13: "taller or wider boxes than in the labeled images",
    14: "smaller or larger boxes than in the labeled images",
    15: "fewer or more boxes at the edge than in the labeled images",
    16: "darker or brighter boxes than in the labeled images",
    17: "more blurred or sharper boxes than in the labeled images",
    18: "boxes overlap less or more than in the labeled images",
    **{number: f"answer changes when {augmented}" for number, augmented in AUGMENTATIONS.items()},
    30: "far from all labeled images",
    CLOSE: "top labels close, or undecided about one",
}


def phrase(number: int, items: ItemKind) -> str:
    """Return what a reason means of images, or of texts."""
    return PHRASES[number].replace("image", items.noun)
