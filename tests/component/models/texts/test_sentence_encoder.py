"""A real sentence encoder with random weights: what it computes, and how it refuses."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModel, AutoTokenizer

from backend.domain.errors import NoWeights
from backend.models.texts import sentence_encoder
from backend.models.texts.sentence_encoder import SentenceEncoder
from tests.fakes.small_sentence_model import LONGEST, WIDTH, WORDS, write

SENTENCES = ["it purrs on the sofa", "it barks", "it wags its tail and barks on the sofa"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write(tmp_path_factory.mktemp("sentences") / "model")


@pytest.fixture(scope="module")
def encoder(folder):
    return SentenceEncoder(f"sentence-transformers:{folder}", "cpu")


def by_hand(folder: Path, text: str) -> np.ndarray:
    """The mean of the vectors of all tokens, at length 1."""
    tokens = AutoTokenizer.from_pretrained(folder)(
        text, return_tensors="pt", truncation=True, max_length=LONGEST
    )
    network = AutoModel.from_pretrained(folder).eval()
    with torch.inference_mode():
        found = network(tokens["input_ids"], tokens["attention_mask"]).last_hidden_state[0]
    mean = found.mean(dim=0).numpy()
    return mean / np.linalg.norm(mean)


def test_a_vector_is_the_mean_of_its_tokens_at_length_1(encoder, folder):
    vectors = encoder.embed(SENTENCES)
    assert (vectors.shape, vectors.dtype, encoder.width) == ((3, WIDTH), np.float16, WIDTH)
    for text, vector in zip(SENTENCES, vectors, strict=True):
        assert vector == pytest.approx(by_hand(folder, text), abs=2e-3)
        assert np.linalg.norm(vector.astype(float)) == pytest.approx(1, abs=2e-3)


def test_a_vector_does_not_depend_on_the_texts_beside_it(encoder):
    rng = np.random.default_rng(0)
    many = [" ".join(rng.choice(WORDS, int(rng.integers(1, 9)))) for _ in range(100)]
    together = encoder.embed(many)
    alone = np.concatenate([encoder.embed([text]) for text in many])
    assert together == pytest.approx(alone, abs=2e-3)


def test_words_beyond_the_longest_input_are_left_out(encoder):
    begin = ["it", "purrs"] * LONGEST
    one, other = encoder.embed([" ".join(begin), " ".join([*begin, "barks", "tail"])])
    assert one == pytest.approx(other, abs=1e-3)
    assert one != pytest.approx(encoder.embed(["it purrs"])[0], abs=1e-3)


def test_unknown_words_and_no_text_have_a_vector(encoder):
    vectors = encoder.embed(["Katze 猫", ""])
    assert np.isfinite(vectors).all()
    assert encoder.embed([]).shape == (0, WIDTH)


def test_a_folder_can_be_used_and_is_known_by_its_content(folder, encoder):
    sentence_encoder.check(encoder.name)
    before = sentence_encoder.slug(encoder.name)
    (folder / "README.md").write_text("other weights")
    assert sentence_encoder.slug(encoder.name) != before


def test_without_a_network_the_message_says_how_to_get_the_weights(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    with pytest.raises(NoWeights) as caught:
        SentenceEncoder("sentence-transformers:nobody/nothing", "cpu").embed(["it purrs"])
    assert "nobody/nothing cannot be opened" in caught.value.message
    assert "Give a folder as sentence-transformers:/path/to/model" in caught.value.hint


def test_a_folder_without_a_model_is_named(tmp_path):
    with pytest.raises(NoWeights, match="cannot be opened"):
        SentenceEncoder(f"sentence-transformers:{tmp_path}", "cpu").embed(["it purrs"])


def test_pickled_weights_are_not_opened(folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "pickled")
    weights = next(copy.rglob("*.safetensors"))
    torch.save({}, weights.with_name("pytorch_model.bin"))
    weights.unlink()
    with pytest.raises(NoWeights, match="cannot be opened"):
        SentenceEncoder(f"sentence-transformers:{copy}", "cpu").embed(["it purrs"])
