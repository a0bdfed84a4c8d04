"""What to label next, asked for on its own: before the first model as well as after."""

from dataclasses import dataclass

from backend.domain.jobs import Job, JobRequest, JobResult
from backend.domain.schema import LabelSchema
from backend.domain.steps import Step
from backend.domain.versions import ModelVersion
from backend.label_studio import labeling_config
from backend.policies import preconditions
from backend.ports.images import ReportedExtractor
from backend.ports.progress import Progress, Steps
from backend.ports.stores import Ledgers, Versions
from backend.services import audit_sample, next_picks, project_tasks
from backend.services.next_picks import SuggestingProject
from backend.services.prediction.inference import Predictor, ProjectPredictions
from backend.services.reporting import report
from backend.services.training.dataset import Dataset, load_dataset
from backend.services.training.train import Trainer


@dataclass(frozen=True, slots=True)
class Suggestions:
    """The suggesting job; it trains nothing and predicts with the current version."""

    label_studio: SuggestingProject
    extractor: ReportedExtractor
    trainer: Trainer
    predictor: Predictor
    versions: Versions
    ledgers: Ledgers
    seed: int

    def __call__(self, job: Job, steps: Steps) -> JobResult:
        """Run the job."""
        request, progress = job.request, steps.progress
        schema = labeling_config.parse(self.label_studio.project(request.project).label_config)
        with steps(Step.LIST):
            everyone = project_tasks.take(self.label_studio, request.project, schema, progress)
            people = everyone.only(request.task_ids) if request.task_ids else everyone
        ledger = self.ledgers.load(request.project)
        dataset, unreadable = load_dataset(self.extractor, schema, people, ledger, progress)
        version = self._version(request, schema)
        with steps(Step.PREDICT):
            predicted = self._predicted(version, dataset, progress)
            waiting = audit_sample.waiting(ledger, people)
            chosen = next_picks.next_picks(dataset, predicted, request.count, self.seed, waiting)
        with steps(Step.PUSH):
            name = version.name if version else None
            next_picks.show(self.label_studio, request.project, name, chosen)
        return report.of_looking(
            self.extractor,
            reason=f"{len(chosen)} images to label next",
            tasks=everyone,
            unreadable=unreadable,
            spent=steps.seconds,
            chosen_by=name or "typical images, no model yet",
            picks=[
                {"task": pick.task, "cluster": pick.cluster, "random": pick.random}
                for pick in chosen
            ],
        )

    def _version(self, request: JobRequest, schema: LabelSchema) -> ModelVersion | None:
        """The current version, where it still fits the labeling config."""
        current = self.versions.current(request.project)
        return current if current and not preconditions.model_fits(schema, current) else None

    def _predicted(
        self, version: ModelVersion | None, dataset: Dataset, progress: Progress
    ) -> ProjectPredictions | None:
        if version is None:
            return None
        models = self.trainer.load(dataset.schema, version, self.versions)
        return self.predictor.predict(models, dataset.unlabeled, progress)[0]
