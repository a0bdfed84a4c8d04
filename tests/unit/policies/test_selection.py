import numpy as np
import pytest

from backend.domain.answers import Choices, ImageRef, Region, Regions
from backend.domain.batches import ImageBatch, PredictionBatch
from backend.domain.geometry import Box
from backend.domain.ids import Label, TaskId
from backend.domain.schema import TaskKind
from backend.policies import herding, neighbors
from backend.policies.grouping import group
from backend.policies.kmeans import kmeans
from backend.policies.neighbors import NEAR_IDENTICAL, nearest
from backend.policies.selection import select

DIMENSIONS = 16


def rng(seed=0):
    return np.random.default_rng(seed)


def images(features, first_task=0):
    features = np.asarray(features, dtype=np.float32).reshape(-1, DIMENSIONS)
    features = features / np.linalg.norm(features, axis=1, keepdims=True)
    refs = tuple(ImageRef(TaskId(first_task + i), "") for i in range(len(features)))
    return ImageBatch(refs, features.astype(np.float16), np.zeros((len(features), 6)))


def islands(sizes, spread=0.05, seed=0):
    """Features in as many tight groups as there are sizes, one after the other."""
    centers = np.repeat(np.eye(DIMENSIONS)[: len(sizes)], sizes, axis=0)
    return centers + rng(seed).normal(0, spread, centers.shape)


NONE = images(np.zeros((0, DIMENSIONS)), 10_000)


def predictions(doubt):
    """Two labels whose margin is one minus the doubt."""
    top = 1 - np.asarray(doubt) / 2
    table = np.stack([top, 1 - top], axis=1)
    return PredictionBatch(tuple(Choices(()) for _ in top), top, table)


def tasks(picks):
    return [pick.task for pick in picks]


def test_before_any_label_each_group_of_images_gives_one_pick():
    pool = images(islands([50, 30, 20, 10]))
    picks = tasks(select(TaskKind.SINGLE, pool, None, NONE, 4, rng()))
    assert sorted(np.searchsorted([50, 80, 100], picks, side="right")) == [0, 1, 2, 3]


@pytest.mark.parametrize("reference", [30, 100, 5000], ids=["a few", "as many", "more"])
def test_of_any_number_of_images_to_cover_each_group_gives_one_pick(monkeypatch, reference):
    # given a hundred images in four groups, of which so many at most are to be covered
    monkeypatch.setattr(herding, "REFERENCE", reference)
    pool, labeled = images(islands([25] * 4)), images(islands([0, 0, 0, 0, 5]), 1000)
    doubt = predictions(np.full(100, 0.5))
    picks = tasks(select(TaskKind.SINGLE, pool, doubt, labeled, 4, rng()))
    assert sorted(task // 25 for task in picks) == [0, 1, 2, 3]


def test_the_largest_group_comes_first():
    pool = images(islands([10, 60, 10]))
    first = tasks(select(TaskKind.SINGLE, pool, None, NONE, 3, rng()))[0]
    assert 10 <= first < 70


def test_with_a_model_picks_go_where_it_is_unsure_and_nothing_is_labeled():
    # given three groups: one sure, one unsure but labeled, one unsure and not labeled
    features = islands([40, 40, 40])
    pool, labeled = images(features), images(islands([40, 40, 40], seed=1)[40:80], 1000)
    doubt = np.repeat([0.01, 0.9, 0.9], 40)
    picks = tasks(select(TaskKind.SINGLE, pool, predictions(doubt), labeled, 1, rng()))
    assert picks
    assert all(task >= 80 for task in picks)


def test_the_same_seed_gives_the_same_picks():
    pool = images(rng().normal(size=(300, DIMENSIONS)))
    doubt = rng(1).random(300)
    one, same = (
        select(TaskKind.SINGLE, pool, predictions(doubt), NONE, 20, rng(3)) for _ in range(2)
    )
    assert one == same
    assert len(set(tasks(one))) == 20


def test_near_identical_images_are_picked_once_and_not_if_one_is_labeled():
    # given ten images, each five times, the first of them labeled
    kinds = np.eye(DIMENSIONS)[:10]
    pool, labeled = images(np.repeat(kinds, 5, axis=0)), images(kinds[:1], 1000)
    picks = tasks(select(TaskKind.SINGLE, pool, None, labeled, 9, rng()))
    assert sorted(task // 5 for task in picks) == list(range(1, 10))


def test_where_only_repeats_are_left_they_are_picked_all_the_same():
    pool = images(np.repeat(np.eye(DIMENSIONS)[:2], 5, axis=0))
    assert len(set(tasks(select(TaskKind.SINGLE, pool, None, NONE, 6, rng())))) == 6


def test_fewer_images_than_asked_for_are_all_picked():
    pool = images(islands([2, 1]))
    assert sorted(tasks(select(TaskKind.SINGLE, pool, None, NONE, 10, rng()))) == [0, 1, 2]
    assert select(TaskKind.SINGLE, NONE, None, pool, 10, rng()) == ()


def test_picks_are_clustered_by_similarity():
    pool = images(islands([10, 10, 10, 10]))
    picks = select(TaskKind.SINGLE, pool, None, NONE, 16, rng())
    island = {pick.task // 10: pick.cluster for pick in picks}
    assert len({pick.cluster for pick in picks}) == 4
    assert all(pick.cluster == island[pick.task // 10] for pick in picks)


def found(label, scores):
    box = Box(0.1, 0.1, 0.2, 0.2)
    return Regions(tuple(Region(box, Label(label), score) for score in scores))


def test_uncertain_boxes_are_picked_across_labels():
    # given four images doubtful about cells, slightly fewer about rods, and sixteen sure ones
    answers = (
        *[found("cell", [0.5, 0.5, 0.5])] * 4,
        *[found("rod", [0.5, 0.5])] * 4,
        *[found("cell", [0.99])] * 16,
    )
    table = np.repeat([[0.5, 0.0], [0.0, 0.5], [0.99, 0.0]], [4, 4, 16], axis=0)
    pool = images(islands([24]))
    drawn = PredictionBatch(answers, np.full(24, 0.5), table)
    picks = tasks(select(TaskKind.DETECTION, pool, drawn, NONE, 2, rng()))
    assert sorted(task // 4 for task in picks) == [0, 1]


def test_of_images_full_of_boxes_the_more_uncertain_lead_although_others_differ_more():
    # given twenty images, most of them with fifteen doubtful boxes and some with forty
    many = [40 if row % 4 == 0 else 15 for row in range(20)]
    pool = images(rng().random((20, DIMENSIONS)) + 0.5)
    drawn = PredictionBatch(
        tuple(found("cell", [0.5] * boxes) for boxes in many), np.ones(20), np.ones((20, 1))
    )
    picks = tasks(select(TaskKind.DETECTION, pool, drawn, NONE, 5, rng()))
    assert sum(task % 4 == 0 for task in picks) >= 4


def test_for_boxes_the_first_picks_are_random():
    pool = images(islands([500]))
    picks = tasks(select(TaskKind.DETECTION, pool, None, NONE, 200, rng()))
    assert 200 < np.mean(picks) < 300
    assert len(set(picks)) == 200


def test_groups_hold_each_image_once_largest_first_most_typical_in_front():
    pool = images(islands([30, 20, 10]))
    groups = group(pool, 3, rng())
    assert [len(one.tasks) for one in groups] == [30, 20, 10]
    assert sorted(task for one in groups for task in one.tasks) == list(range(60))
    center = np.eye(DIMENSIONS)[0]
    cosines = pool.features.astype(float) @ center
    assert cosines[groups[0].tasks[0]] > cosines[groups[0].tasks[-1]]


@pytest.mark.parametrize("count", [1, 201])
def test_groups_outside_the_limits_are_refused(count):
    with pytest.raises(ValueError, match=f"2 to 200, not {count}"):
        group(images(islands([5])), count, rng())


def test_clusters_are_never_more_than_different_images_ask_for():
    same = images(np.repeat(np.eye(DIMENSIONS)[:2], 10, axis=0)).features
    found_ = kmeans(same, 5, rng())
    assert set(np.bincount(found_.of)) <= {10}
    assert kmeans(same[:0], 5, rng()).of.shape == (0,)


def test_neighbors_are_those_of_a_full_sort():
    vectors = rng().normal(size=(50, 4))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    near, cosines = nearest(vectors, vectors, 3, skip_self=True)
    full = vectors @ vectors.T - 2 * np.eye(50)
    assert np.array_equal(near, np.argsort(-full, axis=1)[:, :3])
    assert cosines == pytest.approx(-np.sort(-full, axis=1)[:, :3], abs=1e-6)


def test_twins_are_found_in_large_sets_too(monkeypatch):
    # given 300 different images, each twice, in cells of at most 100
    monkeypatch.setattr(neighbors, "CELL", 100)
    features = images(np.tile(rng().normal(size=(300, DIMENSIONS)), (2, 1))).features
    parts = [features[:250], features[250:250], features[250:]]
    twin, cosine = (found[:, 0] for found in neighbors.twins(parts, 2))
    found = twin == (np.arange(600) + 300) % 600
    assert found.mean() > 0.95
    assert cosine[found] == pytest.approx(1, abs=0.01)


def unit_rows(vectors):
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float16)


def test_a_vector_alone_has_no_twin():
    found = neighbors.twins([np.ones((1, 3))], 2)
    assert [array.tolist() for array in found] == [[[-1, -1]], [[-1, -1]]]
    assert len(neighbors.twins([np.ones((0, 3))], 2)[0]) == 0


def test_twins_are_all_near_identical_vectors_of_a_full_comparison():
    # given three copies of each vector, each copy with some noise, in more directions than bound
    vectors = np.repeat(rng().normal(size=(200, 400)), 3, axis=0)
    vectors += rng().normal(size=vectors.shape) * rng().uniform(0, 0.3, (600, 1))
    features = unit_rows(vectors)
    full = features.astype(np.float32) @ features.T.astype(np.float32) - 2 * np.eye(600)
    expected = np.sort(full, axis=1)[:, :-4:-1]
    expected[expected < NEAR_IDENTICAL] = -1
    near, cosine = neighbors.twins([features[:400], features[400:]], 3)
    assert 300 < (near >= 0).sum() < 1200
    assert cosine == pytest.approx(expected, abs=1e-6)
    one, rank = np.nonzero(near >= 0)
    assert full[one, near[one, rank]] == pytest.approx(cosine[one, rank], abs=1e-6)


def test_twins_of_one_long_burst_are_found_among_many_different_images():
    # given forty copies of one image, one after the other, among images that differ
    vectors = rng().normal(size=(1000, 400))
    vectors[300:340] = vectors[300]
    near, cosine = neighbors.twins([unit_rows(vectors)], 5)
    assert ((near[300:340] >= 300) & (near[300:340] < 340)).all()
    assert all(row not in found for row, found in enumerate(near.tolist()))
    assert (cosine >= NEAR_IDENTICAL).sum() == 40 * 5


def test_twins_are_found_where_all_vectors_are_the_same():
    near, cosine = neighbors.twins([np.full((100, 4), 0.5)], 5)
    assert cosine == pytest.approx(np.ones((100, 5)))
    assert all(row not in found and len(set(found)) == 5 for row, found in enumerate(near.tolist()))
    assert (neighbors.twins([np.zeros((100, 3))], 5)[0] == -1).all()


def test_of_many_images_a_shortlist_is_weighed_which_holds_the_most_uncertain():
    pool = images(rng().normal(size=(4100, DIMENSIONS)))
    doubt = np.zeros(4100)
    doubt[7] = 1
    assert tasks(select(TaskKind.SINGLE, pool, predictions(doubt), NONE, 1, rng())) == [7]


def test_of_many_vectors_a_sample_places_the_centers_and_all_are_clustered():
    sizes = [12_000, 9000]
    found_ = kmeans(islands(sizes), 2, rng())
    assert len(np.unique(found_.of[:12_000])) == len(np.unique(found_.of[12_000:])) == 1
    assert np.bincount(found_.of).tolist() == sizes


def test_clustering_ends_after_some_rounds_though_vectors_still_move():
    vectors = rng().normal(size=(6000, DIMENSIONS))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    found_ = kmeans(vectors, 40, rng())
    assert sorted(np.bincount(found_.of), reverse=True) == np.bincount(found_.of).tolist()
    assert np.linalg.norm(found_.centers, axis=1) == pytest.approx(1)
    cosines = np.einsum("nd,nd->n", vectors, found_.centers[found_.of])
    assert found_.nearness == pytest.approx(cosines, abs=1e-6)
