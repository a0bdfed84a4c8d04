"""The page: what it says, what its forms do, and what it keeps to itself."""

import json
import re
from dataclasses import replace

import pytest

from backend.domain.errors import BadInput, LabelStudioUnreachable, Reason, ReasonCode
from backend.domain.ids import ControlName, Label, ProjectId, VersionName
from backend.domain.jobs import Algorithm, Decision, JobRequest, JobState, Mode
from backend.domain.projects import LabelCount
from backend.web.app import create_app
from backend.web.console import event_stream
from tests.fakes.domain import NOW, a_job, a_project, a_version

SHORT = Reason(
    ReasonCode.TOO_FEW_IMAGES, "class 'dog' has 3 of 5 images", "dog", 3, 5, "Label 2 more"
)
FORM = {"mode": "active-learning", "algorithm": "fast", "max_error": "5", "confidence": "95"}


def text_of(answer):
    return answer.get_data(as_text=True)


def submit(client, path, **fields):
    """Send a form as the page would: with the token that it shows."""
    page = text_of(client.get("/projects/2"))
    token = re.search(r'name="form_token" value="([^"]+)"', page).group(1)
    return client.post(path, data={**fields, "form_token": token})


def test_links_lead_where_a_browser_finds_label_studio(backend, settings):
    inside = {"label_studio_url": "http://studio.internal:8080"}
    page = create_app(backend, settings.model_copy(update=inside)).test_client().get("/")
    assert 'href="http://studio.internal:8080"' in text_of(page)
    outside = inside | {"label_studio_public_url": "https://label.example"}
    page = create_app(backend, settings.model_copy(update=outside)).test_client().get("/")
    assert 'href="https://label.example"' in text_of(page)
    assert "internal" not in text_of(page)


def test_links_carry_no_login(backend, settings):
    inside = {"label_studio_url": "http://ann:s3cret@studio.example"}
    page = create_app(backend, settings.model_copy(update=inside)).test_client().get("/")
    assert 'href="http://studio.example"' in text_of(page)
    assert "s3cret" not in text_of(page)


class TestOverview:
    def test_without_projects_shows_the_first_step(self, client, backend):
        backend.label_studio.known.clear()
        page = text_of(client.get("/"))
        assert "No project yet" in page
        assert "autolabel connect PROJECT" in page

    def test_names_each_project_with_its_version_and_its_newest_job(self, client, backend):
        backend.jobs.jobs["a"] = a_job("a", progress=0.42, step="embed", detail="4 of 10")
        page = text_of(client.get("/"))
        assert "Pets" in page
        assert "al-0001-3f9c" in page
        assert 'value="42"' in page
        assert "Embedding the data: 4 of 10" in page

    def test_says_what_is_missing_while_label_studio_is_away(self, client, backend, monkeypatch):
        def away():
            raise LabelStudioUnreachable("Label Studio does not answer", "Start it")

        monkeypatch.setattr(backend.label_studio, "projects", away)
        answer = client.get("/")
        assert answer.status_code == 200
        assert "Label Studio does not answer." in text_of(answer)
        assert "No project yet" not in text_of(answer)


class TestNothing:
    @pytest.mark.parametrize(("path", "status"), [("/nothing", 404), ("/webhook", 405)])
    def test_a_person_is_led_back_to_the_projects(self, client, path, status):
        answer = client.get(path, headers={"Accept": "text/html"})
        assert answer.status_code == status
        assert "Go to the list of projects, below." in text_of(answer)
        assert 'href="/"' in text_of(answer)


class TestProject:
    def test_shows_bars_against_the_minimum_and_the_reasons_in_words(self, client, backend):
        backend.reasons = (SHORT,)
        backend.counts = tuple(
            LabelCount(ControlName("c"), Label(name), images)
            for name, images in [("cat", 8), ("dog", 3)]
        )
        page = text_of(client.get("/projects/2"))
        assert "class &#39;dog&#39; has 3 of 5 images. Label 2 more." in page
        assert "3 of 5<span" in page
        assert "Not ready yet: 11 labeled, 100 unlabeled images." in page

    def test_is_shown_without_counts_while_label_studio_is_away(self, client, backend):
        backend.failure = LabelStudioUnreachable("Label Studio does not answer", "Start it")
        page = text_of(client.get("/projects/2"))
        assert "Label Studio does not answer." in page
        assert "al-0001-3f9c" in page

    def test_is_shown_without_jobs_while_redis_is_down(self, client, backend, monkeypatch):
        status = backend.status(ProjectId(2))
        monkeypatch.setattr(backend, "status", lambda _: status)
        backend.jobs.redis_is_up = False
        page = text_of(client.get("/projects/2"))
        assert "Redis does not answer." in page
        assert "Ready to start" in page

    def test_is_shown_with_the_reason_why_its_versions_cannot_be_read(
        self, client, backend, monkeypatch
    ):
        def broken(_):
            raise BadInput("the card of al-0001-3f9c is not readable")

        monkeypatch.setattr(backend.versions, "all", broken)
        answer = client.get("/projects/2")
        assert answer.status_code == 200
        assert "The card of al-0001-3f9c is not readable." in text_of(answer)

    def test_that_is_not_there_is_a_page_for_people_and_json_for_programs(self, client):
        page = client.get("/projects/9", headers={"Accept": "text/html,*/*"})
        assert page.status_code == 404
        assert "Label Studio has no project 9" in text_of(page)
        assert page.mimetype == "text/html"
        assert client.get("/projects/9").mimetype == "application/json"

    def test_reloads_itself_without_scripts_only_while_a_job_runs(self, client, backend):
        assert 'http-equiv="refresh"' not in text_of(client.get("/projects/2"))
        backend.jobs.jobs["a"] = a_job("a")
        assert 'http-equiv="refresh"' in text_of(client.get("/projects/2"))

    def test_names_the_figures_of_each_control_of_a_version(self, client, backend):
        metrics = {"kind": {"accuracy": 0.9, "ece": 0.05}, "parts": {"map50": 0.4}}
        backend.versions.cards[0] = replace(backend.versions.cards[0], metrics=metrics)
        page = text_of(client.get("/projects/2"))
        assert "Accuracy of &#39;kind&#39; 90.0%" in page
        assert "calibration error of &#39;kind&#39; 0.05" in page
        assert "mAP at IoU 0.5 of &#39;parts&#39; 40.0%" in page

    def test_says_in_a_sentence_why_no_training_starts_automatically(self, client, backend):
        backend.trigger = Decision(False, "nothing new since the last training")
        assert "Nothing new since the last training." in text_of(client.get("/projects/2"))

    def test_keeps_older_versions_a_click_away(self, client, backend):
        backend.versions.cards = [a_version(f"al-{number:04}-3f9c") for number in range(9, 0, -1)]
        newest, _, older = text_of(client.get("/projects/2")).partition("6 older versions")
        assert "activate-al-0007-3f9c" in newest
        assert "activate-al-0006-3f9c" in older

    def test_gives_times_in_utc_to_those_without_scripts(self, client):
        assert "2026-11-21 08:00 UTC</time>" in text_of(client.get("/projects/2"))

    def test_escapes_what_people_typed(self, client, backend):
        evil = "<script>alert(1)</script>"
        backend.label_studio.known[ProjectId(2)] = a_project(title=evil)
        backend.warnings = (evil,)
        backend.jobs.jobs["a"] = a_job("a", JobState.FAILED, reason=evil)
        for path in ("/", "/projects/2", "/jobs/a"):
            assert evil not in text_of(client.get(path))


class TestForms:
    def test_start_a_job_as_it_was_asked_for(self, client, backend):
        answer = submit(
            client,
            "/projects/2/start",
            **{**FORM, "mode": "pre-labeling", "algorithm": "precise", "max_error": "2,5"},
            model_version="al-0002-77aa",
            accept="on",
            partial="on",
            labels_are_random="on",  # hidden by then: it is for active learning
        )
        assert answer.status_code == 303
        assert answer.headers["Location"].endswith("/projects/2#job")
        (asked,) = backend.started
        assert (asked.mode, asked.algorithm) == (Mode.PRE_LABELING, Algorithm.PRECISE)
        assert asked.model_version == "al-0002-77aa"
        assert (asked.accept, asked.labels_are_random) == (True, False)
        assert (asked.partial, asked.skipped) == (True, False)
        assert (asked.max_error, asked.confidence) == (0.025, 0.95)

    def test_pre_label_with_a_model_that_is_imported_first(self, client, backend):
        chosen = {**FORM, "mode": "pre-labeling", "model_version": "al-0002-77aa"}
        submit(client, "/projects/2/start", **chosen, published_model=" timm:resnet18 ")
        (asked,) = backend.started
        assert asked.model_version == "timm:resnet18"

    def test_show_every_reason_and_what_was_chosen_when_refused(self, client, backend):
        backend.reasons = (SHORT, Reason(ReasonCode.NO_UNLABELED_IMAGES, "no image is left"))
        answer = submit(
            client, "/projects/2/start", **{**FORM, "algorithm": "precise"}, accept="on"
        )
        page = text_of(answer)
        assert answer.status_code == 409
        assert "The job was not started" in page
        assert page.count("Label 2 more.") == 2  # why it was not started, and the readiness
        assert "no image is left" in page
        assert re.search(r'value="precise" checked', page)
        assert re.search(r'name="accept" checked', page)

    @pytest.mark.parametrize(
        ("field", "value"), [("max_error", "x"), ("confidence", "100"), ("mode", "magic")]
    )
    def test_name_the_field_that_does_not_fit(self, client, backend, field, value):
        answer = submit(client, "/projects/2/start", **{**FORM, field: value})
        assert answer.status_code == 400
        assert f"{field}:" in text_of(answer)
        assert backend.started == []

    def test_stop_a_job(self, client, backend):
        backend.jobs.jobs["a"] = a_job("a")
        assert submit(client, "/jobs/a/stop").status_code == 303
        assert backend.jobs.get("a").state is JobState.STOPPING

    def test_take_back_what_a_job_accepted(self, client, backend):
        backend.jobs.jobs["a"] = a_job("a", JobState.FINISHED, report={"accepted": 12})
        backend.acceptances["a"] = 12
        assert "Undo 12 labels" in text_of(client.get("/jobs/a"))
        answer = submit(client, "/jobs/a/undo")
        assert answer.status_code == 303
        assert answer.location.endswith("/projects/2#job")
        undoing = backend.jobs.live(2)
        assert undoing.request.undoes == "a"
        assert "Undo" in text_of(client.get(f"/jobs/{undoing.id}"))
        backend.jobs.stop(undoing.id)
        del backend.acceptances["a"]
        assert "labels were undone" in text_of(client.get("/jobs/a"))
        assert submit(client, "/jobs/a/undo").status_code == 404

    def test_show_what_an_undo_deleted_and_what_it_kept(self, client, backend):
        report = {"undoes": "a", "deleted": 397, "changed": 1, "drafted": 2, "accepted": 0}
        request = JobRequest(2, Mode.UNDO, undoes="a")
        backend.jobs.jobs["b"] = a_job(
            "b", JobState.FINISHED, request=request, report={**report, "seconds": {"undo": 3.0}}
        )
        page = text_of(client.get("/jobs/b"))
        for words in (
            "Undo of a",
            "<b>397</b> deleted",
            "<b>1</b> kept, changed",
            "<b>2</b> kept, being",
        ):
            assert words in page

    def test_take_back_what_a_job_accepted_before_it_failed(self, client, backend):
        backend.jobs.jobs["a"] = a_job("a", JobState.FAILED)
        assert "Undo 12 labels" not in text_of(client.get("/jobs/a"))
        backend.acceptances["a"] = 12
        assert "Undo 12 labels" in text_of(client.get("/jobs/a"))

    @pytest.mark.parametrize(
        ("mode", "field", "number"), [("auto-grouping", "groups", 7), ("suggesting", "count", 30)]
    )
    def test_ask_for_groups_or_for_what_to_label(self, client, backend, mode, field, number):
        fields = {"mode": mode, field: str(number)}
        assert submit(client, "/projects/2/start", **fields).status_code == 303
        (asked,) = backend.started
        assert (asked.mode.value, getattr(asked, field)) == (mode, number)

    @pytest.mark.parametrize("groups", ["1", "many", ""])
    def test_refuse_a_number_of_groups_that_makes_no_sense(self, client, backend, groups):
        answer = submit(client, "/projects/2/start", mode="auto-grouping", groups=groups)
        assert answer.status_code == 400
        assert "groups:" in text_of(answer)
        assert backend.started == []

    def test_activate_a_version(self, client, backend):
        assert submit(client, "/projects/2/versions/al-0002-77aa/activate").status_code == 303
        assert backend.version(ProjectId(2)) == VersionName("al-0002-77aa")

    @pytest.mark.parametrize(
        "path",
        [
            "/projects/2/start",
            "/jobs/a/stop",
            "/jobs/a/undo",
            "/projects/2/versions/al-0002-77aa/activate",
        ],
    )
    @pytest.mark.parametrize("token", [None, "", "guessed", "käfer"])
    def test_without_the_token_do_nothing(self, client, backend, path, token):
        backend.jobs.jobs["a"] = a_job("a")
        backend.acceptances["a"] = 12
        client.get("/projects/2")
        answer = client.post(path, data=FORM if token is None else {**FORM, "form_token": token})
        assert answer.status_code == 403
        assert backend.started == []
        assert backend.acceptances == {"a": 12}
        assert backend.jobs.get("a").state is JobState.RUNNING
        assert backend.version(ProjectId(2)) == "al-0001-3f9c"

    @pytest.mark.parametrize(
        ("path", "page"),
        [
            ("/projects/2/start", "/projects/2"),
            ("/projects/2/versions/al-0002-77aa/activate", "/projects/2"),
            ("/jobs/a/stop", "/jobs/a"),
            ("/jobs/a/undo", "/jobs/a"),
        ],
    )
    def test_leave_an_address_that_leads_back_to_the_page(self, client, path, page):
        answer = client.get(path)
        assert (answer.status_code, answer.headers["Location"][-len(page) :]) == (303, page)

    def test_with_an_empty_cookie_do_nothing(self, client, backend):
        headers = {"Cookie": "autolabel_form="}
        answer = client.post("/projects/2/start", data={**FORM, "form_token": ""}, headers=headers)
        assert answer.status_code == 403

    def test_the_token_cannot_be_read_by_scripts_or_sent_from_elsewhere(self, client):
        cookie = client.get("/projects/2").headers["Set-Cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie


class TestReport:
    @pytest.fixture
    def finished(self, backend, tmp_path):
        hardest = [
            {"task": 7, "coefficient": 0.81, "reasons": [{"number": 1, "words": "blurred"}]},
            {"task": 8, "coefficient": 0.80, "reasons": []},
        ]
        report = {
            "labeled": 40,
            "predicted": 1200,
            "hard": 2,
            "hardest": hardest,
            "metrics": {"accuracy": 0.934},
            "unreadable": [{"task": 9, "reason": "the file is empty"}],
            "unreadable_faults": [{"reason": "the file is empty", "images": 1200, "task": 9}],
            "certificate": None,
            "verdict": "no threshold carries the promise yet",
            "label_issues": [{"task": 5, "severity": 0.9, "reason": "labeled cat, looks like dog"}],
            "forecast": {"reason": "about 20 more labels would certify about 90 more"},
        }
        job = replace(a_job("a", JobState.FINISHED, report=report), started_at=NOW, ended_at=NOW)
        backend.jobs.jobs["a"] = job
        backend.reports = tmp_path
        folder = backend.report_folder(job)
        folder.mkdir()
        (folder / "task-7.jpg").write_bytes(b"a picture")
        (folder / "reliability-light.svg").write_text("<svg/>")
        (folder / "report.json").write_text("{}")
        return folder

    def test_has_the_numbers_the_hardest_images_and_what_was_unreadable(self, client, finished):
        page = text_of(client.get("/jobs/a"))
        assert "<b>1,200</b> predicted" in page
        assert "93.4%" in page
        assert "http://localhost:8080/projects/2/data?task=7" in page
        assert page.count("the file is empty") == 1
        assert "1,200 images, the first of" in page
        assert "No threshold carries the promise yet." in page
        assert "labeled cat, looks like dog" in page
        assert "About 20 more labels would certify about 90 more." in page

    def test_of_several_controls_has_the_figures_of_each(self, client, backend):
        metrics = {"kind": {"accuracy": 0.9}, "parts": {"map50": 0.4, "precision/St. Bernard": 0.5}}
        rows = [{"control": control, "label": "x"} for control in ("kind", "parts")]
        report = {"predicted": 1, "metrics": metrics, "per_class": rows}
        backend.jobs.jobs["a"] = a_job("a", JobState.FINISHED, report=report)
        page = text_of(client.get("/jobs/a"))
        for said in ("<h3>kind</h3>", "Precision of &#39;St. Bernard&#39;", "Labels of parts"):
            assert said in page

    def test_of_a_grouping_or_a_suggestion_has_what_they_found(self, client, backend):
        report = {"groups": [{"name": "Group 1", "images": 30}], "picks": [{"task": 4}]}
        backend.jobs.jobs["a"] = a_job("a", JobState.FINISHED, report=report)
        page = text_of(client.get("/jobs/a"))
        assert "Group 1" in page
        assert "data?task=4" in page
        assert "Guarantee" not in page

    @pytest.mark.parametrize("value", [7, "x", [1], ["x"], {"a": 1}, {"a": {"b": [1]}}, True])
    def test_opens_whatever_shape_the_report_has(self, client, finished, backend, value):
        sound = backend.jobs.jobs["a"].report
        for key in (*sound, "groups", "picks", "notes", "labels", "certificates", "seconds"):
            report = {**sound, key: value}
            backend.jobs.jobs["a"] = a_job("a", JobState.FINISHED, report=report)
            answer = client.get("/jobs/a")
            assert answer.status_code == 200, key

    def test_says_when_a_report_cannot_be_shown(self, client, backend):
        report = {"metrics": {"kind": "good"}}
        backend.jobs.jobs["a"] = a_job("a", JobState.FINISHED, report=report)
        page = text_of(client.get("/jobs/a"))
        assert "written by another version of Autolabel" in page

    def test_shows_the_pictures_that_are_there_and_no_others(self, client, finished):
        page = text_of(client.get("/jobs/a"))
        assert "/jobs/a/pictures/task-7.jpg" in page
        assert "task-8.jpg" not in page
        assert "reliability-dark.svg" in page
        assert "learning-curve" not in page
        assert client.get("/jobs/a/pictures/task-7.jpg").data == b"a picture"

    @pytest.mark.parametrize(
        "name",
        ["report.json", "..%2Fb%2Ftask-7.jpg", "../../x-light.svg", "task-7.jpg%00", "task-8.jpg"],
    )
    def test_hands_out_no_other_file(self, client, finished, name):
        assert client.get(f"/jobs/a/pictures/{name}").status_code == 404

    def test_of_a_job_that_failed_says_so(self, client, backend):
        backend.jobs.jobs["a"] = a_job("a", JobState.FAILED, reason="the disk is full")
        page = text_of(client.get("/jobs/a"))
        assert "The disk is full." in page
        assert "No report" in page


class TestEvents:
    def first_news(self, answer):
        chunks = iter(answer.response)
        next(chunks)
        return json.loads(next(chunks).decode().partition("data: ")[2])

    def test_send_the_newest_jobs(self, client, backend):
        backend.jobs.jobs["a"] = a_job("a", progress=0.5, step="embed")
        with client.get("/events?project=2", buffered=False) as answer:
            assert answer.mimetype == "text/event-stream"
            (news,) = self.first_news(answer)
        assert (news["id"], news["state"], news["percent"]) == ("a", "running", 50)

    def test_a_report_leads_with_what_to_do_next(self, client, backend):
        backend.jobs.jobs["a"] = a_job("a", JobState.FINISHED, report={"predicted": 3})
        page = text_of(client.get("/jobs/a"))
        assert page.index("What to do next") < page.index("Results")
        assert "Look through 3 predictions and mark only what is wrong." in page
        assert 'href="/projects/2/review">Review them</a>' in page

    def test_read_no_report_for_the_progress_of_jobs(self, client, backend):
        backend.jobs.jobs["a"] = a_job("a", JobState.FINISHED, report={"predicted": 3})
        with client.get("/events", buffered=False) as answer:
            self.first_news(answer)
        for path in ("/", "/projects/2", "/versions", "/metrics"):
            assert client.get(path).status_code == 200
        assert backend.jobs.reports_read == 0

    def test_are_empty_while_redis_is_down(self, client, backend):
        backend.jobs.redis_is_up = False
        with client.get("/events", buffered=False) as answer:
            assert self.first_news(answer) == []

    def test_are_for_so_many_pages_and_a_place_comes_back(self, client):
        answers = [client.get("/events", buffered=False) for _ in range(event_stream.LISTENERS)]
        assert client.get("/events").status_code == 503
        answers.pop().close()
        again = client.get("/events", buffered=False)
        assert again.status_code == 200
        for answer in [*answers, again]:
            answer.close()


@pytest.mark.parametrize("path", ["/", "/projects/2", "/projects/2/readiness"])
def test_pages_carry_no_code_or_style_that_the_policy_would_refuse(client, path):
    page = text_of(client.get(path))
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|<script>|https?://(?!localhost:8080)", page)


def test_the_static_files_are_there(client):
    page = text_of(client.get("/"))
    for address in set(re.findall(r'(?:src|href)="(/static/[^"]+)"', page)):
        assert client.get(address).status_code == 200


FORWARDED = {"X-Forwarded-Prefix": "/autolabel", "X-Forwarded-Proto": "https"}


class TestBelowAPath:
    @pytest.mark.parametrize("path", ["/projects/2", "/autolabel/projects/2"])
    def test_each_address_begins_with_it(self, client, backend, path):
        job = a_job()
        backend.jobs.jobs[job.id] = job
        page = text_of(client.get(path, headers=FORWARDED))
        own = re.findall(r'(?:href|src|action|data-page|data-events)="(/[^"]*)"', page)
        assert own
        assert [address for address in own if not address.startswith("/autolabel/")] == []

    def test_forms_lead_back_below_it_and_the_cookie_is_secure(self, client):
        page = client.get("/projects/2", headers=FORWARDED)
        cookie = page.headers["Set-Cookie"]
        assert "Path=/autolabel" in cookie
        assert "Secure" in cookie
        answer = client.get("/projects/2/start", headers=FORWARDED)
        assert answer.headers["Location"].endswith("/autolabel/projects/2")

    @pytest.mark.parametrize("prefix", ["//evil.example", "https://evil.example", "/a b"])
    def test_that_is_none_is_ignored(self, client, prefix):
        page = text_of(client.get("/", headers={"X-Forwarded-Prefix": prefix}))
        assert 'href="/static/console.css"' in page

    def test_of_the_public_url_is_taken_off(self, backend, settings):
        below = settings.model_copy(update={"public_url": "http://localhost:9090/autolabel"})
        client = create_app(backend, below).test_client()
        assert client.get("/autolabel/health").status_code == 200
        assert 'href="/autolabel/static/console.css"' in text_of(client.get("/autolabel/"))
        assert client.get("/health").status_code == 200


class TestLabels:
    RENAME = {"change": "rename", "labels": "cat", "into": "Cat"}  # noqa: RUF012 - never changed

    def test_are_listed_with_what_they_are_used_for(self, client, backend):
        backend.counts = (LabelCount("c", "cat", 12),)
        assert "/projects/2/labels" in text_of(client.get("/projects/2"))
        page = text_of(client.get("/projects/2/labels"))
        assert "cat" in page
        assert "12" in page

    def test_change_only_after_it_was_shown_and_confirmed(self, client, backend):
        shown = submit(client, "/projects/2/labels", **self.RENAME)
        assert "rename &#39;cat&#39; to &#39;Cat&#39;" in text_of(shown)
        assert backend.jobs.live(2) is None
        done = submit(client, "/projects/2/labels", **self.RENAME, confirmed="yes")
        assert done.location.endswith("/projects/2#job")
        assert backend.jobs.live(2).request.edit.into == "Cat"
        assert "rename" in text_of(client.get("/projects/2"))

    @pytest.mark.parametrize("fields", [{"change": "paint"}, {"into": ""}])
    def test_are_not_changed_by_a_form_that_does_not_fit(self, client, backend, fields):
        answer = submit(client, "/projects/2/labels", **{**self.RENAME, **fields})
        assert answer.status_code == 400
        assert "No label was changed" in text_of(answer)

    def test_are_not_changed_by_another_site(self, client, backend):
        assert client.post("/projects/2/labels", data=self.RENAME).status_code == 403
