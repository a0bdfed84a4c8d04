"""Assign each fake to the port that it implements, for the type checker of `make check`.

What the signatures cannot say is in tests/contract.
"""

from pathlib import Path

from backend.ports.application import Backend, ConnectableProjects
from backend.ports.folders import ImageFolder
from backend.ports.images import ImageFiles, ImageModels
from backend.ports.jobs import AnnotationChanges, Jobs
from backend.ports.label_studio import LabelStudio
from backend.ports.model_family import Family
from backend.ports.progress import Steps
from backend.ports.shards import Shards
from backend.ports.stores import Illustrations, Ledgers, StoredPredictions, Versions
from backend.use_cases import utc_now
from tests.fakes.backend import FakeBackend
from tests.fakes.changes import FakeChanges
from tests.fakes.domain import CHOICES
from tests.fakes.folders import FakeImageFolder
from tests.fakes.illustrations import FakeIllustrations
from tests.fakes.image_files import FakeImageFiles
from tests.fakes.jobs import FakeJobs
from tests.fakes.label_editor import FakeLabelEditor
from tests.fakes.label_studio import FakeProjects
from tests.fakes.ledgers import FakeLedgers
from tests.fakes.models import FakeFeatureExtractor, ParityFamily
from tests.fakes.shards import FakeShards
from tests.fakes.steps import FakeSteps
from tests.fakes.stored_predictions import FakeStoredPredictions
from tests.fakes.versions import FakeVersions

BACKEND: Backend = FakeBackend()
CHANGES: AnnotationChanges = FakeChanges(utc_now)
EXTRACTOR: ImageModels = FakeFeatureExtractor()
FAMILY: Family = ParityFamily()
FILES: ImageFiles = FakeImageFiles()
FOLDER: ImageFolder = FakeImageFolder()
ILLUSTRATIONS: Illustrations = FakeIllustrations()
JOBS: Jobs = FakeJobs()
LABEL_STUDIO: LabelStudio = FakeLabelEditor(CHOICES)
LEDGERS: Ledgers = FakeLedgers()
PROJECTS: ConnectableProjects = FakeProjects()
SHARDS: Shards = FakeShards()
STEPS: Steps = FakeSteps()
STORED: StoredPredictions = FakeStoredPredictions()
VERSIONS: Versions = FakeVersions(root=Path())
