"""Label operations: everything changes over, is backed up before, and comes back exactly."""

import copy

import pytest

from backend.domain.answers import ImageRef
from backend.domain.audits import OpenAudit
from backend.domain.errors import BadInput, LabelStudioUnreachable, NotFound, Refused, Stopped
from backend.domain.ids import AuditId, ControlName, JobId, Label, ProjectId, TaskId, VersionName
from backend.domain.jobs import JobRequest, JobState, Mode
from backend.domain.label_edits import LabelChange, LabelEdit, LabelUse
from backend.domain.version_names import control_folder
from backend.domain.versions import Acceptance, Ledger
from backend.label_studio import label_config_edit
from backend.label_studio.source_files import LocalSourceFiles
from backend.stores.jobs import report_json
from backend.use_cases import use_cases
from backend.wiring import application
from tests.fakes.domain import CHOICES, a_job, a_version
from tests.fakes.label_editor import FakeLabelEditor
from tests.fakes.ledgers import FakeLedgers
from tests.fakes.steps import FakeSteps, quiet
from tests.fakes.world import parts_in

PROJECT, CONTROL = ProjectId(1), ControlName("c")
CAT, DOG, PET = Label("cat"), Label("dog"), Label("pet")
THREE = (CAT, DOG, Label("bird"))
RENAME = LabelEdit(LabelChange.RENAME, (CAT,), Label("Cat"))
MERGE = LabelEdit(LabelChange.MERGE, (CAT, DOG), PET)
DELETE = LabelEdit(LabelChange.DELETE, (CAT,))
WITH_IMAGES = LabelEdit(LabelChange.DELETE, (CAT,), with_images=True)
WITH_FILES = LabelEdit(LabelChange.DELETE, (CAT,), with_images=True, delete_files=True)


def chosen(*labels):
    """The result of an annotation that chooses these labels."""
    value = {"choices": [*labels]}
    return [{"id": "c", "from_name": "c", "to_name": "img", "type": "choices", "value": value}]


class Scene:
    """Five tasks: a cat, a dog, a skipped cat, a predicted cat, and one with a draft of a cat."""

    def __init__(self, folder, **parts):
        three = CHOICES.replace('"dog"/>', '"dog"/><Choice value="bird"/>')
        self.label_studio = FakeLabelEditor(three)
        self.cat = self.label_studio.add_task(chosen("cat"), lead_time=3.5)
        self.dog = self.label_studio.add_task(chosen("dog"))
        self.skipped = self.label_studio.add_task(chosen("cat"), was_cancelled=True)
        self.predicted = self.label_studio.add_task()
        self.label_studio.predict(self.predicted, chosen("cat"), "al-0001-aaaa")
        self.drafted = self.label_studio.add_task()
        self.draft = self.label_studio.draft(self.drafted, chosen("cat"))
        self.ledgers = FakeLedgers()
        self.parts = parts_in(folder, self.label_studio, ledgers=self.ledgers, **parts)
        self.cases = use_cases(self.parts)
        self.runs = 0

    def publish(self, labels=THREE):
        def write(folder):
            control_folder(folder, CONTROL).mkdir()

        card = a_version(project=1, labels={CONTROL: labels})
        made = self.parts.versions.publish(PROJECT, lambda name: card, write)
        self.parts.versions.activate(PROJECT, made.name)
        return made

    def run(self, edit, progress=quiet):
        """Run the job of an operation; returns its report."""
        self.runs += 1
        request = JobRequest(PROJECT, Mode.RELABELING, edit=edit)
        job = a_job(f"job-{self.runs}", JobState.RUNNING, 1, request=request)
        return report_json(job, self.cases.work(Mode.RELABELING)(job, FakeSteps(progress)))

    def restore(self, name="job-1"):
        return self.run(LabelEdit(LabelChange.RESTORE, backup=name))

    def plan(self, edit):
        return self.cases.label_planner.plan(PROJECT, edit, lambda done: None)

    def labels_of(self, task):
        rows = self.label_studio.contents[task]
        results = [one["result"] for one in (*rows["annotations"], *rows["predictions"])]
        return [
            label for result in results for part in result for label in part["value"]["choices"]
        ]

    @property
    def config_labels(self):
        return label_config_edit.labels(self.label_studio.label_config)["c"]

    def results(self):
        """Everything that people and models said, without who changed it last."""
        contents = copy.deepcopy(self.label_studio.contents)
        for content in contents.values():
            for one in content["annotations"]:
                del one["updated_at"], one["updated_by"]
        return contents, copy.deepcopy(self.label_studio.unsaved), self.label_studio.label_config


@pytest.fixture
def scene(tmp_path):
    return Scene(tmp_path)


class TestRename:
    def test_config_annotations_skips_drafts_and_predictions_change(self, scene):
        report = scene.run(RENAME)

        assert scene.config_labels == ("Cat", "dog", "bird")
        assert scene.labels_of(scene.cat) == scene.labels_of(scene.skipped) == ["Cat"]
        assert scene.labels_of(scene.predicted) == ["Cat"]
        assert scene.labels_of(scene.dog) == ["dog"]
        assert scene.label_studio.unsaved[scene.draft]["result"] == chosen("Cat")
        assert report["labels_changed"] == {"annotations": 2, "predictions": 1, "drafts": 1}
        assert report["reason"] == "changed 2 annotations, 1 drafts, 1 predictions"

    def test_all_other_fields_of_an_annotation_stay(self, scene):
        before = copy.deepcopy(scene.label_studio.contents[scene.cat]["annotations"][0])
        scene.run(RENAME)
        after = scene.label_studio.contents[scene.cat]["annotations"][0]
        assert {**after, "result": None} == {
            **before,
            "result": None,
            "updated_by": 1,
            "updated_at": after["updated_at"],
        }

    def test_the_config_has_both_labels_while_annotations_change_over(self, scene):
        scene.run(RENAME)
        first, last = scene.label_studio.configs
        assert label_config_edit.labels(first)["c"] == ("cat", "Cat", "dog", "bird")
        assert label_config_edit.labels(last)["c"] == ("Cat", "dog", "bird")

    def test_the_new_label_keeps_everything_else_of_the_old_ones_tag(self, scene):
        label_studio, old = scene.label_studio, '<Choice value="cat"/>'
        tag = '<Choice value="cat" background="red" hotkey="q"><Header value="!"/></Choice>'
        label_studio.label_config = label_studio.label_config.replace(old, tag)
        before = label_studio.label_config
        scene.run(RENAME)
        assert label_studio.label_config == before.replace('"cat"', '"Cat"')

    def test_a_label_that_a_person_adds_meanwhile_stays(self, scene):
        def add(number):
            if number == 1:
                now = scene.label_studio.label_config
                fox = '<Choice value="dog"/><Choice value="fox"/>'
                scene.label_studio.label_config = now.replace('<Choice value="dog"/>', fox)

        scene.label_studio.before_change = add
        scene.run(RENAME)
        assert scene.config_labels == ("Cat", "dog", "fox", "bird")

    def test_our_changes_do_not_count_as_new_annotations(self, scene):
        scene.run(RENAME)
        scene.parts.changes.changed(PROJECT, 2)  # the events of the webhook
        assert scene.parts.changes.read(PROJECT).count == 0

    def test_a_spelling_that_the_config_lacks_is_corrected(self, scene):
        task = scene.label_studio.add_task(chosen("Kat"))
        scene.run(LabelEdit(LabelChange.RENAME, (Label("Kat"),), CAT))
        assert scene.labels_of(task) == ["cat"]
        assert scene.label_studio.configs == []

    def test_labels_given_meanwhile_change_too(self, scene):
        def label_more(number):
            if number == 1:
                scene.late = scene.label_studio.add_task(chosen("cat"))

        scene.label_studio.before_change = label_more
        scene.run(RENAME)
        assert scene.labels_of(scene.late) == ["Cat"]

    def test_what_people_save_meanwhile_is_neither_lost_nor_forgotten_by_the_backup(self, scene):
        contents = scene.label_studio.contents
        dog = scene.label_studio.add_task(chosen("cat"))
        gone = scene.label_studio.add_task(chosen("cat"))

        def save(number):
            if number == 1:
                contents[scene.skipped]["annotations"][0]["result"] = chosen("cat", "bird")
                contents[dog]["annotations"][0]["result"] = chosen("dog")
                contents[gone]["annotations"].clear()

        scene.label_studio.before_change = save
        scene.run(RENAME)
        assert scene.labels_of(scene.skipped) == ["Cat", "bird"]
        assert scene.labels_of(dog) == ["dog"]
        scene.restore()
        assert scene.labels_of(scene.skipped) == ["cat", "bird"]
        assert scene.labels_of(dog) == ["dog"]

    def test_predictions_that_wait_for_their_deletion_are_neither_changed_nor_counted(self, scene):
        shown, old = scene.publish().name, "al-0000-aaaa"
        for version in (old, shown, "of a colleague"):
            scene.label_studio.predict(scene.drafted, chosen("cat"), version)
        scene.label_studio.predict(scene.cat, chosen("cat"), old)

        planned = scene.plan(RENAME)
        report = scene.run(RENAME)

        left = scene.label_studio.contents[scene.drafted]["predictions"]
        assert [one["result"] for one in left] == [chosen("cat"), chosen("Cat"), chosen("Cat")]
        assert scene.labels_of(scene.cat) == ["Cat", "cat"]
        assert scene.labels_of(scene.predicted) == ["Cat"]  # it has no other
        assert report["labels_changed"]["predictions"] == planned.predictions == 3

    def test_what_label_studio_does_not_find_by_the_label_is_changed_all_the_same(
        self, scene, monkeypatch
    ):
        everything = scene.label_studio.task_results
        monkeypatch.setattr(
            scene.label_studio,
            "task_results",
            lambda project, labels=(): iter(()) if labels else everything(project),
        )
        scene.run(RENAME)
        assert scene.labels_of(scene.cat) == ["Cat"]
        assert scene.labels_of(scene.predicted) == ["Cat"]

    def test_the_drafts_are_counted_anew_where_some_changed(self, scene):
        scene.run(RENAME)
        assert scene.label_studio.recounts == 1
        scene.run(LabelEdit(LabelChange.RENAME, (DOG,), Label("Dog")))
        assert scene.label_studio.recounts == 1


class TestMergeAndDelete:
    def test_a_merge_turns_all_into_one(self, scene):
        scene.run(MERGE)
        assert scene.config_labels == ("pet", "bird")
        assert scene.labels_of(scene.cat) == scene.labels_of(scene.dog) == ["pet"]

    def test_a_deletion_removes_the_label_and_keeps_the_images(self, scene):
        scene.run(DELETE)
        assert scene.config_labels == ("dog", "bird")
        assert scene.labels_of(scene.cat) == scene.labels_of(scene.predicted) == []
        assert len(scene.label_studio.contents) == 5

    def test_images_that_have_no_other_label_are_deleted_if_asked(self, scene):
        both = scene.label_studio.add_task(chosen("cat"), chosen("dog"))
        report = scene.run(WITH_IMAGES)
        assert set(scene.label_studio.contents) == {
            scene.dog,
            scene.predicted,
            scene.drafted,
            both,
        }
        assert scene.labels_of(both) == ["dog"]
        assert report["reason"].endswith("deleted 2 tasks")


class TestFiles:
    @pytest.fixture
    def scene(self, tmp_path):
        self.served = tmp_path / "served"
        (self.served / "cats").mkdir(parents=True)
        (self.served / "dogs").mkdir()
        files = LocalSourceFiles("http://label-studio.test", (), self.served, self.served / "cats")
        return Scene(tmp_path / "data", source_files=files)

    def add(self, scene, name, label="cat"):
        path = self.served / name
        path.write_bytes(name.encode())
        scene.label_studio.add_task(chosen(label), image=f"/data/local-files/?d={name}")
        return path

    def test_only_files_of_deleted_images_below_the_root_are_deleted(self, scene):
        gone, kept = self.add(scene, "cats/1.png"), self.add(scene, "cats/2.png", "dog")
        outside = self.add(scene, "dogs/3.png")
        scene.run(WITH_FILES)
        assert (gone.exists(), kept.exists(), outside.exists()) == (False, True, True)

    def test_the_list_is_shown_before(self, scene):
        inside = self.add(scene, "cats/1.png")
        self.add(scene, "dogs/3.png")
        plan = scene.plan(WITH_FILES)
        assert plan.files == (inside.resolve(),)
        assert plan.files_kept == 3  # two uploads, and the one outside
        assert inside.exists()

    def test_without_the_second_flag_files_stay(self, scene):
        path = self.add(scene, "cats/1.png")
        scene.run(WITH_IMAGES)
        assert path.exists()

    def test_a_file_that_another_task_shows_stays(self, scene):
        path = self.add(scene, "cats/1.png")
        self.add(scene, "cats/1.png", "dog")
        scene.run(WITH_FILES)
        assert path.exists()

    def test_a_link_out_of_the_root_is_not_followed(self, scene):
        outside = self.add(scene, "dogs/3.png", "dog")
        (self.served / "cats" / "link.png").symlink_to(outside)
        scene.label_studio.add_task(chosen("cat"), image="/data/local-files/?d=cats/link.png")
        scene.run(WITH_FILES)
        assert outside.exists()

    def test_files_and_tasks_come_back(self, scene):
        path = self.add(scene, "cats/1.png")
        scene.run(WITH_FILES)
        report = scene.restore()
        assert path.read_bytes() == b"cats/1.png"
        back = [one["data"]["image"] for one in scene.label_studio.contents.values()]
        assert "/data/local-files/?d=cats/1.png" in back
        assert "brought back 3 tasks" in report["reason"]

    def test_no_file_may_be_deleted_without_the_setting(self, scene):
        nowhere = LocalSourceFiles("http://label-studio.test", (), self.served)
        assert nowhere.find("/data/local-files/?d=cats/1.png") is None
        anywhere = LocalSourceFiles("http://label-studio.test", (), self.served, self.served)
        assert anywhere.find("/data/upload/1/1.png") is None
        assert anywhere.find("not an address") is None


class TestVersions:
    def test_the_current_version_gets_a_successor_that_answers_in_the_new_labels(self, scene):
        old = scene.publish()
        scene.run(RENAME)
        new = scene.parts.versions.current(PROJECT)
        assert (new.parent, new.labels[CONTROL]) == (old.name, ("Cat", "dog", "bird"))
        assert new.renamed[CONTROL] == {"cat": "Cat", "dog": "dog", "bird": "bird"}
        assert scene.parts.versions.get(PROJECT, old.name) == old

    def test_stored_predictions_change_over(self, scene):
        old, ref = scene.publish(), ImageRef(TaskId(4), "x")
        stored = {"model_version": old.name, "score": 0.5, "result": chosen("cat")}
        scene.parts.stored.put(PROJECT, old.name, {ref: stored})
        scene.run(RENAME)
        new = scene.parts.versions.current(PROJECT)
        assert scene.parts.stored.get(PROJECT, new.name, [ref])[ref] == {
            "model_version": new.name,
            "score": 0.5,
            "result": chosen("Cat"),
        }

    def test_a_version_without_the_label_stays_the_current_one(self, scene):
        old = scene.publish(labels=(DOG, Label("bird")))
        scene.run(RENAME)
        assert scene.parts.versions.current(PROJECT) == old

    def test_a_restore_makes_the_former_version_the_current_one(self, scene):
        old = scene.publish()
        scene.run(RENAME)
        scene.restore()
        assert scene.parts.versions.current(PROJECT) == old

    def test_a_restore_leaves_a_version_that_was_trained_since(self, scene):
        scene.publish()
        scene.run(RENAME)
        newer = scene.publish((Label("Cat"), DOG, Label("bird")))
        scene.restore()
        assert scene.parts.versions.current(PROJECT) == newer

    def test_a_restore_goes_without_a_former_version_that_was_deleted(self, scene):
        old = scene.publish()
        scene.run(RENAME)
        new = scene.parts.versions.current(PROJECT)
        folder = scene.parts.versions.folder(PROJECT, old.name, CONTROL).parent
        folder.rename(folder.with_name("gone"))
        scene.parts.versions._cards.clear()
        scene.restore()
        assert scene.parts.versions.current(PROJECT) == new


class TestRestore:
    @pytest.mark.parametrize("edit", [RENAME, MERGE, DELETE])
    def test_everything_comes_back_exactly(self, scene, edit):
        before = scene.results()
        scene.run(edit)
        assert scene.results() != before
        scene.restore()
        assert scene.results() == before

    def test_deleted_tasks_come_back_under_new_numbers(self, scene):
        scene.run(WITH_IMAGES)
        scene.restore()
        scene.restore()
        labels = sorted(scene.labels_of(task) for task in scene.label_studio.contents)
        assert labels == [[], ["cat"], ["cat"], ["cat"], ["dog"]]

    def test_deleted_tasks_come_back_with_predictions_and_without_markers(self, scene):
        contents = scene.label_studio.contents
        for task in contents:
            for name in ("al-0001-3f9c", "list-0a1b2c-0001-00", "group-001"):
                scene.label_studio.predict(task, [], name)
        before = set(contents)
        scene.run(WITH_IMAGES)
        scene.restore()
        back = [content for task, content in contents.items() if task not in before]
        names = [{one["model_version"] for one in content["predictions"]} for content in back]
        assert names
        assert all(found == {"al-0001-3f9c"} for found in names)

    def test_tasks_come_back_once_though_the_restore_breaks_off_after_their_import(self, scene):
        scene.run(WITH_IMAGES)
        importing = scene.label_studio.import_tasks

        def die_afterwards(project, contents):
            importing(project, contents)
            raise LabelStudioUnreachable("away")

        scene.label_studio.import_tasks = die_afterwards
        with pytest.raises(LabelStudioUnreachable):
            scene.restore()
        scene.label_studio.import_tasks = importing
        scene.restore()
        labels = sorted(scene.labels_of(task) for task in scene.label_studio.contents)
        assert labels == [[], ["cat"], ["cat"], ["cat"], ["dog"]]

    def test_what_people_changed_since_stays_and_is_listed(self, scene):
        scene.run(RENAME)
        label_studio = scene.label_studio
        label_studio.contents[scene.cat]["annotations"][0]["result"] = chosen("bird")
        label_studio.contents[scene.skipped]["annotations"][0]["result"] = chosen("Cat", "bird")
        report = scene.restore()
        assert scene.labels_of(scene.cat) == ["bird"]
        assert scene.labels_of(scene.skipped) == ["Cat", "bird"]
        assert scene.labels_of(scene.predicted) == ["cat"]
        left = [{"task": task, "what": "annotations"} for task in (scene.cat, scene.skipped)]
        assert report["left"] == left
        assert "left 2 results as people changed them since (tasks 1, 5)" in report["reason"]

    def test_many_that_people_changed_are_named_by_the_first(self, scene):
        tasks = [scene.label_studio.add_task(chosen("cat")) for _ in range(11)]
        scene.run(RENAME)
        for task in tasks:
            scene.label_studio.contents[task]["annotations"][0]["result"] = chosen("dog")
        assert scene.restore()["reason"].endswith(", …)")

    def test_a_new_label_that_is_in_use_stays_in_the_config(self, scene):
        scene.run(RENAME)
        scene.label_studio.add_task(chosen("Cat"))
        report = scene.restore()
        assert scene.config_labels == ("cat", "Cat", "dog", "bird")
        assert report["remarks"] == ["'Cat' stays in the labeling config: it is in use"]

    @pytest.mark.parametrize("edit", [RENAME, MERGE, DELETE])
    def test_a_config_that_was_changed_since_only_gets_its_labels_back(self, scene, edit):
        scene.run(edit)
        label_studio = scene.label_studio
        fox = '<Choice value="bird"/><Choice value="fox &amp; &lt;owl&gt;"/>'
        label_studio.label_config = label_studio.label_config.replace('<Choice value="bird"/>', fox)
        report = scene.restore()
        assert {CAT, DOG, "bird", "fox & <owl>"} <= {*scene.config_labels}
        assert scene.labels_of(scene.cat) == ["cat"]
        assert "was changed since" in report["remarks"][0]

    def test_an_annotation_that_was_deleted_since_stays_deleted(self, scene):
        scene.run(RENAME)
        scene.label_studio.contents[scene.cat]["annotations"].clear()
        assert scene.restore()["left"] == []
        assert scene.labels_of(scene.cat) == []

    def test_only_the_projects_own_backups_are_restored(self, scene):
        with pytest.raises(NotFound):
            scene.restore("job-9")
        scene.parts.backups.append(PROJECT, "job-8", [{"what": "nonsense"}])
        with pytest.raises(BadInput, match="no backup"):
            scene.restore("job-8")

    def test_it_tells_what_would_come_back(self, scene):
        scene.run(WITH_IMAGES)
        plan = scene.plan(LabelEdit(LabelChange.RESTORE, backup="job-1"))
        assert (plan.annotations, plan.predictions, len(plan.tasks)) == (0, 1, 2)


class TestBrokenOff:
    @pytest.mark.parametrize("edit", [RENAME, MERGE, DELETE])
    @pytest.mark.parametrize("change", range(1, 5))
    def test_the_same_operation_goes_on_and_can_be_taken_back(self, scene, edit, change):
        def die(number):
            if number == change:
                raise LabelStudioUnreachable("away")

        before = scene.results()
        scene.label_studio.before_change = die
        with pytest.raises(LabelStudioUnreachable):
            scene.run(edit)
        scene.label_studio.before_change = lambda number: None
        assert scene.plan(edit).continues == "job-1"
        scene.run(edit)
        assert CAT not in scene.config_labels
        used = scene.cases.label_planner.used(PROJECT, lambda done: None)
        assert CAT not in [one.label for one in used]
        scene.restore()
        assert scene.results() == before

    def test_a_stop_leaves_it_to_be_finished(self, scene):
        def stop(*_):
            if scene.labels_of(scene.cat) == ["Cat"]:
                raise Stopped

        with pytest.raises(Stopped):
            scene.run(RENAME, stop)
        scene.run(RENAME)
        assert scene.config_labels == ("Cat", "dog", "bird")

    def test_another_operation_waits_for_it(self, scene):
        self.break_off(scene)
        with pytest.raises(BadInput, match="rename 'cat' to 'Cat'"):
            scene.run(DELETE)

    def test_it_can_be_taken_back_instead(self, scene):
        before = scene.results()
        self.break_off(scene)
        scene.restore()
        assert scene.results() == before
        scene.run(DELETE)

    def test_the_successor_of_a_version_is_published_once(self, scene):
        scene.publish()
        activate = scene.parts.versions.activate

        def fail(*_):
            raise LabelStudioUnreachable("away")

        scene.parts.versions.activate = fail
        with pytest.raises(LabelStudioUnreachable):
            scene.run(RENAME)
        scene.parts.versions.activate = activate
        scene.run(RENAME)
        assert len(scene.parts.versions.all(PROJECT)) == 2

    def test_a_line_that_was_cut_off_is_ignored(self, scene):
        self.break_off(scene)
        path = scene.parts.backups.path(PROJECT, "job-1")
        path.write_bytes(path.read_bytes() + b'{"what": "annot')
        scene.run(RENAME)
        scene.restore()
        assert scene.labels_of(scene.cat) == ["cat"]

    def break_off(self, scene):
        def die(number):
            if number == 2:
                raise LabelStudioUnreachable("away")

        scene.label_studio.before_change = die
        with pytest.raises(LabelStudioUnreachable):
            scene.run(RENAME)
        scene.label_studio.before_change = lambda number: None


class TestWithOthers:
    def test_an_open_audit_refuses_it(self, scene):
        audit = OpenAudit(AuditId(1), VersionName("al-0001-aaaa"), frozenset({TaskId(1)}), "label")
        scene.ledgers.save(PROJECT, Ledger(open_audit=audit))
        with pytest.raises(Refused, match="audit 1 is open"):
            scene.run(RENAME)
        with pytest.raises(Refused, match="audit 1 is open"):
            scene.plan(RENAME)

    def test_labels_of_a_model_do_not_become_a_persons(self, scene):
        label_studio = scene.label_studio
        task = label_studio.add_task(chosen("cat"), lead_time=None)
        annotation = label_studio.contents[task]["annotations"][0]["id"]
        accepted = Acceptance(VersionName("al-0001-aaaa"), (TaskId(task),), (annotation,))
        scene.ledgers.save(PROJECT, Ledger(acceptances={JobId("job-0"): accepted}))
        scene.run(RENAME)
        assert set(scene.ledgers.load(PROJECT).relabeled) == {annotation}
        scene.run(LabelEdit(LabelChange.RENAME, (Label("Cat"),), PET))
        scene.restore("job-2")
        row = label_studio.contents[task]["annotations"][0]
        assert scene.ledgers.load(PROJECT).relabeled == {annotation: row["updated_at"]}

    def test_the_labels_are_listed_with_those_that_the_config_lacks(self, scene):
        scene.label_studio.add_task(chosen("Kat"))
        used = scene.cases.label_planner.used(PROJECT, lambda done: None)
        assert used == [
            LabelUse(CAT, ("c",), 2, 1, 1),
            LabelUse(DOG, ("c",), 1),
            LabelUse(Label("bird"), ("c",)),
            LabelUse(Label("Kat"), (), 1),
        ]

    def test_a_job_needs_an_operation(self):
        with pytest.raises(BadInput, match="needs an operation"):
            JobRequest(PROJECT, Mode.RELABELING)
        with pytest.raises(BadInput, match="only a relabeling"):
            JobRequest(PROJECT, edit=RENAME)


class TestApplication:
    @pytest.fixture
    def app(self, scene):
        return application(scene.parts)

    def test_an_operation_is_queued_once(self, app):
        job = app.relabel(PROJECT, RENAME)
        assert (job.request.mode, job.request.edit) == (Mode.RELABELING, RENAME)
        assert app.relabel(PROJECT, RENAME) == job
        with pytest.raises(Refused, match="no labels can be changed"):
            app.relabel(PROJECT, DELETE)

    def test_what_cannot_be_done_is_not_queued(self, app):
        with pytest.raises(BadInput):
            app.relabel(PROJECT, LabelEdit(LabelChange.RENAME, (CAT,), DOG))
        with pytest.raises(NotFound):
            app.relabel(PROJECT, LabelEdit(LabelChange.RESTORE, backup="job-9"))
        assert app.jobs.live(PROJECT) is None

    def test_it_tells_before_what_would_change(self, app, scene):
        scene.publish()
        plan = app.plan_labels(PROJECT, RENAME)
        assert (plan.annotations, plan.drafts, plan.predictions) == (2, 1, 1)
        assert plan.version == scene.parts.versions.current(PROJECT).name
        assert [one.label for one in app.label_uses(PROJECT)] == ["cat", "dog", "bird"]

    def test_a_backup_may_lie_elsewhere(self, app, scene, tmp_path):
        scene.run(RENAME)
        own = scene.parts.backups.path(PROJECT, "job-1")
        moved = own.rename(tmp_path / own.name)
        assert app.adopt_backup(PROJECT, moved).backup == "job-1"
        assert own.read_bytes() == moved.read_bytes()
        assert app.adopt_backup(PROJECT, own).backup == "job-1"
        with pytest.raises(NotFound):
            app.adopt_backup(PROJECT, tmp_path / "job-2.jsonl")
