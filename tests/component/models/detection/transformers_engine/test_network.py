from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from backend.domain.errors import BadInput, NoWeights
from backend.domain.ids import Label
from backend.models.detection.transformers_engine.network import (
    TransformersNetwork,
    from_pretrained,
    load,
    stacked,
)
from backend.models.detection.transformers_engine.training import RECIPE, inputs, loss
from backend.models.detection.transformers_engine.weights import KINDS, WEIGHTS
from tests.fakes import small_transformers

CAT, DOG, HORSE = Label("cat"), Label("dog"), Label("horse")
BATCH = np.random.default_rng(0).integers(0, 255, (2, 64, 96, 3), dtype=np.uint8)


def network(
    folder: Path,
    kind: str = "rt_detr",
    classes: Sequence[Label] = (CAT, DOG),
    outside: dict[str, Label] | None = None,
    *,
    across: bool = False,
) -> TransformersNetwork:
    start = small_transformers.write(folder / "start", kind, names=("horse", "cat", "hound"))
    return from_pretrained(start, classes, outside or {}, 96, "cpu", across_labels=across)


def example(*boxes: Sequence[float]):
    corners = torch.tensor(boxes).reshape(-1, 4)
    return torch.rand(3, 64, 96), {"boxes": corners, "labels": torch.zeros(len(boxes)).long()}


@pytest.mark.parametrize("kind", KINDS)
def test_detections_have_known_labels_scores_above_the_minimum_and_lie_within_the_image(
    tmp_path: Path, kind: str
):
    built = network(tmp_path, kind)
    found = built.detect(BATCH, min_score=0.0)
    boxes = np.concatenate([one.boxes for one in found])
    labels = np.concatenate([one.labels for one in found])
    least = float(np.median(found[0].scores))
    assert len(found) == 2
    assert len(boxes) > 0
    assert set(labels.tolist()) == {0, 1}
    assert (np.abs(boxes.reshape(-1, 2, 2).mean(axis=1) - (48, 32)) <= (48, 32)).all()
    assert (built.detect(BATCH, least)[0].scores > least).all()


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_learns_from_images_with_boxes_and_without(tmp_path: Path, kind: str):
    module = network(tmp_path, kind).module.train()
    for batch in ([example((8, 8, 40, 40)), example()], [example(), example()]):
        total = loss(module, batch, "cpu")
        assert total.isfinite()
        total.backward()
    assert module.model.enc_score_head.weight.grad.abs().sum() > 0


def test_a_network_that_has_detected_can_still_be_trained_on_images_of_that_shape(tmp_path: Path):
    built = network(tmp_path)
    built.detect(BATCH, min_score=0.5)
    loss(built.module.train(), [example((8, 8, 40, 40))], "cpu").backward()


def test_it_learns_in_half_precision(tmp_path: Path):
    module = network(tmp_path).module.train()
    asked = inputs(module, [example((8, 8, 40, 40)), example()], "cpu")
    with torch.autocast("cpu", torch.bfloat16):
        total = module(**asked).loss
    total.backward()
    assert total.isfinite()


def test_of_boxes_of_different_labels_in_one_place_only_one_stays_where_wanted(tmp_path: Path):
    every = network(tmp_path / "every").detect(BATCH, min_score=0.0)
    best = network(tmp_path / "best", across=True).detect(BATCH, min_score=0.0)
    assert sum(len(one.scores) for one in best) < sum(len(one.scores) for one in every)


def test_classes_that_the_pretrained_network_knows_keep_their_weights(tmp_path: Path):
    built = network(tmp_path, classes=(CAT, DOG, HORSE), outside={"hound": DOG})
    pretrained = load(tmp_path / "start", "cpu", across_labels=False, image_size=96)
    old, new = (net.module.model.enc_score_head.weight for net in (pretrained, built))
    assert torch.equal(new, old[[1, 2, 0]])
    old, new = (net.module.model.denoising_class_embed.weight for net in (pretrained, built))
    assert torch.equal(new[:3], old[[1, 2, 0]])
    assert dict(built.module.config.id2label) == {0: CAT, 1: DOG, 2: HORSE}


def test_unknown_classes_start_anew_and_everything_else_is_kept(tmp_path: Path):
    built = network(tmp_path, classes=(Label("moon"), CAT)).module.state_dict()
    pretrained = load(tmp_path / "start", "cpu", across_labels=False, image_size=96)
    old = pretrained.module.state_dict()
    changed = {name for name in old if not torch.equal(built[name], old[name])}
    assert all("class_embed" in name or "enc_score_head" in name for name in changed)
    head = "model.enc_score_head.weight"
    assert torch.equal(built[head][1], old[head][1])
    assert not torch.equal(built[head][0], old[head][0])


def test_a_saved_network_detects_the_same_and_holds_no_code(tmp_path: Path):
    built = network(tmp_path)
    built.save(tmp_path)
    again = load(tmp_path, "cpu", across_labels=False)
    assert again.image_size == 96
    one, other = (net.detect(BATCH, min_score=0.0)[0] for net in (built, again))
    assert np.allclose(one.boxes, other.boxes, atol=1e-4)
    assert load(tmp_path, "cpu", across_labels=False, image_size=160).image_size == 160
    assert {path.suffix for path in tmp_path.iterdir() if path.is_file()} == {
        ".json",
        ".safetensors",
    }


def test_a_version_of_another_engine_is_refused(tmp_path: Path):
    with pytest.raises(BadInput, match=r"model\.safetensors"):
        load(tmp_path, "cpu", across_labels=False)


def test_weights_that_are_missing_are_not_made_up(tmp_path: Path):
    start = small_transformers.write(tmp_path / "start")
    state = load_file(start / WEIGHTS)
    del state["model.enc_output.0.weight"]
    save_file(state, start / WEIGHTS, {"format": "pt"})
    with pytest.raises(NoWeights, match=r"lacks model\.enc_output\.0\.weight"):
        from_pretrained(start, (CAT,), {}, 96, "cpu", across_labels=False)


def test_damaged_weights_are_named(tmp_path: Path):
    start = small_transformers.write(tmp_path / "start")
    (start / WEIGHTS).write_bytes((start / WEIGHTS).read_bytes()[:5000])
    with pytest.raises(NoWeights, match="start"):
        from_pretrained(start, (CAT,), {}, 96, "cpu", across_labels=False)


def test_a_narrow_image_is_padded_until_it_has_a_cell_for_each_query(tmp_path: Path):
    built = network(tmp_path)
    narrow = np.zeros((1, 32, 32, 3), dtype=np.uint8)
    built.module.config.num_queries = 30
    (padded,) = stacked([torch.zeros(3, 32, 32)], built.module.config)
    assert padded.shape[1] * padded.shape[2] >= 2 * 32 * 32
    assert padded[0, 31, 31] == 0
    assert padded[0, -1, -1] > 0.4
    assert len(built.detect(narrow, min_score=0.0)) == 1


def test_a_frozen_backbone_is_not_trained_and_the_heads_have_a_higher_learning_rate(tmp_path: Path):
    module = network(tmp_path).module
    backbone, rest = RECIPE.groups(module)
    assert 0 < backbone["share"] < rest["share"]
    RECIPE.freeze(module, 1.0)
    (rest,) = RECIPE.groups(module)
    assert rest["params"]
