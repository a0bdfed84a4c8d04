"""Policies hold no second copy of the features of a large project, which are most of its memory.

Where these lie in a file, policies leave none of it in memory but the little they last looked at.
"""

import pickle
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

from backend.domain import large_arrays
from backend.domain.schema import TaskKind
from backend.policies import herding, kmeans, neighbors, selection
from backend.policies.grouping import group
from backend.policies.hard_examples.neighborhood import neighborhood
from backend.policies.neighbors import twins
from backend.policies.selection import select
from tests.fakes.mapped_files import mapped
from tests.fakes.training_sets import image_batch

IMAGES, WIDTH, LABELED = 20_000, 256, 10
EVERY = np.ones((LABELED, 2), dtype=np.bool_)


def rng():
    return np.random.default_rng(0)


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    """What may be held beside the features is small in proportion to them."""
    for module, limits in {
        neighbors: {"CELL": 500, "CHUNK_CELLS": 100_000, "CHUNK_QUERIES": 200},
        kmeans: {"FIT_ON": 500},
        herding: {"REFERENCE": 200, "TYPICAL": 100},
        selection: {"SHORTLIST": 200},
    }.items():
        for name, limit in limits.items():
            monkeypatch.setattr(module, name, limit)


@pytest.fixture(scope="module")
def pool():
    return image_batch(rng().normal(size=(IMAGES, WIDTH)))


@pytest.fixture(scope="module")
def labeled():
    return image_batch(rng().normal(size=(LABELED, WIDTH)))


@pytest.fixture(scope="module")
def filed(pool, tmp_path_factory):
    """The pool, its features in a file."""
    folder = tmp_path_factory.mktemp("filed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(large_arrays, "IN_MEMORY", 1_000_000)
        features = large_arrays.zeros(IMAGES, WIDTH, np.float16, folder)
    features[:] = pool.features
    return replace(pool, features=features), folder


POLICIES = pytest.mark.parametrize(
    "policy",
    [
        lambda pool, labeled: neighborhood(pool.features, labeled.features, EVERY),
        lambda pool, labeled: twins([pool.features, labeled.features], 1),
        lambda pool, labeled: group(pool, 5, rng()),
        lambda pool, labeled: select(TaskKind.SINGLE, pool, None, labeled, 5, rng()),
        lambda pool, labeled: select(TaskKind.DETECTION, pool, None, labeled, 5, rng()),
    ],
    ids=["neighborhood", "twins", "groups", "picks", "picks of boxes"],
)


@POLICIES
def test_a_policy_holds_no_copy_of_all_features(pool, labeled, policy):
    tracemalloc.start()
    try:
        policy(pool, labeled)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 0.8 * pool.features.nbytes


@POLICIES
def test_it_leaves_little_of_a_file_in_memory(filed, labeled, policy):
    pool, folder = filed
    large_arrays.release(pool.features)
    policy(pool, labeled)
    assert mapped(folder).resident < 0.1 * pool.features.nbytes


@POLICIES
def test_features_in_a_file_give_the_same(pool, filed, labeled, policy):
    assert pickle.dumps(policy(pool, labeled)) == pickle.dumps(policy(filed[0], labeled))
