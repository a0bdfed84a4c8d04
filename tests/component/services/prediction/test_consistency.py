"""Test-time augmentation with a detector, which needs torch."""

from backend.domain.batches import ProjectPredictions
from backend.domain.versions import AugmentationTrial
from backend.models.detection.family import DetectorFamily
from backend.policies.certification.correctness import is_right
from backend.services.prediction.consistency import MIRRORED, OF_BOXES, ConsistencyCheck
from tests.fakes.detection_engine import ColourEngine, ColourNetwork
from tests.fakes.detection_training_sets import CONTROL, fetch, shapes, training_set
from tests.fakes.encoder import MeanColour, extractor_of
from tests.fakes.image_files import FakeImageFiles
from tests.fakes.scratch import temporary
from tests.fakes.steps import quiet

USED = [AugmentationTrial(number, 12, 0, used=True) for number in OF_BOXES]


def test_a_detector_finds_the_same_boxes_in_the_mirror(tmp_path):
    model = DetectorFamily(ColourEngine([ColourNetwork()])).fit(training_set(tmp_path, held_out=30))
    seen, _ = shapes(tmp_path / "new", 20, seed=5)
    plain = model.predict(seen, fetch, quiet)
    looked = ProjectPredictions(seen, {CONTROL.name: plain}, plain.confidence)
    extractor = extractor_of(tmp_path, FakeImageFiles(), MeanColour())

    views = ConsistencyCheck(extractor, 25, temporary).views(CONTROL, model, looked, USED, quiet)

    assert len(views) == 2
    viewed = [row for row in range(20) if views[MIRRORED].answers[row] is not plain.answers[row]]
    assert len(viewed) == 5
    for row in viewed:
        assert plain.answers[row].regions
        assert is_right(views[MIRRORED].answers[row], plain.answers[row])
