"""Match the class names of a model from elsewhere to the labels of a control.

Only equal names, and those that the labeling config itself declares (`predicted_values`), match
without a map. Names that differ in case, number or a common synonym are suggested for one.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from backend.domain.ids import Label
from backend.domain.schema import Control

_SYNONYMS: Final = (
    {"person", "people", "human", "pedestrian", "man", "woman"},
    {"car", "auto", "automobile", "vehicle"},
    {"motorcycle", "motorbike"},
    {"bicycle", "bike", "cycle"},
    {"airplane", "aeroplane", "plane", "aircraft"},
    {"tv", "television", "tvmonitor", "monitor", "screen"},
    {"couch", "sofa", "settee"},
    {"cell phone", "mobile phone", "mobile", "smartphone", "phone", "cellphone"},
    {"dining table", "diningtable", "table"},
    {"potted plant", "pottedplant", "plant", "houseplant"},
    {"truck", "lorry"},
    {"refrigerator", "fridge"},
    {"cow", "cattle"},
    {"traffic light", "stoplight", "traffic signal"},
    {"laptop", "notebook", "computer"},
    {"cat", "kitten", "kitty"},
    {"dog", "puppy"},
)
"""Names for the classes of COCO and PASCAL VOC that people commonly use."""

_IRREGULAR: Final = {"people": "person", "men": "man", "women": "woman", "mice": "mouse"}


@dataclass(frozen=True, slots=True)
class Matching:
    """Which label each class of a model stands for.

    Attributes:
        labels: the label of each class that has one.
        unmatched: labels for which no class stands.
        suggestions: a likely class of some of those.
        unused: classes that stand for no label.
    """

    labels: Mapping[str, Label]
    unmatched: tuple[Label, ...]
    suggestions: Mapping[Label, str]
    unused: tuple[str, ...]


def match(names: Sequence[str], control: Control, given: Mapping[str, Label]) -> Matching:
    """Match class names to labels: by the map where it names a class, else by equality."""
    labels = {
        name: label
        for name in names
        if (label := given.get(name, _declared(name, control))) in control.labels
    }
    unmatched = tuple(label for label in control.labels if label not in labels.values())
    unused = tuple(name for name in names if name not in labels)
    likely = {label: _likely(label, unused) for label in unmatched}
    suggestions = {label: name for label, name in likely.items() if name}
    return Matching(labels, unmatched, suggestions, unused)


def _declared(name: str, control: Control) -> Label:
    return control.outside_names.get(name, Label(name))


def _likely(label: Label, names: Sequence[str]) -> str:
    """Return the first class whose name means the same, "" if there is none."""
    for same in (str.lower, _singular, _synonym):
        wanted = same(_plain(label))
        for name in names:
            if same(_plain(name)) == wanted:
                return name
    return ""


def _plain(name: str) -> str:
    """`Cell_Phone` as `cell phone`."""
    return re.sub(r"[\s_-]+", " ", name).strip().lower()


def _singular(name: str) -> str:
    if name in _IRREGULAR:
        return _IRREGULAR[name]
    if name.endswith("ies") and len(name) > 4:
        return name[:-3] + "y"
    if re.search(r"(s|x|z|ch|sh)es$", name):
        return name[:-2]
    return name[:-1] if re.search(r"[^sui]s$", name) else name


def _synonym(name: str) -> str:
    """Return one name for all that mean the same."""
    single = _singular(name)
    found = next((names for names in _SYNONYMS if name in names or single in names), {single})
    return min(found)
