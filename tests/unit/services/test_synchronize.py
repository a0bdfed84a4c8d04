"""A folder and a project, kept alike: nothing is done twice, and no newer file is lost."""

import json

import pytest

from backend.domain.errors import BadInput, LabelStudioUnreachable
from backend.domain.ids import AuditId, JobId, ProjectId, TaskId, VersionName
from backend.domain.side_cars import Skipped
from backend.domain.versions import Acceptance, Ledger
from backend.services.synchronize import RECORD, Synchronization
from tests.fakes.folders import BASE, FakeImageFolder
from tests.fakes.label_editor import FakeLabelEditor
from tests.fakes.ledgers import FakeLedgers

PROJECT = ProjectId(1)
PETS = (
    '<View><Image name="i" value="$image"/><Choices name="kind" toName="i">'
    '<Choice value="cat"/><Choice value="dog"/></Choices></View>'
)
CARS = (
    '<View><Image name="i" value="$image"/><RectangleLabels name="box" toName="i">'
    '<Label value="car"/><Label value="bus"/></RectangleLabels></View>'
)
MIXED = PETS.replace(
    "</View>",
    '<RectangleLabels name="box" toName="i"><Label value="car"/></RectangleLabels></View>',
)
BEFORE, AFTER = 0.0, 4e9
WHEN = "2026-11-28T10:00:00Z"
CAT = [{"from_name": "kind", "to_name": "i", "type": "choices", "value": {"choices": ["cat"]}}]
VOC = (
    "<annotation><size><width>200</width><height>100</height></size><object><name>car</name>"
    "<bndbox><xmin>1</xmin><ymin>1</ymin><xmax>100</xmax><ymax>50</ymax></bndbox></object>"
    "</annotation>"
)


@pytest.fixture
def folder():
    return FakeImageFolder()


@pytest.fixture
def ledgers():
    return FakeLedgers()


def studio(config=PETS):
    return FakeLabelEditor(config)


def synchronized(label_studio, folder, ledgers=None, *, write_back=False, seen=None):
    run = Synchronization(label_studio, ledgers or FakeLedgers(), most_bytes=1_000_000)
    said = [] if seen is None else seen
    return run(PROJECT, folder, lambda *one: said.append(one), write_back=write_back)


def reads_of(label_studio):
    """The tasks of each call that reads annotations."""
    read, plain = [], label_studio.results_among

    def reading(project, tasks):
        read.append(set(tasks))
        return plain(project, tasks)

    label_studio.results_among = reading
    return read


def chosen(content):
    return [one["result"][0]["value"]["choices"] for one in content["annotations"]]


class TestImages:
    def test_each_new_image_becomes_a_task_by_its_address(self, folder):
        label_studio = studio()
        for path in ("a.JPG", "deep/b.png", "c.bmp", "notes.md", ".hidden/d.png"):
            folder.put(path)
        report = synchronized(label_studio, folder)
        uris = [one["data"]["image"] for one in label_studio.contents.values()]
        assert uris == [BASE + "a.JPG", BASE + "c.bmp", BASE + "deep/b.png"]
        assert (report.images, report.created, report.labeled) == (3, 3, 0)

    def test_nothing_is_done_twice(self, folder):
        label_studio = studio()
        folder.put("a.jpg")
        folder.put("a.txt", "cat")
        synchronized(label_studio, folder)
        report = synchronized(label_studio, folder)
        assert (report.created, report.labeled) == (0, 0)
        assert [chosen(one) for one in label_studio.contents.values()] == [[["cat"]]]

    def test_one_that_broke_off_goes_on_where_it_was(self, folder):
        label_studio = studio()
        for number in range(250):
            folder.put(f"{number:03}.jpg")
        imported, calls = label_studio.import_tasks, []

        def breaking(project, contents):
            calls.append(len(contents))
            made = imported(project, contents)
            if len(calls) == 2:  # after the work was done
                raise LabelStudioUnreachable("gone", "")
            return made

        label_studio.import_tasks = breaking
        with pytest.raises(LabelStudioUnreachable):
            synchronized(label_studio, folder)
        assert synchronized(label_studio, folder).created == 50
        assert len(label_studio.contents) == 250

    def test_a_skipped_task_counts_as_known_and_is_left_alone(self, folder):
        label_studio = studio()
        label_studio.add_task(CAT, image=BASE + "a.jpg", was_cancelled=True)
        folder.put("a.jpg")
        folder.put("a.txt", "dog")
        report = synchronized(label_studio, folder)
        assert (report.created, report.labeled) == (0, 0)
        assert len(label_studio.contents) == 1

    def test_one_that_is_too_large_is_named_with_the_setting(self, folder):
        folder.put("a.jpg")
        folder.sizes["a.jpg"] = 2_000_000
        report = synchronized(studio(), folder)
        reason = "2 MB, and AUTOLABEL_MAX_IMAGE_MEGABYTES allows 1"
        assert (report.created, report.skipped) == (0, (Skipped("a.jpg", reason),))

    def test_one_that_label_studio_could_not_show_is_named(self, folder):
        folder.put("a?.jpg")
        report = synchronized(studio(), folder)
        reason = "Label Studio cannot show names with a question mark. Rename it"
        assert (report.created, report.skipped) == (0, (Skipped("a?.jpg", reason),))

    def test_progress_is_told(self, folder):
        folder.put("a.jpg")
        seen = []
        synchronized(studio(), folder, seen=seen)
        assert seen == [("listing the folder", 0, 1), ("creating tasks", 0, 1)]


class TestLabelFiles:
    def test_a_task_without_annotations_gets_the_labels(self, folder):
        label_studio = studio()
        label_studio.add_task(image=BASE + "a.jpg")
        label_studio.add_task(image="/data/upload/1/a.jpg")
        folder.put("a.jpg")
        folder.put("a.txt", "dog")
        assert synchronized(label_studio, folder).labeled == 1
        assert [chosen(one) for one in label_studio.contents.values()] == [[["dog"]], []]

    def test_people_s_labels_stay_as_they_are(self, folder):
        label_studio = studio()
        label_studio.add_task(CAT, image=BASE + "a.jpg")
        folder.put("a.jpg")
        folder.put("a.txt", "dog")
        assert synchronized(label_studio, folder).labeled == 0
        assert [chosen(one) for one in label_studio.contents.values()] == [[["cat"]]]

    def test_labels_that_are_not_counted_yet_stay_as_they_are_too(self, folder):
        label_studio = studio()
        task = label_studio.add_task(CAT, image=BASE + "a.jpg")
        label_studio.counted[task] = 0
        folder.put("a.jpg")
        folder.put("a.txt", "dog")
        assert synchronized(label_studio, folder).labeled == 0
        assert chosen(label_studio.contents[task]) == [["cat"]]

    def test_annotations_are_read_of_those_tasks_only_that_have_a_label_file(self, folder):
        label_studio = studio()
        read = reads_of(label_studio)
        tasks = [label_studio.add_task(image=f"{BASE}{number:03}.jpg") for number in range(250)]
        for number in range(250):
            folder.put(f"{number:03}.jpg")
        for number in (3, 140, 141):
            folder.put(f"{number:03}.txt", "dog")
        assert synchronized(label_studio, folder).labeled == 3
        assert read == [{tasks[3]}, {tasks[140], tasks[141]}]

    def test_a_file_that_is_not_understood_labels_nothing_and_is_named(self, folder):
        label_studio = studio()
        for name in ("a", "b"):
            folder.put(f"{name}.jpg")
        folder.put("a.txt", "lion")
        folder.put("b.txt", "\0")
        report = synchronized(label_studio, folder)
        assert report.created == 2
        assert [one["annotations"] for one in label_studio.contents.values()] == [[], []]
        assert [one.path for one in report.skipped] == ["a.txt", "b.txt"]

    def test_a_label_file_is_found_whatever_the_case_of_its_ending(self, folder):
        label_studio = studio()
        folder.put("A.JPG")
        folder.put("A.TXT", "cat")
        assert synchronized(label_studio, folder).labeled == 1
        (content,) = label_studio.contents.values()
        assert chosen(content) == [["cat"]]

    def test_rectangles_and_labels_of_the_whole_image_lie_in_two_files(self, folder):
        label_studio = studio(MIXED)
        folder.put("a.jpg")
        folder.put("a.xml", VOC)
        folder.put("a.txt", "dog")
        folder.put("b.jpg")
        folder.put("b.xml", VOC)
        folder.put("b.txt", "lion")
        report = synchronized(label_studio, folder)
        assert (report.labeled, [one.path for one in report.skipped]) == (1, ["b.txt"])
        first, second = label_studio.contents.values()
        (annotation,) = first["annotations"]
        assert {one["from_name"] for one in annotation["result"]} == {"kind", "box"}
        assert second["annotations"] == []

    def test_images_of_one_name_share_their_label_file(self, folder):
        label_studio = studio()
        for path in ("a.jpg", "a.png"):
            folder.put(path)
        folder.put("a.txt", "cat")
        assert synchronized(label_studio, folder).labeled == 2

    def test_pascal_voc_brings_rectangles_and_the_size_of_the_image(self, folder):
        label_studio = studio(CARS)
        folder.put("a.jpg")
        folder.put("a.xml", VOC)
        assert synchronized(label_studio, folder).labeled == 1
        (content,) = label_studio.contents.values()
        (region,) = content["annotations"][0]["result"]
        assert (region["original_width"], region["original_height"]) == (200, 100)
        assert region["value"]["rectanglelabels"] == ["car"]
        assert region["value"]["width"] == pytest.approx(50)

    def test_yolo_uses_the_nearest_classes(self, folder):
        label_studio = studio(CARS)
        folder.put("classes.txt", "car\n")
        folder.put("one/classes.txt", "bus\ncar\n")
        for path in ("a.jpg", "one/b.jpg"):
            folder.put(path)
            folder.put(path.replace("jpg", "txt"), "0 0.5 0.5 0.5 0.5")
        assert synchronized(label_studio, folder).labeled == 2
        found = [one["annotations"][0]["result"][0] for one in label_studio.contents.values()]
        assert [one["value"]["rectanglelabels"] for one in found] == [["car"], ["bus"]]
        assert not any("original_width" in one or "score" in one for one in found)

    @pytest.mark.parametrize(
        ("config", "classes", "labeled"),
        [(CARS, "car", 1), (CARS, "", 0), (MIXED, "car", 0), (PETS, "car", 0)],
    )
    def test_an_empty_file_says_that_nothing_is_there_only_where_yolo_is_used(
        self, folder, config, classes, labeled
    ):
        folder.put("a.jpg")
        folder.put("a.txt", "\n")
        folder.put("classes.txt", classes)
        assert synchronized(studio(config), folder).labeled == labeled


class TestWritingBack:
    def test_labels_are_written_beside_the_images_with_whose_they_are(self, folder, ledgers):
        label_studio = studio()
        mine = label_studio.add_task(CAT, image=BASE + "a.jpg", updated_at=WHEN)
        taken = label_studio.add_task(CAT, image=BASE + "b.jpg", updated_at=WHEN)
        label_studio.add_task(CAT, image=BASE + "c.jpg", updated_at=WHEN, completed_by=None,
                              lead_time=None)  # fmt: skip
        label_studio.add_task(CAT, image="/data/upload/1/d.jpg", updated_at=WHEN)
        label_studio.add_task(image=BASE + "e.jpg")
        label_studio.add_task(CAT, image=BASE + "gone.jpg", updated_at=WHEN)
        for name in "abce":
            folder.put(f"{name}.jpg")
        accepted = Acceptance(VersionName("al-0001-3f9c"), (TaskId(taken),), (1,), audit=AuditId(1))
        ledgers.save(PROJECT, Ledger(acceptances={JobId("job-1"): accepted}))
        report = synchronized(label_studio, folder, ledgers, write_back=True)
        assert report.written == 3
        assert {path for path in folder.texts if path.endswith("txt")} == {
            "a.txt",
            "b.txt",
            "c.txt",
        }
        assert folder.texts["a.txt"] == "cat\n"
        record = json.loads(folder.texts[RECORD])
        assert record["a.jpg"] == {"by": "person", "changed": WHEN}
        assert record["b.jpg"]["by"] == "model, accepted"
        assert mine

    def test_a_newer_file_and_an_equal_one_are_left_as_they_are(self, folder):
        label_studio = studio()
        for name in "abc":
            label_studio.add_task(CAT, image=f"{BASE}{name}.jpg", updated_at=WHEN)
            folder.put(f"{name}.jpg")
        folder.put("a.txt", "dog\n", AFTER)
        folder.put("b.txt", "dog\n", BEFORE)
        folder.put("c.txt", "cat\n", BEFORE)
        report = synchronized(label_studio, folder, write_back=True)
        assert report.written == 1
        assert report.skipped == (Skipped("a.txt", "newer than the labels in Label Studio"),)
        assert [folder.texts[f"{name}.txt"] for name in "abc"] == ["dog\n", "cat\n", "cat\n"]
        assert folder.changed["c.txt"] == BEFORE

    def test_a_file_that_says_the_same_in_other_words_stays(self, folder):
        label_studio = studio(CARS)
        folder.put("a.jpg")
        folder.put("a.xml", VOC.replace("<object>", "<object><difficult>1</difficult>"))
        synchronized(label_studio, folder)
        (content,) = label_studio.contents.values()
        content["annotations"][0] |= {"updated_at": WHEN, "id": 1}
        assert synchronized(label_studio, folder, write_back=True).written == 0
        assert "<difficult>" in folder.texts["a.xml"]

    def test_a_label_file_of_two_images_is_written_for_the_first_and_named(self, folder):
        label_studio = studio()
        dog = [{**CAT[0], "value": {"choices": ["dog"]}}]
        for path, result in (("a.jpg", CAT), ("a.png", dog)):
            folder.put(path)
            label_studio.add_task(result, image=BASE + path, updated_at=WHEN)
        for written in (1, 0):
            report = synchronized(label_studio, folder, write_back=True)
            assert report.written == written
            assert report.skipped == (Skipped("a.png", "its label file a.txt is the one of a.jpg"),)
            assert folder.texts["a.txt"] == "cat\n"

    def test_a_file_is_replaced_under_the_name_that_it_has(self, folder):
        label_studio = studio()
        folder.put("a.JPG")
        folder.put("a.TXT", "dog\n", BEFORE)
        label_studio.add_task(CAT, image=BASE + "a.JPG", updated_at=WHEN)
        assert synchronized(label_studio, folder, write_back=True).written == 1
        assert folder.texts["a.TXT"] == "cat\n"
        assert "a.txt" not in folder.texts

    def test_what_has_not_changed_is_not_written_again(self, folder):
        label_studio = studio()
        folder.put("a.jpg")
        label_studio.add_task(CAT, image=BASE + "a.jpg", updated_at=WHEN)
        synchronized(label_studio, folder, write_back=True)
        folder.changed = dict.fromkeys(folder.texts, BEFORE)
        synchronized(label_studio, folder, write_back=True)
        assert set(folder.changed.values()) == {BEFORE}

    def test_rectangles_are_written_as_the_folder_has_them(self, folder):
        label_studio = studio(CARS)
        folder.put("a.jpg")
        folder.put("a.xml", VOC)
        folder.put("yolo/b.jpg")
        folder.put("yolo/b.txt", "0 0.5 0.5 0.5 0.5")
        folder.put("yolo/classes.txt", "car\nbus\n")
        synchronized(label_studio, folder)
        for content in label_studio.contents.values():
            for number, one in enumerate(content["annotations"]):
                one |= {"updated_at": WHEN, "id": number}
        for path in ("a.xml", "yolo/b.txt"):
            del folder.texts[path]
        assert synchronized(label_studio, folder, write_back=True).written == 2
        assert "<xmax>100</xmax>" in folder.texts["a.xml"]
        assert folder.texts["yolo/b.txt"] == "0 0.500000 0.500000 0.500000 0.500000\n"

    def test_rectangles_without_the_size_of_the_image_cannot_be_written_in_pixels(self, folder):
        label_studio = studio(CARS)
        region = {"x": 0, "y": 0, "width": 50, "height": 50, "rectanglelabels": ["car"]}
        head = {"from_name": "box", "to_name": "i", "type": "rectanglelabels"}
        label_studio.add_task([{**head, "value": region}], image=BASE + "a.jpg", updated_at=WHEN)
        folder.put("a.jpg")
        report = synchronized(label_studio, folder, write_back=True)
        assert report.written == 0
        assert [one.path for one in report.skipped] == ["a.jpg"]

    def test_annotations_are_read_of_labeled_tasks_only(self, folder):
        label_studio = studio()
        read = reads_of(label_studio)
        cat = label_studio.add_task(CAT, image=BASE + "a.jpg", lead_time=1, updated_at=WHEN)
        label_studio.add_task(image=BASE + "b.jpg")
        for path in ("a.jpg", "b.jpg"):
            folder.put(path)
        assert synchronized(label_studio, folder, write_back=True).written == 1
        assert read == [{cat}]

    def test_nothing_is_written_unless_asked(self, folder):
        label_studio = studio()
        label_studio.add_task(CAT, image=BASE + "a.jpg", updated_at=WHEN)
        folder.put("a.jpg")
        synchronized(label_studio, folder)
        assert set(folder.texts) == {"a.jpg"}


def test_a_folder_of_texts_is_refused_by_name(folder):
    texts = PETS.replace("Image", "Text").replace("$image", "$text")
    with pytest.raises(BadInput, match="for images only, and this project has texts"):
        synchronized(studio(texts), folder)
