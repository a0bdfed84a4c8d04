"""No request and no tab has a filter that Label Studio cannot process."""

import pytest

from connectors.label_studio.filters import MOST_TERMS, joined, plain_part, where


def test_filters_are_joined_as_label_studio_expects_them():
    unlabeled = where("total_annotations", "equal", 0)
    assert joined([unlabeled], "or") == {"conjunction": "or", "items": [unlabeled]}


@pytest.mark.parametrize(
    "filters",
    [
        [where("id", "equal", task) for task in range(MOST_TERMS + 1)],
        [where("id", "in_list", list(range(MOST_TERMS))), where("id", "greater", 0)],
    ],
)
def test_filters_of_too_many_terms_are_refused(filters):
    assert joined(filters[1:])
    with pytest.raises(ValueError, match="101 terms"):
        joined(filters)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("cat", '"cat"'),
        ("100 (m2) +", '"100 (m2) +"'),
        (" cat", "cat"),
        ('a "big" cat', "big"),
        ("back\\slash", "slash"),
        ("Süßwasserfisch", "wasserfisch"),
        ("a_b/c, 50 %", '"a_b/c, 50 %"'),
        ("日本", ""),
        (" ", ""),
        ("", ""),
    ],
)
def test_a_text_is_looked_for_by_what_no_database_escapes(text, part):
    assert plain_part(text) == part
