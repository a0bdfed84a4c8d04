"""Formats, sizes, and how many pixels are decoded at a time."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from backend.domain.errors import UnreadableImage
from backend.models.images.decoding import PixelBudget, require_decodable, strips, to_8_bit

WHOLE = (2000, 1000)
"""Two megapixels."""


def test_no_more_megapixels_are_decoded_at_a_time_than_the_budget_has():
    budget, guard = PixelBudget(4), threading.Lock()
    now, most = 0, 0

    def decode(_: int) -> None:
        nonlocal now, most
        with budget.spend(WHOLE):
            with guard:
                now += 1
                most = max(most, now)
            threading.Event().wait(0.01)
            with guard:
                now -= 1

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(decode, range(24)))
    assert most == 2


def test_an_image_larger_than_the_budget_is_decoded_alone():
    budget = PixelBudget(1)
    with budget.spend(WHOLE):
        pass
    with budget.spend(WHOLE):
        pass


def test_what_was_spent_comes_back_after_an_error():
    budget = PixelBudget(2)
    with pytest.raises(UnreadableImage), budget.spend(WHOLE):
        raise UnreadableImage("damaged")
    with budget.spend(WHOLE):
        pass


def test_a_large_image_waits_no_longer_than_its_turn():
    budget, order = PixelBudget(2), list[str]()
    first, second = budget.spend((1000, 1000)), budget.spend((1000, 1000))
    first.__enter__()

    def large() -> None:
        with budget.spend(WHOLE):
            order.append("large")

    def small() -> None:
        with second:
            order.append("small")

    threads = [threading.Thread(target=large), threading.Thread(target=small)]
    for thread in threads:
        thread.start()
        threading.Event().wait(0.05)
    first.__exit__(None, None, None)
    for thread in threads:
        thread.join(timeout=5)
    assert order == ["large", "small"]


def test_a_file_is_refused_by_its_header(tmp_path: Path):
    Image.new("L", WHOLE).save(tmp_path / "large.png")
    Image.new("RGB", (20, 10)).save(tmp_path / "program.eps")
    assert require_decodable(tmp_path / "large.png", 2) == tmp_path / "large.png"
    with pytest.raises(UnreadableImage, match="2000 x 1000 is 2 megapixels, over 1"):
        require_decodable(tmp_path / "large.png", 1)
    with pytest.raises(UnreadableImage, match="not an image in a format"):
        require_decodable(tmp_path / "program.eps", 1)


@pytest.mark.parametrize("multiple", [1, 7])
def test_strips_cover_an_image_once(multiple: int):
    image = Image.fromarray(np.arange(1500 * 1001 * 3, dtype=np.uint8).reshape(1001, 1500, 3))
    parts = list(strips(image, multiple))
    assert len(parts) > 1
    assert all(top % multiple == 0 for top, _ in parts)
    assert np.array_equal(np.concatenate([np.asarray(part) for _, part in parts]), image)


@pytest.mark.parametrize("dtype", [np.uint16, np.int32, np.float32])
def test_deep_images_of_several_strips_share_one_range(dtype: type):
    rows = np.linspace(0, 60_000, 1200).astype(dtype)
    scaled = np.asarray(to_8_bit(Image.fromarray(np.tile(rows[:, None], (1, 1000)))))
    assert np.all(np.diff(scaled[:, 0].astype(int)) >= 0)
    assert scaled[0, 0] == 0


def test_an_image_of_no_numbers_is_black():
    assert not np.asarray(to_8_bit(Image.fromarray(np.full((4, 4), np.nan, np.float32)))).any()
