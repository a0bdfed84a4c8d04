"""Combine the annotations of one task into one answer to each control.

Ground truth counts alone, if there is any. Else each person has one vote, and the answer with the
most votes counts; where two have as many, the image is unclear.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import cast

from backend.domain.answers import Answer, Gap, Unanswered
from backend.domain.ids import ControlName
from backend.domain.json import Json
from backend.label_studio.results import ReadAnnotation, ResultReader, items
from backend.policies.certification.correctness import is_right

OUR_ID = re.compile(r"\d{4}(-[0-9a-f]{10})+")
"""The ids of the results of our predictions; see `codec.serialize`."""

_COPIED = ("prediction", "prediction-changed")

_SAID_NOTHING = (Gap.NOT_ASKED, Gap.OTHER_QUESTIONS)


def combined(voters: Sequence[Json], read: ResultReader) -> ReadAnnotation:
    """Return what the annotations that count say together; at least one is needed."""
    votes = [read(items(one, "result")) for one in voters]
    if len(votes) == 1:
        return votes[0]
    found = {control.name: _vote(control.name, votes) for control in read.schema.controls}
    return ReadAnnotation(
        {name: one for name, one in found.items() if not isinstance(one, Unanswered)},
        {name: one for name, one in found.items() if isinstance(one, Unanswered)},
        sum((vote.repairs for vote in votes), Counter[str]()),
    )


def counted(annotations: Sequence[Json]) -> list[Json]:
    """Return the annotations that count, the newest first: one of each person.

    One that was accepted from a prediction counts only while nobody else annotated the task. An
    empty one does not replace what its author submitted before.
    """
    if len(annotations) == 1:
        return list(annotations)
    truths = [one for one in annotations if one.get("ground_truth")]
    people = [one for one in annotations if is_by_person(one) or is_blind(one)]
    of_person: dict[object, Json] = {}
    for one in sorted(truths or people or annotations, key=_age, reverse=True):
        newer = of_person.setdefault(_person(one), one)
        if not items(newer, "result") and items(one, "result"):
            of_person[_person(one)] = one
    return sorted(of_person.values(), key=_age, reverse=True)


def is_by_person(annotation: Json) -> bool:
    """Return whether a person submitted or changed it; not so if it was imported or accepted."""
    return bool(annotation.get("updated_by")) or annotation.get("lead_time") is not None


def is_blind(annotation: Json) -> bool:
    """Return whether it was not made from a prediction.

    Label Studio clears `parent_prediction` once that prediction is deleted. What stays is the
    `origin` that its editor gives to copied results, and the ids that we gave to the results.
    """
    return annotation.get("parent_prediction") is None and not any(
        result.get("origin") in _COPIED or OUR_ID.fullmatch(str(result.get("id")))
        for result in items(annotation, "result")
    )


def _age(annotation: Json) -> tuple[str, int]:
    return str(annotation.get("updated_at") or ""), int(annotation["id"])


def _person(annotation: Json) -> object:
    found = annotation.get("completed_by")
    return cast(Json, found).get("id") if isinstance(found, Mapping) else found


def _vote(name: ControlName, votes: Sequence[ReadAnnotation]) -> Answer | Unanswered:
    """Return the answer that most give.

    A tie of one answer with labels and an empty one is no tie: the former is not wiped out. Nor is
    there nothing where somebody found what cannot be placed.
    """
    parties = list[list[Answer]]()
    for answer in (vote.answers[name] for vote in votes if name in vote.answers):
        party = next((one for one in parties if is_right(one[0], answer)), None)
        if party is None:
            parties.append([answer])
        else:
            party.append(answer)
    if not parties:
        return _unplaced(name, votes) or votes[0].unanswered[name]
    most = max(len(party) for party in parties)
    largest = [party for party in parties if len(party) == most]
    labeled = [party for party in largest if party[0].labels]
    winners = labeled or largest
    if len(winners) > 1:
        return Unanswered(Gap.DISAGREEMENT)
    return winners[0][0] if labeled else _unplaced(name, votes) or winners[0][0]


def _unplaced(name: ControlName, votes: Sequence[ReadAnnotation]) -> Unanswered | None:
    """Return why somebody's answer to a control cannot be placed, None where all can."""
    reasons = (vote.unanswered[name] for vote in votes if name in vote.unanswered)
    return next((one for one in reasons if one.gap not in _SAID_NOTHING), None)
