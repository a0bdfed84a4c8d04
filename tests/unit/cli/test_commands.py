"""Parsing, output and exit status of the commands, run in this process on a fake backend."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from backend.cli.commands import app
from backend.domain.errors import LabelStudioUnreachable, Reason, ReasonCode
from backend.domain.ids import ControlName, JobId, Label, ProjectId, TaskId, VersionName
from backend.domain.jobs import Algorithm, JobState, Mode
from backend.domain.label_edits import LabelChange, LabelEdit, LabelEditPlan
from backend.domain.projects import LabelCount
from backend.presentation import label_views
from backend.stores.audits import AuditFiles
from tests.fakes.audited_projects import a_certificate
from tests.fakes.backend import FakeBackend
from tests.fakes.domain import a_job, a_project, a_version
from tests.fakes.label_studio import FakeProjects
from tests.fakes.versions import FakeVersions

SHORT = Reason(ReasonCode.TOO_FEW_IMAGES, "class 'dog' has 3 of 5 images", hint="Label 2 more")
EMPTY = Reason(ReasonCode.NO_UNLABELED_IMAGES, "no unlabeled image left", hint="Import more")
CAT, DOG, PET = Label("cat"), Label("dog"), Label("pet")
OLD, NEW = VersionName("al-0001-3f9c"), VersionName("al-0002-77aa")


@pytest.fixture
def backend() -> FakeBackend:
    """One project, number 2, with two versions of which the older is in use."""
    project = a_project()
    return FakeBackend(
        label_studio=FakeProjects({project.id: project}),
        versions=FakeVersions([a_version(NEW), a_version(OLD)], {project.id: OLD}),
    )


@pytest.fixture
def run(backend):
    def run(*arguments):
        return CliRunner(env={"COLUMNS": "200"}).invoke(app, list(map(str, arguments)), obj=backend)

    return run


def test_without_a_command_the_commands_are_listed(run):
    done = run()
    assert done.exit_code == 2
    assert "install-action" in done.output


class TestLabel:
    def test_without_options_starts_fast_active_learning_without_accepting(self, run, backend):
        done = run("label", 2, "--no-wait")
        assert done.exit_code == 0
        assert done.stdout == "Job job-1 queued\n"
        (asked,) = backend.started
        assert (asked.project, asked.mode, asked.algorithm) == (2, Mode.ACTIVE_LEARNING, "fast")
        assert not asked.accept

    def test_every_option_reaches_the_job(self, run, backend):
        options = ("--mode", "active-learning", "--algorithm", "precise", "--accept")
        numbers = ("--max-error", "0.02", "--confidence", "0.99", "--labels-are-random")
        assert run("label", 2, *options, *numbers, "--no-wait").exit_code == 0
        (asked,) = backend.started
        assert asked.algorithm is Algorithm.PRECISE
        assert not asked.skipped
        assert (asked.accept, asked.labels_are_random) == (True, True)
        assert (asked.max_error, asked.confidence) == (0.02, 0.99)

    def test_what_is_not_complete_is_predicted_on_request(self, run, backend):
        assert run("label", 2, "--accept", "--partial", "--no-wait").exit_code == 0
        assert run("label", 2, "--skipped", "--no-wait").exit_code == 0
        assert [(one.partial, one.skipped) for one in backend.started] == [
            (True, False),
            (False, True),
        ]

    def test_a_version_is_named_for_pre_labeling(self, run, backend):
        done = run("label", 2, "--mode", "pre-labeling", "--model", NEW, "--no-wait", "--json")
        assert json.loads(done.stdout)["mode"] == "pre-labeling"
        assert backend.started[0].model_version == NEW

    def test_a_running_job_is_joined(self, run, backend):
        backend.jobs.jobs["a"] = a_job("a")
        assert "Joined job a" in run("label", 2, "--no-wait").stdout
        assert "Joined" not in run("label", 2, "--no-wait", "--json").stdout

    @pytest.mark.parametrize(
        ("state", "status"), [(JobState.FINISHED, 0), (JobState.FAILED, 1), (JobState.STOPPED, 1)]
    )
    def test_the_exit_status_is_the_outcome_of_the_job(self, run, backend, state, status):
        def ended(request):
            return a_job("a", state, reason="the disk is full"), True

        backend.jobs.submit = ended
        done = run("label", 2)
        assert done.exit_code == status
        assert f"Job a {state.value}: the disk is full" in done.stdout

    def test_a_refusal_lists_every_reason_and_exits_with_3(self, run, backend):
        backend.reasons = (SHORT, EMPTY)
        done = run("label", 2)
        assert done.exit_code == 3
        assert done.stdout == ""
        assert done.stderr == (
            "The job was not started:\n"
            "  - class 'dog' has 3 of 5 images. Label 2 more.\n"
            "  - no unlabeled image left. Import more.\n"
        )

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            (("--mode", "pre-labeling"), "pre-labeling needs a model_version"),
            (("--mode", "sometimes"), "sometimes"),
            (("--max-error", "2"), "max_error"),
            (("--confidence", "0.4"), "confidence"),
        ],
    )
    def test_an_option_that_does_not_fit_is_named(self, run, backend, options, words):
        done = run("label", 2, *options)
        assert done.exit_code == 2
        assert words in done.stderr
        assert backend.started == []


class TestSelections:
    @pytest.mark.parametrize(
        ("command", "option", "mode"),
        [("group", "groups", Mode.GROUPING), ("suggest", "count", Mode.SUGGESTING)],
    )
    def test_the_number_reaches_the_job(self, run, backend, command, option, mode):
        assert run(command, 2, f"--{option}", 7, "--no-wait").exit_code == 0
        (asked,) = backend.started
        assert (asked.mode, getattr(asked, option)) == (mode, 7)

    @pytest.mark.parametrize(
        ("command", "option", "number"),
        [("group", "--groups", 1), ("group", "--groups", 201), ("suggest", "--count", 0)],
    )
    def test_a_number_out_of_range_is_a_usage_error(self, run, backend, command, option, number):
        done = run(command, 2, option, number)
        assert done.exit_code == 2
        assert option in done.stderr
        assert backend.started == []


class TestReading:
    def test_status_in_json_has_the_last_jobs(self, run, backend):
        backend.jobs.jobs["a"] = a_job("a", JobState.FINISHED)
        status = json.loads(run("status", 2, "--json").stdout)
        assert (status["ready"], status["version"]) == (True, OLD)
        assert [job["id"] for job in status["jobs"]] == ["a"]

    def test_status_in_words_has_verdict_version_and_jobs(self, run, backend):
        backend.reasons = (SHORT,)
        backend.jobs.jobs["a"] = a_job("a", JobState.FINISHED)
        words = run("status", 2).stdout
        assert "Not ready yet: 0 labeled, 100 unlabeled images." in words
        assert "Label 2 more." in words
        assert f"Current version: {OLD}" in words
        assert "finished" in words

    def test_jobs_are_those_of_a_project_or_of_all(self, run, backend):
        backend.jobs.jobs |= {"a": a_job("a"), "b": a_job("b", project=3)}
        assert [job["id"] for job in json.loads(run("jobs", "--json").stdout)["jobs"]] == ["b", "a"]
        assert [job["id"] for job in json.loads(run("jobs", 2, "--json").stdout)["jobs"]] == ["a"]

    def test_without_jobs_or_versions_the_first_step_is_named(self, run, backend):
        backend.versions.cards.clear()
        backend.versions.active.clear()
        for command in ("jobs", "models"):
            assert "autolabel label PROJECT" in run(command, 2).stdout

    def test_models_mark_the_current_version(self, run):
        cards = json.loads(run("models", 2, "--json").stdout)["versions"]
        assert [(card["name"], card["current"]) for card in cards] == [(NEW, False), (OLD, True)]
        assert f"* {OLD}" in " ".join(run("models", 2).stdout.split())


class TestActing:
    def test_activate_makes_a_version_the_current_one(self, run, backend):
        assert run("activate", 2, NEW).exit_code == 0
        assert backend.version(ProjectId(2)) == NEW

    def test_stop_prints_the_job(self, run, backend):
        backend.jobs.jobs["a"] = a_job("a")
        assert json.loads(run("stop", "a", "--json").stdout)["state"] == "stopping"

    def test_undo_queues_a_job_once(self, run, backend):
        backend.jobs.jobs["a"] = a_job("a", JobState.FINISHED)
        backend.acceptances["a"] = 12
        undoing = json.loads(run("undo", "a", "--no-wait", "--json").stdout)
        assert (undoing["mode"], undoing["state"]) == ("undo", "queued")
        assert "queued" in run("undo", "a", "--no-wait").stdout
        assert len(backend.jobs.jobs) == 2

    def test_undo_of_a_job_that_accepted_nothing_exits_with_2(self, run, backend):
        backend.jobs.jobs["a"] = a_job("a", JobState.FINISHED)
        assert run("undo", "a").exit_code == 2

    def test_verify_says_whether_a_certificate_holds(self, run, tmp_path):
        file = a_certificate()
        AuditFiles(tmp_path).certify(ProjectId(1), JobId("a"), file)
        AuditFiles(tmp_path).certify(ProjectId(1), JobId("b"), replace(file, accepted=()))
        folder = tmp_path / "projects" / "1" / "jobs"
        good, forged, missing = (
            run("verify", folder / job / "certificate.json") for job in ("a", "b", "c")
        )
        assert (good.exit_code, forged.exit_code, missing.exit_code) == (0, 1, 2)
        assert file.certificate.sentence[:60] in " ".join(good.stdout.split())
        assert "The certificate does not hold" in forged.stderr

    def test_undo_of_a_live_job_is_refused(self, run, backend):
        backend.jobs.jobs["a"] = a_job("a")
        refused = run("undo", "a")
        assert refused.exit_code == 3
        assert "job a is running" in refused.stderr


class TestErrors:
    @pytest.mark.parametrize(
        ("command", "words"),
        [
            (("status", 9), "no project 9"),
            (("label", 9), "no project 9"),
            (("activate", 2, "al-9999-ffff"), "al-9999-ffff"),
            (("stop", "none"), "no job none"),
            (("label", "x"), "valid integer"),
            (("label", 0), "greater than or equal to 1|in the range x>=1"),  # by Typer's version
        ],
    )
    def test_what_is_not_there_exits_with_2(self, run, command, words):
        done = run(*command)
        assert done.exit_code == 2
        assert re.search(words, done.stderr)
        assert done.stdout == ""

    def test_a_server_that_is_down_exits_with_1_and_the_hint(self, run, backend):
        backend.failure = LabelStudioUnreachable("Label Studio does not answer", "Start it")
        done = run("status", 2)
        assert done.exit_code == 1
        assert done.stderr == "Failed: Label Studio does not answer. Start it\n"

    def test_a_setting_with_a_typo_is_named(self):
        done = CliRunner(env={"AUTOLABEL_DATADIR": "/tmp"}).invoke(app, ["jobs"])
        assert done.exit_code == 2
        assert "Did you mean AUTOLABEL_DATA_DIR?" in done.stderr

    def test_a_bug_is_not_hidden(self, run, backend):
        backend.failure = RuntimeError("a bug")
        assert isinstance(run("status", 2).exception, RuntimeError)


class TestLabels:
    def test_list_shows_how_often_each_is_used(self, run, backend):
        backend.counts = (LabelCount(ControlName("c"), Label("cat"), 12),)
        assert json.loads(run("labels", 2, "list", "--json").stdout)["labels"] == [
            {"label": "cat", "controls": ["c"], "annotations": 12, "drafts": 0, "predictions": 0}
        ]
        assert "cat" in run("labels", 2, "list").stdout

    @pytest.mark.parametrize(
        ("arguments", "edit"),
        [
            (("rename", "cat", "Cat"), LabelEdit(LabelChange.RENAME, (CAT,), Label("Cat"))),
            (("merge", "cat", "dog", "pet"), LabelEdit(LabelChange.MERGE, (CAT, DOG), PET)),
            (("delete", "cat"), LabelEdit(LabelChange.DELETE, (CAT,))),
            (
                ("delete", "cat", "--with-images", "--delete-files"),
                LabelEdit(LabelChange.DELETE, (CAT,), with_images=True, delete_files=True),
            ),
        ],
    )
    def test_an_operation_is_a_job(self, run, backend, arguments, edit):
        done = run("labels", 2, *arguments, "--yes", "--no-wait", "--json")
        assert done.exit_code == 0, done.output
        assert json.loads(done.stdout)["mode"] == "relabeling"
        assert backend.jobs.live(2).request.edit == edit

    def test_nothing_happens_before_it_was_shown_and_confirmed(self, run, backend):
        backend.counts = (LabelCount(ControlName("c"), Label("cat"), 12),)
        asked = run("labels", 2, "rename", "cat", "Cat")  # no answer on standard input
        assert asked.exit_code != 0
        assert "rename 'cat' to 'Cat'" in asked.stdout
        assert "12 annotations" in asked.stdout
        assert backend.jobs.live(2) is None

    def test_a_backup_is_restored(self, run, backend, tmp_path):
        (tmp_path / "job-1.jsonl").write_text("")
        assert run("labels", 2, "restore", tmp_path / "job-1.jsonl", "--yes", "--no-wait")
        assert backend.jobs.live(2).request.edit.backup == "job-1"
        assert run("labels", 2, "restore", tmp_path / "other", "--yes").exit_code == 2

    def test_contradictions_are_usage_errors(self, run, backend):
        assert run("labels", 2, "rename", "cat", "cat", "--yes").exit_code == 2
        assert run("labels", 2, "delete", "cat", "--delete-files", "--yes").exit_code == 2
        assert backend.jobs.live(2) is None

    def test_all_that_would_change_is_listed(self):
        edit = LabelEdit(LabelChange.DELETE, (CAT,), with_images=True, delete_files=True)
        plan = LabelEditPlan(
            edit, 1, 2, 3, tuple(range(1, 13)), (Path("/data/1.png"),), 4, OLD, "job-1"
        )
        lines = "\n".join(label_views.plan_lines(plan))
        for words in (
            "goes on with the backup job-1",
            "1 annotations, 2 drafts and 3 predictions",
            "version al-0001-3f9c gets a successor",
            "12 tasks are deleted: 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 2 more",
            "1 files are deleted",
            "/data/1.png",
            "4 files are not deleted",
        ):
            assert words in lines
        restored = LabelEditPlan(LabelEdit(LabelChange.RESTORE, backup="b"), tasks=(TaskId(1),))
        assert "1 deleted tasks come back" in "\n".join(label_views.plan_lines(restored))
