from backend.domain.ids import TaskId
from backend.domain.task_lists import ListDraft, TaskList
from backend.domain.version_names import list_edition


def test_each_task_of_a_list_is_marked_once_by_names_that_sort_in_its_order():
    tasks = tuple(TaskId(one) for one in (7, 3, 7, 12))
    draft = ListDraft(TaskList("Label next", tasks), list_edition("Label next", ()))
    marked = draft.markers
    assert [task for task, _ in marked] == [7, 3, 12]
    names = [name for _, name in marked]
    assert names == sorted(set(names))
    assert all(name.startswith(draft.edition) for name in names)
