"""What every implementation of `backend.ports.label_studio.LabelStudio` does.

A subclass provides the fixture `scene`. The fake runs in this folder, the gateway in tests/e2e,
where there is a real Label Studio.
"""

from collections.abc import Sequence
from typing import Protocol

import pytest

from backend.domain.answers import Choices, ImageRef, Prediction
from backend.domain.audits import AuditLabels
from backend.domain.errors import NotFound
from backend.domain.ids import ControlName, Label, ProjectId, TaskId, VersionName
from backend.domain.schema import LabelSchema
from backend.domain.task_lists import TaskList
from backend.domain.version_names import review_name
from backend.label_studio import codec, labeling_config
from backend.ports.label_studio import LabelStudio, TakenBack

OLD, NEW = VersionName("al-0001-aaaa"), VersionName("al-0002-bbbb")
THEIRS = VersionName("theirs")
CAT, DOG = Choices((Label("cat"),)), Choices((Label("dog"),))


class Scene(Protocol):
    """A project with six tasks that ask for one label, cat or dog, and the people who label it."""

    label_studio: LabelStudio
    project: ProjectId
    tasks: Sequence[TaskId]

    def annotate(self, task: TaskId, label: str) -> None: ...

    def skip(self, task: TaskId) -> None: ...

    def delete(self, task: TaskId) -> None: ...

    def correct(self, task: TaskId, label: str) -> None:
        """Change the annotation of a task."""
        ...

    def draft(self, task: TaskId) -> None:
        """Begin to change the annotation of a task, without saving."""
        ...

    def annotate_as_opened(self, task: TaskId, label: str) -> None:
        """Annotate a task as the editor does: beginning with its prediction, if it has one."""
        ...

    def tab_titles(self) -> set[str]: ...

    def listed(self, title: str) -> Sequence[TaskId]:
        """The tasks of a tab, in its order."""
        ...


class LabelStudioContract:
    """Test methods; a `scene` is new for each."""

    @pytest.fixture
    def port(self, scene: Scene) -> LabelStudio:
        return scene.label_studio

    def test_activity_tells_new_edited_and_skipped_annotations_apart(
        self, port: LabelStudio, scene: Scene
    ) -> None:
        before = port.activity(scene.project)
        assert (before.annotations, before.tasks, before.touched) == (0, 6, ())
        scene.annotate(scene.tasks[0], "cat")
        scene.skip(scene.tasks[1])
        labeled = port.activity(scene.project)
        assert (labeled.annotations, len(labeled.touched)) == (1, 1)
        scene.correct(scene.tasks[0], "dog")
        corrected = port.activity(scene.project)
        assert corrected.annotations == 1
        assert corrected.touched[0] > labeled.touched[0]

    @pytest.fixture
    def schema(self, scene: Scene) -> LabelSchema:
        return labeling_config.parse(scene.label_studio.project(scene.project).label_config)

    @pytest.fixture
    def control(self, schema: LabelSchema) -> ControlName:
        return schema.controls[0].name

    def predict(
        self, scene: Scene, schema: LabelSchema, version: VersionName, tasks: Sequence[TaskId]
    ) -> None:
        """Push predictions that all say cat."""
        answers = {schema.controls[0].name: CAT}
        predictions = [
            Prediction(ImageRef(task, f"{task}.png"), answers, 0.5, version) for task in tasks
        ]
        scene.label_studio.push(scene.project, codec.serialized(predictions, schema))

    def test_projects_are_read_with_their_labeling_config(self, scene, port, schema):
        project = port.project(scene.project)
        assert project.id == scene.project
        assert schema.controls[0].labels == ("cat", "dog")
        assert project in port.projects()

    def test_a_project_that_does_not_exist_is_not_found(self, scene, port):
        with pytest.raises(NotFound):
            port.project(ProjectId(scene.project + 1000))

    def test_a_task_is_labeled_once_a_person_answered_it(self, scene, port, schema, control):
        first, second, skipped, *others = scene.tasks
        scene.annotate(second, "dog")
        scene.annotate(first, "cat")
        scene.skip(skipped)
        labeled = list(port.labeled(scene.project, schema))
        assert [(one.image.task, one.answers[control]) for one in labeled] == [
            (first, CAT),
            (second, DOG),
        ]
        unlabeled = [ref.task for ref in port.unlabeled(scene.project, schema)]
        assert unlabeled == others
        assert port.count_unlabeled(scene.project) == len(others)
        assert port.count_before_listing(scene.project) == len(others)
        assert [ref.task for ref in port.skipped_tasks(scene.project, schema)] == [skipped]
        assert port.count_skipped(scene.project) == 1

    def test_what_people_did_to_audited_tasks_is_told_without_those_that_are_gone(
        self, scene: Scene, port: LabelStudio, schema: LabelSchema, control: ControlName
    ):
        labeled, skipped, waiting, gone, *_ = scene.tasks
        scene.annotate(labeled, "dog")
        scene.skip(skipped)
        scene.delete(gone)
        found = port.audit_labels(scene.project, schema, (labeled, skipped, waiting, gone))
        assert found == {
            labeled: AuditLabels(({control: DOG},)),
            skipped: AuditLabels(skipped=True),
            waiting: AuditLabels(),
        }
        assert [task for task, one in found.items() if one.opened] == [labeled, skipped]
        assert port.any_waiting(scene.project, (gone, labeled, waiting))
        assert not port.any_waiting(scene.project, (labeled, skipped, gone))

    def test_tasks_are_looked_up_by_id_labeled_or_not(self, scene, port, schema):
        labeled, skipped, deleted, unlabeled, *_ = scene.tasks
        scene.annotate(labeled, "cat")
        scene.skip(skipped)
        scene.delete(deleted)
        asked = [labeled, skipped, deleted, unlabeled]
        found = [ref.task for ref in port.refs(scene.project, schema, asked)]
        assert found == [labeled, skipped, unlabeled]

    def test_predictions_are_found_by_their_version(self, scene, port, schema):
        self.predict(scene, schema, OLD, scene.tasks[:2])
        self.predict(scene, schema, NEW, scene.tasks[1:3])
        assert port.predicted(scene.project, OLD) == set(scene.tasks[:2])
        assert port.predicted(scene.project, NEW) == set(scene.tasks[1:3])

    def test_a_task_deleted_meanwhile_costs_its_own_prediction_only(
        self, scene, port, schema, control
    ):
        scene.delete(scene.tasks[0])
        predictions = [
            Prediction(ImageRef(task, "1.png"), {control: CAT}, 0.5, NEW) for task in scene.tasks
        ]
        pushed = port.push(scene.project, codec.serialized(predictions, schema))
        assert pushed.created == 5
        assert [one.task for one in pushed.dropped] == [scene.tasks[0]]
        assert port.predicted(scene.project, NEW) == set(scene.tasks[1:])

    def test_predictions_to_review_are_those_of_tasks_that_nobody_touched(
        self, scene, port, schema, control
    ):
        labeled, skipped, waiting, unpredicted, *_ = scene.tasks
        self.predict(scene, schema, OLD, scene.tasks)
        self.predict(scene, schema, NEW, [labeled, skipped, waiting])
        scene.annotate(labeled, "dog")
        scene.skip(skipped)
        asked = [labeled, skipped, waiting, unpredicted]
        found = port.waiting_predictions(scene.project, schema, NEW, asked)
        assert list(found) == [waiting]
        one = found[waiting]
        assert (one.answers[control], one.score, one.version) == (CAT, 0.5, NEW)
        assert port.account()

    def test_replacing_predictions_that_are_gone_is_no_error(self, scene, port, schema, control):
        kept, other, *_ = scene.tasks
        self.predict(scene, schema, NEW, [kept])
        port.replace_results(scene.project, NEW, {task: {"result": []} for task in (kept, other)})
        assert port.predicted(scene.project, NEW) == {kept}

    def test_walls_replace_those_of_earlier_versions(self, scene, port, schema, control):
        self.predict(scene, schema, OLD, scene.tasks)
        port.show_walls(scene.project, schema, OLD, [{control: CAT}, {control: DOG}])
        assert {"Confirm: cat", "Confirm: dog"} <= scene.tab_titles()
        port.show_walls(scene.project, schema, NEW, [{control: DOG}])
        assert "Confirm: cat" not in scene.tab_titles()
        assert "Confirm: dog" in scene.tab_titles()
        port.show_walls(scene.project, schema, NEW, [])
        assert "Confirm: dog" not in scene.tab_titles()

    def test_a_version_is_shown_once_it_has_predictions(self, scene, port, schema):
        self.predict(scene, schema, OLD, scene.tasks)
        port.show_version(scene.project, OLD)
        assert port.project(scene.project).model_version == OLD
        port.show_version(scene.project, NEW)
        assert port.project(scene.project).model_version == OLD

    def test_forgetting_versions_spares_those_to_keep_and_those_of_others(
        self, scene, port, schema
    ):
        for version in (OLD, NEW, THEIRS):
            self.predict(scene, schema, version, scene.tasks[:2])
        port.forget_versions(scene.project, [NEW])
        counts = [len(port.predicted(scene.project, version)) for version in (OLD, NEW, THEIRS)]
        assert counts == [0, 2, 2]

    def test_a_task_without_a_newer_prediction_keeps_its_newest_old_one(self, scene, port, schema):
        first, second, *_ = scene.tasks
        self.predict(scene, schema, OLD, [first, second])
        self.predict(scene, schema, NEW, [first])
        port.forget_versions(scene.project, [NEW], spare=[first])
        assert port.predicted(scene.project, OLD) == set()
        self.predict(scene, schema, OLD, [first, second])
        port.forget_versions(scene.project, [NEW], spare=[second])
        assert port.predicted(scene.project, OLD) == {first, second}

    def test_superseded_predictions_are_deleted_one_by_one(self, scene, port, schema):
        labeled, withheld, waiting, *_ = scene.tasks
        for version in (OLD, THEIRS):
            self.predict(scene, schema, version, scene.tasks)
        self.predict(scene, schema, NEW, scene.tasks[3:])
        scene.annotate(labeled, "cat")
        annotated = port.activity(scene.project)
        assert port.count_superseded(scene.project, [NEW]) == 6
        steps = port.delete_superseded(scene.project, [NEW], {withheld})
        assert next(iter(steps)) == 1
        assert port.count_superseded(scene.project, [NEW]) == 5, "it ends where it is left"
        assert list(port.delete_superseded(scene.project, [NEW], {withheld})) == [1, 2, 3, 4]
        assert port.predicted(scene.project, OLD) == {waiting}
        assert port.predicted(scene.project, NEW) == set(scene.tasks[3:])
        assert port.predicted(scene.project, THEIRS) == set(scene.tasks)
        assert port.activity(scene.project) == annotated, "nobody annotated meanwhile"

    def test_forgetting_the_predictions_of_tasks_spares_the_other_tasks_and_versions(
        self, scene, port, schema
    ):
        corrected = review_name()
        for version in (OLD, NEW, THEIRS, corrected):
            self.predict(scene, schema, version, scene.tasks[:3])
        port.forget_predictions(scene.project, scene.tasks[:2])
        for version in (OLD, NEW, corrected):
            assert port.predicted(scene.project, version) == {scene.tasks[2]}
        assert port.predicted(scene.project, THEIRS) == set(scene.tasks[:3])

    def test_accepting_makes_annotations_of_tasks_that_nobody_opened(
        self, scene, port, schema, control
    ):
        labeled, skipped, first, second, unpredicted, _ = scene.tasks
        scene.annotate(labeled, "dog")
        scene.skip(skipped)
        self.predict(scene, schema, NEW, [labeled, skipped, first, second])
        made = port.accept(scene.project, NEW, [labeled, skipped, first, second, unpredicted])
        assert set(made) == {first, second}
        images = {one.image.task: one for one in port.labeled(scene.project, schema)}
        answers = {task: one.answers[control] for task, one in images.items()}
        assert answers == {labeled: DOG, first: CAT, second: CAT}
        assert {task for task, one in images.items() if one.by_person} == {labeled}
        assert port.accept(scene.project, NEW, [first, second]) == {}
        assert port.find_accepted(scene.project, NEW, [labeled, first, second]) == made
        assert port.find_accepted(scene.project, OLD, [labeled, first, second]) == {}

    def test_what_was_accepted_is_taken_back_and_may_be_again(self, scene, port, schema):
        self.predict(scene, schema, NEW, scene.tasks)
        made = port.accept(scene.project, NEW, scene.tasks)
        for deleted in (frozenset(scene.tasks), frozenset[TaskId]()):
            assert port.take_back(scene.project, made) == TakenBack(deleted)
            assert list(port.labeled(scene.project, schema)) == []
        assert port.predicted(scene.project, NEW) == set(scene.tasks)

    def test_what_a_person_corrected_is_not_taken_back(self, scene, port, schema, control):
        corrected, other, *_ = scene.tasks
        self.predict(scene, schema, NEW, [corrected, other])
        made = port.accept(scene.project, NEW, [corrected, other])
        scene.correct(corrected, "dog")
        done = port.take_back(scene.project, made)
        assert done == TakenBack(frozenset({other}), changed=frozenset({corrected}))
        (left,) = port.labeled(scene.project, schema)
        assert (left.image.task, left.answers[control]) == (corrected, DOG)
        assert left.by_person

    def test_what_a_person_has_a_draft_of_is_not_taken_back(self, scene, port, schema):
        drafted, other, *_ = scene.tasks
        self.predict(scene, schema, NEW, [drafted, other])
        made = port.accept(scene.project, NEW, [drafted, other])
        assert port.begun(scene.project) == frozenset()
        scene.draft(drafted)
        assert port.begun(scene.project) == {drafted}
        done = port.take_back(scene.project, made)
        assert done == TakenBack(frozenset({other}), drafted=frozenset({drafted}))
        assert [one.image.task for one in port.labeled(scene.project, schema)] == [drafted]

    def test_a_tab_that_lists_tasks_disappears_with_the_last_one(self, scene, port):
        port.list_in_tab(scene.project, "Chosen", scene.tasks[:2])
        assert "Chosen" in scene.tab_titles()
        port.list_in_tab(scene.project, "Chosen", scene.tasks[2:3])
        assert "Chosen" in scene.tab_titles()
        port.list_in_tab(scene.project, "Chosen", [])
        assert "Chosen" not in scene.tab_titles()
        port.list_in_tab(scene.project, "Chosen", [])

    def test_a_tab_lists_tasks_in_the_order_given_each_once(self, scene, port, schema):
        first, second, third, *_ = scene.tasks
        self.predict(scene, schema, NEW, scene.tasks)
        port.list_in_tab(scene.project, "Chosen", [third, first, third, second])
        assert list(scene.listed("Chosen")) == [third, first, second]
        port.list_in_tab(scene.project, "Chosen", [second, third])
        assert list(scene.listed("Chosen")) == [second, third]

    def test_lists_are_marked_with_the_predictions_and_shown_later(self, scene, port, schema):
        first, second, third, gone, *_ = scene.tasks
        scene.delete(gone)
        lists = [TaskList("Chosen", (second, gone, first)), TaskList("None", ())]
        drafts = port.draft_lists(scene.project, lists)
        answers = {schema.controls[0].name: CAT}
        predictions = [
            Prediction(ImageRef(task, "1.png"), answers, 0.5, NEW) for task in (first, third)
        ]
        pushed = port.push(scene.project, codec.serialized(predictions, schema), drafts)
        assert (pushed.created, pushed.dropped) == (2, ())
        assert "Chosen" not in scene.tab_titles()
        for draft in drafts:
            port.show_list(scene.project, draft, tidy=False)
        assert set(scene.listed("Chosen")) == {second, first}
        assert "None" not in scene.tab_titles()

    def test_a_task_may_be_in_several_lists(self, scene, port):
        first, second, third, *_ = scene.tasks
        port.list_in_tab(scene.project, "Chosen", [first, second])
        port.list_in_tab(scene.project, "Others", [third, second])
        port.list_in_tab(scene.project, "Chosen", [second, third])
        assert set(scene.listed("Chosen")) == {second, third}
        assert set(scene.listed("Others")) == {second, third}

    def test_a_task_that_was_deleted_is_left_out_of_a_tab(self, scene, port):
        first, gone, second, *_ = scene.tasks
        scene.delete(gone)
        port.list_in_tab(scene.project, "Chosen", [gone, second, first])
        assert list(scene.listed("Chosen")) == [second, first]

    def test_listing_a_task_predicts_nothing(self, scene, port, schema):
        self.predict(scene, schema, NEW, scene.tasks[:1])
        port.show_version(scene.project, NEW)
        port.list_in_tab(scene.project, "Chosen", scene.tasks)
        assert port.predicted(scene.project, NEW) == {scene.tasks[0]}
        assert port.count_unlabeled(scene.project) == len(scene.tasks)
        assert port.project(scene.project).model_version == NEW
        assert set(port.accept(scene.project, NEW, scene.tasks)) == {scene.tasks[0]}

    def test_labels_given_in_a_list_are_blind_and_others_are_not(self, scene, port, schema):
        blind, seen, *_ = scene.tasks
        port.list_in_tab(scene.project, "Chosen", [blind])
        self.predict(scene, schema, NEW, [seen])
        for task in (blind, seen):
            scene.annotate_as_opened(task, "dog")
        labeled = {one.image.task: one.blind for one in port.labeled(scene.project, schema)}
        assert labeled == {blind: True, seen: False}
        audited = port.audit_labels(scene.project, schema, [blind, seen])
        assert {task: one.blind for task, one in audited.items()} == labeled
        port.list_in_tab(scene.project, "Chosen", [])
        assert {one.blind for one in port.labeled(scene.project, schema)} == {True, False}

    def test_the_standard_tabs_are_made_once(self, scene, port):
        port.refresh_tabs(scene.project)
        port.refresh_tabs(scene.project)
        assert {"To be confirmed", "Hard examples", "Labeled", "Unlabeled"} <= scene.tab_titles()

    def test_groups_are_named_in_order_and_replace_the_earlier_ones(self, scene, port):
        first, second, third, *_ = scene.tasks
        names = port.show_groups(scene.project, [[first, second], [third]])
        assert list(names) == ["group-001", "group-002"]
        assert port.predicted(scene.project, names[0]) == {first, second}
        port.show_groups(scene.project, [[third]])
        assert port.predicted(scene.project, names[0]) == {third}
        assert port.predicted(scene.project, names[1]) == set()

    def test_clusters_of_tasks_without_a_prediction_are_ignored(self, scene, port, schema):
        self.predict(scene, schema, NEW, scene.tasks[:1])
        port.set_clusters(scene.project, NEW, dict.fromkeys(scene.tasks, 3))
        assert port.predicted(scene.project, NEW) == {scene.tasks[0]}
