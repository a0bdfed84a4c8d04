import pytest

from backend.cli.folders import repeat
from backend.domain.errors import BadInput, LabelStudioUnreachable


class CtrlC(Exception):
    """Ends the pause after the last pass."""


def passes(*outcomes):
    """A pass for each outcome, which it raises if it is an error; and the pause after each."""
    left = list(outcomes)

    def once():
        if outcome := left.pop(0):
            raise outcome

    def pause():
        if not left:
            raise CtrlC

    return once, pause


def test_watching_a_folder_outlasts_a_label_studio_that_is_away(capsys):
    gone = LabelStudioUnreachable("Label Studio does not answer", "Start it")
    with pytest.raises(CtrlC):
        repeat(*passes(None, gone, None))
    assert "Label Studio does not answer. Start it" in capsys.readouterr().err


def test_what_cannot_mend_itself_ends_it():
    with pytest.raises(BadInput):
        repeat(*passes(BadInput("no such folder", ""), None))
