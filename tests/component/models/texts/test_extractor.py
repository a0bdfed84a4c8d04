"""The extractor of texts: what it reads, and which encoder it uses."""

from pathlib import Path

import numpy as np
import pytest

from backend.domain import large_arrays, texts
from backend.domain.answers import ImageRef
from backend.domain.errors import BadInput, NoWeights, UnreadableImage
from backend.domain.ids import TaskId
from backend.domain.items import ItemKind
from backend.domain.jobs import Algorithm
from backend.domain.schema import TaskKind
from backend.models.texts import availability, encoders, reading, sentence_encoder
from backend.models.texts.reading import TextReader
from tests.fakes.image_files import FakeImageFiles
from tests.fakes.steps import quiet
from tests.fakes.texts import sentence, text_models, text_ref

REFS = [text_ref(task) for task in range(1, 41)]


class Lengths:
    """A published encoder whose vector says how long a text is; counts what it embedded."""

    def __init__(self, name: str) -> None:
        self.name, self.width, self.seen = name, 2, 0

    def embed(self, some):
        self.seen += len(some)
        return np.array([[len(one) % 2, (len(one) + 1) % 2] for one in some], np.float16)


@pytest.fixture(autouse=True, params=["in memory", "in a file"])
def place(request, monkeypatch):
    """Where features lie."""
    if request.param == "in a file":
        monkeypatch.setattr(large_arrays, "IN_MEMORY", 0)


def linked(folder: Path, task: int, content: bytes, kind: ItemKind) -> ImageRef:
    path = folder / f"{task}.txt"
    path.write_bytes(content)
    return ImageRef(TaskId(task), str(path), kind=kind)


def test_fits_of_different_texts_never_mix(tmp_path):
    models = text_models(tmp_path)
    first, _ = models.extract(REFS[:30], quiet)
    second, _ = models.extract(REFS, quiet)
    assert first.backbone != second.backbone
    again, _ = models.extract(REFS[:5], quiet, first.backbone)
    assert (again.features == first.features[:5]).all()
    assert again.backbone == first.backbone


def test_the_order_of_the_texts_does_not_matter(tmp_path):
    models = text_models(tmp_path)
    one, _ = models.extract(REFS, quiet)
    other, _ = models.extract(REFS[::-1], quiet)
    assert one.backbone == other.backbone


def test_encoders_in_memory_are_bounded_and_read_again(tmp_path, monkeypatch):
    monkeypatch.setattr(encoders, "MOST_IN_MEMORY", 2)
    made, loaded = text_models(tmp_path), text_models(tmp_path)
    names = []
    for number in range(4):
        names.append(made.extract(REFS[number:], quiet)[0].backbone)
        folder = tmp_path / str(number)
        folder.mkdir()
        made.save_encoder(names[-1], folder)
        loaded.load_encoder(names[-1], folder)
    assert len(loaded.texts._encoders._opened) <= 3
    first, _ = loaded.extract(REFS, quiet, names[0])
    again, _ = made.extract(REFS, quiet, names[0])
    assert (first.features == again.features).all()


def test_an_encoder_that_was_not_loaded_is_named(tmp_path):
    with pytest.raises(BadInput, match="tfidf:0123 is not on this machine"):
        text_models(tmp_path).extract(REFS, quiet, "tfidf:0123")


def test_an_encoder_of_images_embeds_no_texts(tmp_path):
    with pytest.raises(BadInput, match="efficientnet_lite0 embeds images"):
        text_models(tmp_path).extract(REFS, quiet, "efficientnet_lite0")


def test_texts_at_addresses_are_fetched_and_lose_their_markup(tmp_path):
    page = linked(tmp_path, 1, b"<p>Hello &amp; <b>you</b></p>", ItemKind.HYPERTEXT)
    plain = linked(tmp_path, 2, b"\xef\xbb\xbf <b>kept</b> \xff", ItemKind.TEXT)
    gone = ImageRef(TaskId(3), "gone", kind=ItemKind.TEXT)
    reader = TextReader(lambda: FakeImageFiles(gone=["gone"]))
    read = list(reader.read([page, text_ref(9, "inline"), plain, gone, text_ref(8, "")]))
    assert read[:3] == ["Hello & you", "inline", "<b>kept</b> \N{REPLACEMENT CHARACTER}"]
    assert [one.reason for one in read[3:]] == ["404", reading.NO_TEXT]


def test_a_sample_is_bounded_and_depends_on_the_texts_alone(monkeypatch):
    monkeypatch.setattr(reading, "MOST_SAMPLED", 10)
    monkeypatch.setattr(reading, "MOST_CHARACTERS", 500)
    reader = TextReader(FakeImageFiles)
    sample = reader.sample([*REFS, *REFS])
    assert sample == reader.sample(REFS[::-1])
    assert len(set(sample)) == len(sample) <= 10
    assert sum(map(len, sample)) <= 500


def test_a_published_encoder_is_cached_by_text(tmp_path, monkeypatch):
    monkeypatch.setattr(sentence_encoder, "require_package", lambda name: None)
    monkeypatch.setattr(sentence_encoder.metadata, "version", lambda name: "5.0")
    opened: list[Lengths] = []

    def open_one(name: str) -> Lengths:
        opened.append(Lengths(name))
        return opened[-1]

    models = text_models(tmp_path, "sentence-transformers:some/model", open_one)
    twice = [*REFS, text_ref(99, sentence(1))]
    first, _ = models.extract(twice, quiet)
    again, _ = models.extract(REFS[:3], quiet, first.backbone)
    assert (again.features == first.features[:3]).all()
    assert (opened[0].seen, len(opened)) == (40, 1)
    assert models.uncached(REFS, first.backbone) == 0
    assert models.uncached([text_ref(77)], first.backbone) == 1


def test_a_missing_package_is_named_with_the_command_that_installs_it(monkeypatch):
    monkeypatch.setattr(sentence_encoder, "find_spec", lambda name: None)
    with pytest.raises(NoWeights) as refusal:
        availability.check("sentence-transformers:some/model")
    assert "needs the package sentence-transformers" in refusal.value.message
    assert "pip install 'label-studio-autolabel[text]'" in refusal.value.hint


@pytest.mark.parametrize("name", ["bert", "sentence-transformers:", "efficientnet_lite0"])
def test_an_unknown_text_encoder_is_refused(name):
    with pytest.raises(BadInput, match="AUTOLABEL_TEXT_ENCODER"):
        availability.check(name)
    availability.check("tfidf")


def test_texts_have_no_pixels_and_are_not_augmented(tmp_path):
    models = text_models(tmp_path)
    assert not models.augments(ItemKind.HYPERTEXT)
    assert models.augments(ItemKind.IMAGE)
    for work in (
        lambda: models.write_preview(REFS[0], tmp_path / "x.jpg"),
        lambda: models.box_statistics(REFS[0], []),
        lambda: models.fetch_augmented(REFS[0], 19, tmp_path),
        lambda: models.fetch(text_ref(1, "")),
    ):
        with pytest.raises(UnreadableImage):
            work()


def test_images_beside_texts_are_passed_on(tmp_path):
    models = text_models(tmp_path)
    images, _ = models.extract([ImageRef(TaskId(1), "a.png")], quiet)
    assert images.backbone == models.backbone == "fake"
    assert models.choose({TaskKind.SINGLE}, Algorithm.FAST) == "fake"
    assert models.choose({TaskKind.SINGLE}, Algorithm.PRECISE, ItemKind.TEXT) == "tfidf"
    assert models.remarks("fake") == ["embedded by fake"]
    assert models.remarks("tfidf:12") == ()


def test_a_text_of_the_largest_size_is_read(tmp_path):
    long = text_ref(1, "word " * texts.MOST_CHARACTERS)
    images, lost = text_models(tmp_path).extract([long, *REFS], quiet)
    assert (len(images), lost) == (41, [])
