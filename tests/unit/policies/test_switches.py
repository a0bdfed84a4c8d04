from dataclasses import replace

import pytest

from backend.domain.ids import ProjectId, VersionName
from backend.domain.projects import BackendLink, Project
from backend.policies.switches import BACKEND_TITLE, shown_wrongly, switched_off

CURRENT = VersionName("al-0002-bbbb")


def a_project(model_version: str = CURRENT, shows_predictions: bool = True) -> Project:
    return Project(ProjectId(7), "", "", model_version, shows_predictions=shows_predictions)


def test_hidden_predictions_are_named_with_their_switch():
    (note,) = shown_wrongly(a_project("", shows_predictions=False), CURRENT)
    assert "hidden from annotators" in note
    assert "Use predictions to prelabel tasks" in note


def test_predictions_that_are_revealed_one_by_one_are_named_with_their_switch():
    (note,) = shown_wrongly(replace(a_project(), reveals_slowly=True), CURRENT)
    assert "Reveal pre-annotations interactively" in note


def test_another_selected_version_is_named():
    (note,) = shown_wrongly(a_project("somebody-elses"), CURRENT)
    assert "'somebody-elses'" in note
    assert CURRENT in note


def test_a_version_that_was_relabeled_to_the_current_one_needs_no_words():
    before = VersionName("al-0001-aaaa")
    assert list(shown_wrongly(a_project(before), CURRENT, {before})) == []


@pytest.mark.parametrize("selected", ["", CURRENT, BACKEND_TITLE])
def test_what_shows_the_current_version_needs_no_words(selected: str):
    assert list(shown_wrongly(a_project(selected), CURRENT)) == []
    assert list(shown_wrongly(a_project("whatever"), None)) == []


@pytest.mark.parametrize(
    ("link", "words"),
    [
        (BackendLink(webhook=False, payload=False), "switched off"),
        (BackendLink(webhook=True, payload=False), "without payload"),
        (BackendLink(webhook=True, payload=True, interactive=True), "interactive"),
        (BackendLink(True, True, unreported=("ANNOTATION_UPDATED",)), "not report ANNOTATION_UP"),
    ],
)
def test_a_switch_of_the_connection_is_named_with_the_command_that_mends_it(
    link: BackendLink, words: str
):
    (note,) = switched_off(a_project(), link)
    assert words in note
    assert "autolabel connect 7" in note


@pytest.mark.parametrize("link", [BackendLink(), BackendLink(webhook=True, payload=True)])
def test_a_sound_connection_needs_no_words(link: BackendLink):
    assert list(switched_off(a_project(), link)) == []
