"""Labels that databases write in different ways, and what finds the tasks that have them."""

from collections.abc import Mapping
from typing import Any
from xml.sax.saxutils import quoteattr

from backend.domain.ids import Label, ProjectId
from backend.label_studio.gateway import LabelStudioGateway
from connectors.label_studio.client import LabelStudioClient
from tests.e2e.label_studio_api import create_prediction, import_tasks

TEXTS = ("cat", 'ca"t', "Süßwasserfisch, blau", "a/b", "100 %", "x_y", "back\\slash", "日本", "2")


def tasks_by_text(client: LabelStudioClient, project: int) -> Mapping[str, list[int]]:
    """Label an image with each text, skip one with it, and predict it for another one."""
    choices = "".join(f"<Choice value={quoteattr(text)}/>" for text in TEXTS)
    image = '<Image name="image" value="$image"/>'
    config = f'<View>{image}<Choices name="kind" toName="image">{choices}</Choices></View>'
    client.projects.set_label_config(project, config)
    data = [{"image": f"http://images.test/{number}.jpg"} for number in range(3 * len(TEXTS))]
    tasks = import_tasks(client, project, data)
    by_text = {text: tasks[3 * number : 3 * number + 3] for number, text in enumerate(TEXTS)}
    for text, (labeled, skipped, predicted) in by_text.items():
        client.annotations.create(labeled, _chosen(text))
        client.annotations.create(skipped, _chosen(text), was_cancelled=True)
        create_prediction(client, predicted, _chosen(text), model_version="v")
    return by_text


def assert_each_is_found(client: LabelStudioClient, project: int) -> None:
    """Tasks are found by each text, in order; where it has nothing special, only these."""
    expected = tasks_by_text(client, project)
    found = {text: _found(client, project, text) for text in TEXTS}
    assert all(set(own) <= set(found[text]) for text, own in expected.items())
    assert all(tasks == sorted(tasks) for tasks in found.values())
    assert [text for text in TEXTS if found[text] != expected[text]] == ['ca"t', "日本"]
    both = _found(client, project, "cat", "2")
    assert both == sorted([*expected["cat"], *expected["2"]])


def _found(client: LabelStudioClient, project: int, *texts: str) -> list[int]:
    labels = [Label(text) for text in texts]
    found = LabelStudioGateway(client).task_results(ProjectId(project), labels)
    return [int(one.task) for one in found]


def _chosen(label: str) -> list[dict[str, Any]]:
    head = {"id": "c", "from_name": "kind", "to_name": "image", "type": "choices"}
    return [{**head, "value": {"choices": [label]}}]
