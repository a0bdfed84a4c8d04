"""Long images in task data are left out of lists and found again."""

import pytest

from connectors.errors import FetchFailed
from connectors.images.addresses import Place, parse
from connectors.images.task_content import LONGEST, long_address, project_of, shortened

LONG = "data:image/png;base64," + "A" * LONGEST
OTHER = LONG + "B"


def test_a_long_image_gets_a_short_address_of_its_content():
    short = shortened(LONG, 7)
    assert len(short) < 60
    assert project_of(short) == 7
    assert short != shortened(OTHER, 7)
    assert short == shortened(LONG, 7)


@pytest.mark.parametrize(
    "uri",
    [
        LONG[:LONGEST],
        "https://a.example/?q=" + "A" * LONGEST,
        "data: what a text may begin with, " + "A" * LONGEST,
        "data:text/plain;base64," + "A" * LONGEST,
        "",
    ],
)
def test_other_addresses_stay(uri: str):
    assert shortened(uri, 7) == uri


@pytest.mark.parametrize(
    "data", [{"image": LONG}, {"n": 1, "meta": {"all": [OTHER, {"photo": LONG}]}}]
)
def test_the_content_is_found_wherever_it_is_in_the_data(data: dict[str, object]):
    assert long_address(shortened(LONG, 7), data) == LONG


def test_an_image_that_was_replaced_is_not_taken_for_the_first_one():
    with pytest.raises(FetchFailed, match="changed meanwhile"):
        long_address(shortened(LONG, 7), {"image": OTHER})


def test_the_short_address_is_one_of_its_own_kind():
    address = parse(shortened(LONG, 7), "http://labels.example")
    assert address.place is Place.TASK
    assert address.is_constant
    assert str(address) == "the image in the data of the task"
    with pytest.raises(FetchFailed):
        project_of("task-data:what people may write")
