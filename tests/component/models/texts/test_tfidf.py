import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer

from backend.domain.errors import BadInput
from backend.models.texts import tfidf
from backend.models.texts.tfidf import TENSORS, VOCABULARY, TfidfEncoder
from tests.fakes.texts import sentence

TEXTS = [sentence(task) for task in range(60)]


@pytest.fixture(scope="module")
def encoder() -> TfidfEncoder:
    return tfidf.fit(TEXTS)


def test_vectors_have_length_one_and_like_texts_are_near(encoder):
    vectors = encoder.embed(TEXTS).astype(np.float64)
    assert vectors.shape == (60, encoder.width)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=0.01)
    cosine = vectors @ vectors.T
    same = np.equal.outer(np.arange(60) % 2, np.arange(60) % 2) & ~np.eye(60, dtype=bool)
    other = np.not_equal.outer(np.arange(60) % 2, np.arange(60) % 2)
    assert cosine[same].mean() > cosine[other].mean() + 0.1


def test_a_text_of_unknown_words_has_no_direction(encoder):
    assert not encoder.embed(["жжж"]).any()


def test_a_saved_encoder_gives_the_same_vectors(encoder, tmp_path):
    encoder.save(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {TENSORS, VOCABULARY}
    loaded = TfidfEncoder.load(tmp_path)
    assert loaded.name == encoder.name
    assert (loaded.embed(TEXTS) == encoder.embed(TEXTS)).all()


def test_the_name_stands_for_what_was_learned(encoder):
    assert tfidf.fit(TEXTS).name == encoder.name
    assert tfidf.fit([*TEXTS, "one more"]).name != encoder.name
    assert encoder.name.startswith("tfidf:")


def test_a_changed_file_is_refused(encoder, tmp_path):
    encoder.save(tmp_path)
    text = (tmp_path / VOCABULARY).read_text()
    (tmp_path / VOCABULARY).write_text(text.replace("sofa", "soda"))
    with pytest.raises(BadInput, match="missing or damaged"):
        TfidfEncoder.load(tmp_path)
    with pytest.raises(BadInput, match="missing or damaged"):
        TfidfEncoder.load(tmp_path / "nowhere")


@pytest.mark.parametrize(
    "texts",
    [["one"], ["!!!", "???"], ["猫在沙发上", "狗在叫"], ["a"] * 3, ["👍", "👎"]],
    ids=["one", "signs", "Chinese", "equal", "emoji"],
)
def test_few_and_strange_texts_can_be_learned(texts):
    assert np.isfinite(tfidf.fit(texts).embed(texts).astype(np.float64)).all()


def test_the_vocabulary_is_bounded(monkeypatch):
    monkeypatch.setattr(tfidf, "MOST_TERMS", 100)
    encoder = tfidf.fit([f"word{number} word{number + 1}" for number in range(300)])
    assert [len(terms) for terms in encoder.terms] == [100, 100]
    assert encoder.width == min(tfidf.WIDTH, 200)


def test_weights_are_those_of_scikit_learn():
    words = TfidfVectorizer(
        token_pattern=r"(?u)\b\w+\b", ngram_range=(1, 2), sublinear_tf=True, dtype=np.float32
    )
    characters = TfidfVectorizer(
        analyzer="char_wb", ngram_range=(2, 4), sublinear_tf=True, dtype=np.float32
    )
    texts = [*TEXTS, "a bb ccc", "Ärger, Ärger!  \t x", "naïve naïve 猫が好き"]
    encoder = tfidf.fit(texts)
    theirs = np.hstack([one.fit_transform(texts).toarray() for one in (words, characters)])
    assert [list(terms) for terms in encoder.terms] == [
        list(one.get_feature_names_out()) for one in (words, characters)
    ]
    assert np.allclose(encoder.weights(texts).toarray(), theirs * 0.5**0.5, atol=1e-5)
