"""The review page: who may use it, what it loads, and what it accepts."""

import re
from dataclasses import replace

import pytest

from backend.domain import texts
from backend.domain.answers import ImageRef
from backend.domain.errors import LabelStudioUnreachable
from backend.domain.ids import Label, ProjectId
from backend.domain.items import ItemKind
from backend.settings import Settings
from backend.web.app import create_app
from tests.fakes.reviews import VERSION, a_review

PETS = ProjectId(2)
PAGE = "/projects/2/review"


@pytest.fixture
def review(backend, tmp_path):
    backend.review = a_review(tmp_path, PETS)
    return backend.review


def token(client) -> str:
    page = client.get(PAGE).get_data(as_text=True)
    return re.search(r'data-token="([^"]+)"', page).group(1)


def send(client, path, body):
    return client.post(f"{PAGE}{path}", json=body, headers={"X-Form-Token": token(client)})


def test_the_page_names_labels_colors_and_the_account(client, review):
    page = client.get(PAGE).get_data(as_text=True)
    assert f'data-version="{VERSION}"' in page
    assert "ann@example.org" in page
    assert '<tr data-label="cat">' in page
    assert '"color": "#0b7285"' in page


@pytest.mark.parametrize(
    ("config", "tabs"),
    [
        ('<Choices name="c" toName="i"><Choice value="cat"/></Choices>', "tabs <b>Confirm: …</b>"),
        (
            '<RectangleLabels name="c" toName="i"><Label value="cat"/></RectangleLabels>',
            "tab <b>To be confirmed</b> in",
        ),
    ],
    ids=["choices", "rectangles"],
)
def test_the_page_names_tabs_that_the_project_has(client, backend, review, config, tabs):
    config = f'<View><Image name="i" value="$image"/>{config}</View>'
    projects = backend.label_studio.known
    projects[PETS] = replace(projects[PETS], label_config=config)
    assert tabs in client.get(PAGE).get_data(as_text=True)


def test_before_the_first_job_the_page_says_what_to_do(client):
    assert "nothing to review yet" in client.get(PAGE).get_data(as_text=True)


def test_a_screen_has_the_surest_images_with_their_parts(client, review):
    images = client.get(f"{PAGE}/screen").json["images"]
    assert [image["task"] for image in images] == list(range(1, 25))
    assert images[0]["parts"] == [{"control": "c", "labels": ["dog"], "box": None}]
    assert images[0]["thumbnail"] == f"{PAGE}/images/1.jpg"
    cats = client.get(f"{PAGE}/screen?label=cat&from=0.5&skip=2").json["images"]
    assert [image["task"] for image in cats] == [6, 8, 10, 12, 14]


def test_a_screen_of_texts_has_their_beginnings_as_plain_text(client, backend, review):
    studio = backend.review.label_studio
    long = "<script>alert(1)</script> " + 500 * "word "
    for key, one in studio.predictions.items():
        ref = ImageRef(key[0], texts.inline_address(long), kind=ItemKind.TEXT)
        studio.predictions[key] = replace(one, image=ref)
    answer = client.get(f"{PAGE}/screen")
    assert answer.mimetype == "application/json"
    shown = answer.json["images"][0]
    assert "thumbnail" not in shown
    assert shown["text"].startswith("<script>alert(1)</script> word")
    assert len(shown["text"]) == texts.EXCERPT


def test_the_page_of_a_project_of_texts_says_texts(client, backend, review):
    config = (
        '<View><Text name="t" value="$text"/>'
        '<Choices name="c" toName="t"><Choice value="cat"/></Choices></View>'
    )
    projects = backend.label_studio.known
    projects[PETS] = replace(projects[PETS], label_config=config)
    page = client.get(PAGE).get_data(as_text=True)
    assert 'data-noun="text"' in page
    assert "Texts</th>" in page


def test_thumbnails_are_images_of_tasks_of_the_project_only(client, review):
    answer = client.get(f"{PAGE}/images/3.jpg")
    assert (answer.status_code, answer.mimetype) == (200, "image/jpeg")
    assert client.get(f"{PAGE}/images/999.jpg").status_code == 404


def test_decisions_are_noted_at_once_and_leave_the_screen(client, review):
    decisions = [
        {"task": 1, "verdict": "confirmed", "changes": {}},
        {"task": 2, "verdict": "relabeled", "changes": {"0": ["dog"]}},
        {"task": 3, "verdict": "wrong"},
    ]
    answer = send(
        client, "/decisions", {"screen": "s1", "version": VERSION, "decisions": decisions}
    )
    assert (answer.status_code, answer.json) == (202, {"noted": 3})
    waiting = {one.task: one.wanted for one in review.reviews.unsaved(PETS, 9)}
    assert waiting[2].changes == {0: (Label("dog"),)}
    assert client.get(f"{PAGE}/screen").json["images"][0]["task"] == 4
    state = client.get(f"{PAGE}/state").json
    assert (state["unsaved"], state["saved"]) == (3, 0)
    assert {one["label"]: one["images"] for one in state["labels"]} == {"cat": 14, "dog": 13}


def test_a_screen_and_a_label_are_taken_back(client, review):
    decisions = [{"task": task, "verdict": "confirmed"} for task in (1, 2, 3)]
    send(client, "/decisions", {"screen": "s1", "version": VERSION, "decisions": decisions})
    assert send(client, "/undo", {"label": "dog"}).json == {"reopened": 2}
    assert send(client, "/undo", {"screen": "s1"}).json == {"reopened": 1}
    assert client.get(f"{PAGE}/screen").json["images"][0]["task"] == 1


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/decisions", {}),
        ("/decisions", {"screen": "s", "version": VERSION, "decisions": [{"task": 1}]}),
        ("/decisions", {"screen": "s", "version": VERSION, "decisions": ["x"]}),
        (
            "/decisions",
            {
                "screen": "s",
                "version": VERSION,
                "decisions": [{"task": 1, "verdict": "relabeled", "changes": [1]}],
            },
        ),
        ("/decisions", {"screen": "s", "version": VERSION, "decisions": [{}] * 201}),
        ("/decisions", {"screen": "s", "version": "al-0009-abcd", "decisions": []}),
        ("/undo", {}),
        ("/undo", {"screen": "s", "label": "cat"}),
    ],
)
def test_what_is_no_decision_is_refused(client, review, path, body):
    assert send(client, path, body).status_code == 400


@pytest.mark.parametrize("query", ["from=x", "skip=-1", "skip=nan"])
def test_numbers_of_a_screen_are_checked(client, review, query):
    assert client.get(f"{PAGE}/screen?{query}").status_code == 400


def test_changes_need_the_secret_of_our_own_page(client, review):
    token(client)
    answer = client.post(f"{PAGE}/undo", json={"screen": "s"}, headers={"X-Form-Token": "guess"})
    assert answer.status_code == 403


def test_on_a_network_the_page_needs_a_login(backend, review, tmp_path):
    settings = Settings(data_dir=tmp_path, host="0.0.0.0", insecure=True)
    client = create_app(backend, settings).test_client()
    for path in ("", "/screen", "/images/1.jpg"):
        answer = client.get(f"{PAGE}{path}", headers={"Accept": "text/html"})
        assert answer.status_code == 403
        assert "AUTOLABEL_BASIC_AUTH_USER" in answer.get_data(as_text=True)


def test_with_a_login_the_reviewer_is_who_logged_in(backend, review, tmp_path):
    login = {"basic_auth_user": "ann", "basic_auth_password": "s3cret"}
    settings = Settings(data_dir=tmp_path, host="0.0.0.0", **login)
    client = create_app(backend, settings).test_client()
    assert client.get(PAGE).status_code == 401
    page = client.get(PAGE, auth=("ann", "s3cret"))
    assert "it was <b>ann</b>" in page.get_data(as_text=True)


def test_without_label_studio_the_page_still_names_an_account(client, review, monkeypatch):
    def away():
        raise LabelStudioUnreachable("no answer", "start it")

    monkeypatch.setattr(review.label_studio, "account", away)
    assert "the owner of the API key" in client.get(PAGE).get_data(as_text=True)
