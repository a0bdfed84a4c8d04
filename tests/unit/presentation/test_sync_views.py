from backend.domain.side_cars import Skipped, SyncReport
from backend.presentation import sync_views


def test_a_report_counts_and_names_some_of_the_files_left_as_they_are():
    skipped = [Skipped(f"{number}.txt", "too new") for number in range(25)]
    lines = list(sync_views.report_lines(SyncReport(9, 4, 3, 2, skipped)))
    assert lines[:4] == [
        "9 images in the folder",
        "4 new tasks",
        "3 tasks got the labels of a file",
        "2 label files written",
    ]
    assert lines[4:6] == ["25 files left as they are:", "  0.txt: too new"]
    assert lines[-1] == "  and 5 more; --json names all"


def test_without_a_terminal_each_activity_is_a_line_and_json_has_none(capsys):
    with sync_views.progress(quiet=False) as progress:
        progress("creating tasks", 0, 9)
        progress("creating tasks", 1, 9)
        progress("reading tasks", 500, 0)
    with sync_views.progress(quiet=True) as progress:
        progress("creating tasks", 0, 9)
    assert capsys.readouterr().out == "creating tasks: 0 of 9\nreading tasks: 500\n"
