"""Add "Auto Labeling" to the Data Manager's actions menu of Label Studio 1.20 to 1.23.

Label Studio registers every module in its folder `data_manager/actions` that defines `actions`;
`autolabel install-action` copies this file there. It runs inside Label Studio, imports only what
Label Studio has, and leaves every decision to the connected Autolabel backend. Sentences and limits
come from the backend, so that dialog, page and command line agree.

Label Studio requests an action's form whenever the dialog opens (1.20: whenever it lists the menu),
shows a toast for an answer with `async`, and of errors only the texts of a ValidationError.
"""

from urllib.parse import urlsplit

import requests
from core.permissions import all_permissions
from rest_framework.exceptions import APIException, ValidationError
from urllib3 import Retry

CONNECT_SECONDS = 1
LOOK_SECONDS = 6
START_SECONDS = 20

AS_TEXT = {
    "placement": "left",
    "flat": True,
    "style": {"whiteSpace": "pre-line", "--sand_500": "currentColor"},
}
"""Lets a label grow with its text and gives its description the normal text color."""

ALGORITHM = "Only for active learning: algorithm"
VERSION = "Only for pre-labeling: model version"
PUBLISHED = "Only for pre-labeling: import a model first, such as yolo11n.pt or timm:resnet18"
MAX_ERROR = "If accepted: maximum error, %"
PROMISE = "If accepted: what is promised"
CONFIDENCE = "If accepted: confidence, %"
PARTIAL = "If accepted: go on where some controls are not learned"
SKIPPED = "Predict skipped tasks, too"
RANDOM = "If accepted, in active learning: the labeled tasks were drawn at random"
"""Label Studio cannot hide fields, so a field's name says when it applies. Names of two fields in a
row are cut after about thirty letters."""

PERCENT_STEP = 0.01

LIVE = ("queued", "running", "stopping")
IN_THE_BACKGROUND = {"async": True}
"""Makes Label Studio show a toast."""


# --- the entries of the menu -------------------------------------------------------------------


def auto_labeling(project, queryset, **kwargs):
    """Start a job on the selected tasks; a refusal shows every reason."""
    try:
        wish = {**job_wish(kwargs["request"].data), "task_ids": selected_tasks(project, queryset)}
        answer, status = AutolabelBackend(project).post("jobs", wish, START_SECONDS)
    except Trouble as trouble:
        raise ValidationError(trouble.sentences) from trouble
    if status == 200:
        raise ValidationError([answer["job"]["summary"], "Wait for it to end, or stop it."])
    return dict(IN_THE_BACKGROUND)


def auto_labeling_status(_project, _queryset, **_kwargs):
    """Do nothing; the dialog shows the status."""
    return {}


def auto_labeling_stop(project, _queryset, **_kwargs):
    """Stop the project's running job."""
    try:
        backend = AutolabelBackend(project)
        job = running_job(backend)
        if job is None:
            raise Trouble("No job is running.")
        backend.stop(job["id"])
    except Trouble as trouble:
        raise ValidationError(trouble.sentences) from trouble
    return dict(IN_THE_BACKGROUND)


# --- their dialogs -----------------------------------------------------------------------------


def start_form(_user, project):
    """Show the project's status and the choices for a job."""
    try:
        backend = AutolabelBackend(project)
        answer = backend.get("versions")
        fields = backend.job_fields()
    except Trouble as trouble:
        return [text(trouble.sentences)]
    versions, missing = answer["versions"], answer.get("summary")
    sentences = [*status_sentences(backend), *([missing] if missing else [])]
    return [text(sentences), *choices(versions, fields)]


def status_form(_user, project):
    """Show the project's status and how the last job ended."""
    try:
        backend = AutolabelBackend(project)
        jobs = backend.get("jobs")["jobs"]
    except Trouble as trouble:
        return [text(trouble.sentences)]
    ended = [text([job["summary"]]) for job in jobs[:1] if job["state"] not in LIVE]
    return [text(status_sentences(backend)), *ended]


def stop_form(_user, project):
    """Show the job that would be stopped."""
    try:
        job = running_job(AutolabelBackend(project))
    except Trouble as trouble:
        return [text(trouble.sentences)]
    return [text([job["summary"] if job else "No job is running."])]


def status_sentences(backend):
    """Sentences about the project's status, or why it is unavailable."""
    try:
        return backend.get("status")["summary"]
    except Trouble as trouble:
        return trouble.sentences


def running_job(backend):
    return next((job for job in backend.get("jobs")["jobs"] if job["state"] in LIVE), None)


def choices(versions, fields):
    """The rows of the form. Shares are in percent, as on the page.

    `fields` are the JSON schemas of a job request's fields, with their limits and defaults.
    """
    current = next((card["name"] for card in versions if card["current"]), "")
    modes = {
        "active-learning": "Active learning: train, then label the rest",
        "pre-labeling": "Pre-labeling: label with the model below",
    }
    algorithms = {
        "fast": "Fast: train on the labeled tasks",
        "precise": "Precise: use unlabeled tasks, too; takes longer",
    }
    rows = [[select("mode", "Type", modes)], [select("algorithm", ALGORITHM, algorithms)]]
    if versions:
        names = {card["name"]: version_words(card) for card in versions}
        rows.append([select("model_version", VERSION, names, current)])
    rows.append([{"type": "input", "name": "published_model", "label": PUBLISHED, "value": ""}])
    accept = {"no": "No: everything is to be confirmed", "yes": "Yes: they become annotations"}
    rows.append([select("accept", "Accept confident labels", accept)])
    promises = {
        "dataset": "At most the maximum error in the finished data set",
        "accepted": "At most the maximum error among the accepted labels",
        "boxes": "Rectangles: at most the maximum error among accepted boxes, and as many missed",
    }
    rows.append([select("promise", PROMISE, promises)])
    rows.append(
        [
            share("max_error", MAX_ERROR, fields["max_error"]),
            share("confidence", CONFIDENCE, fields["confidence"]),
        ]
    )
    partial = {"no": "No", "yes": "Yes: make predictions, and accept none"}
    rows.append([select("partial", PARTIAL, partial)])
    skipped = {"no": "No", "yes": "Yes, where nothing is accepted"}
    rows.append([select("skipped", SKIPPED, skipped)])
    random = {"no": "No", "yes": "Yes: all of them support the guarantee"}
    rows.append([select("labels_are_random", RANDOM, random)])
    return [{"columnCount": len(row), "fields": row} for row in rows]


def version_words(card):
    """`al-0007-3f9c (in use): Accuracy 93.0%, calibration error 0.04`."""
    used = " (in use)" if card["current"] else ""
    return f"{card['name']}{used}: {card['summary']}"


def text(sentences):
    """Make a row of text: a label without its input."""
    head, *rest = sentences
    label = {"description": "\n".join(rest), **AS_TEXT}
    field = {"type": "hidden", "name": "said", "label": head, "skip": True, "labelProps": label}
    return {"columnCount": 1, "fields": [field]}


def select(name, label, options, value=None):
    listed = [{"value": key, "label": words} for key, words in options.items()]
    first = value or listed[0]["value"]
    return {"type": "select", "name": name, "label": label, "options": listed, "value": first}


def share(name, label, schema):
    """A number field in percent, with the limits of the backend's own page.

    An excluded end of the range moves inwards by PERCENT_STEP.
    """
    low = schema.get("minimum", schema.get("exclusiveMinimum", 0) + PERCENT_STEP / 100)
    high = schema.get("maximum", schema.get("exclusiveMaximum", 1) - PERCENT_STEP / 100)
    least, most, value = (round(100 * end, 2) for end in (low, high, schema["default"]))
    limits = {"min": least, "max": most, "step": "any"}
    return {"type": "number", "name": name, "label": label, "value": value, **limits}


# --- what was chosen ---------------------------------------------------------------------------


def job_wish(form):
    """Turn the form into a job request, which the backend validates."""
    wish = {
        "mode": form.get("mode", "active-learning"),
        "algorithm": form.get("algorithm", "fast"),
        "accept": form.get("accept") == "yes",
        "partial": form.get("partial") == "yes",
        "skipped": form.get("skipped") == "yes",
        "labels_are_random": form.get("labels_are_random") == "yes",
        "promise": form.get("promise", "dataset"),
        "max_error": fraction(form.get("max_error", 5)),
        "confidence": fraction(form.get("confidence", 95)),
    }
    if wish["mode"] == "pre-labeling":
        published = (form.get("published_model") or "").strip()
        wish["model_version"] = published or form.get("model_version") or None
    return wish


def fraction(percent):
    """Turn percent into a share; anything but a number is left for the backend to refuse."""
    try:
        return float(percent) / 100
    except (TypeError, ValueError):
        return percent


def selected_tasks(project, queryset):
    """Ids of the selected tasks; an empty list means all tasks of the project.

    Raises Trouble if the selection is empty: the tab may have changed since it was loaded.
    """
    tasks = list(queryset.values_list("id", flat=True))
    if not tasks:
        raise Trouble("The selection contains no tasks any more.", "Reload the page, then select.")
    return [] if len(tasks) == project.tasks.count() else tasks


# --- the backend -------------------------------------------------------------------------------


class Trouble(Exception):
    """A refusal or failure of the backend, as sentences."""

    def __init__(self, *sentences):
        super().__init__(*sentences)
        self.sentences = list(sentences)


class AutolabelBackend:
    """The API of the connected backend for one project."""

    def __init__(self, project):
        connected = project.ml_backend
        if connected is None:
            raise Trouble(
                "No backend is connected to this project.",
                f"Run: autolabel connect {project.id}",
            )
        self.api = connected.api
        self.project = f"api/projects/{project.id}"

    def job_fields(self):
        """The JSON schemas of the fields of a job request, by name."""
        document = self._call("GET", "api/openapi.json", LOOK_SECONDS)[0]
        return document["components"]["schemas"]["JobRequest"]["properties"]

    def get(self, what):
        return self._call("GET", f"{self.project}/{what}", LOOK_SECONDS)[0]

    def post(self, what, body, seconds):
        return self._call("POST", f"{self.project}/{what}", seconds, json=body)

    def stop(self, job):
        return self._call("POST", f"api/jobs/{job}/stop", LOOK_SECONDS)

    def _call(self, method, path, seconds, **options):
        """Return the JSON and the HTTP status; Label Studio's own address and login rules apply."""
        url = self.api._get_url(path)
        options = {"timeout": (CONNECT_SECONDS, seconds), "allow_redirects": False, **options}
        self.api._prepare_kwargs(options)
        try:
            with self.api.create_session() as session:
                for adapter in session.adapters.values():
                    adapter.max_retries = Retry(0, read=False)
                response = session.request(method, url, **options)
        except requests.exceptions.ReadTimeout as error:
            raise Trouble(
                f"Autolabel at {shown(url)} did not answer within {seconds} s.",
                "It may still be counting a large project. See its own page.",
            ) from error
        except (requests.exceptions.RequestException, APIException) as error:
            raise Trouble(
                f"Autolabel at {shown(url)} does not answer.",
                "Start it with: autolabel up. Check it with: autolabel doctor",
            ) from error
        return answer_of(response, url), response.status_code


def answer_of(response, url):
    """Return the JSON of a success; raise Trouble with the sentences of an error."""
    try:
        answer = response.json()
    except ValueError:
        answer = None
    wanted = answer if response.ok else isinstance(answer, dict) and answer.get("error")
    if not isinstance(wanted, dict):
        raise Trouble(
            f"The backend at {shown(url)} is not Autolabel, or another version of it.",
            "Connect the right one with: autolabel connect PROJECT",
        )
    if not response.ok:
        raise Trouble(*(answer["error"].get("summary") or [answer["error"]["message"]]))
    return answer


def shown(url):
    """The backend's address without user name and password."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


# --- what Label Studio reads -------------------------------------------------------------------


def entry(function, form, title, order, words):
    return {
        "entry_point": function,
        "permission": all_permissions.tasks_change,
        "title": title,
        "order": order,
        "dialog": {"title": title, "text": words, "type": "confirm", "form": form},
    }


actions = [
    entry(
        auto_labeling,
        start_form,
        "Auto Labeling",
        90.1,
        "Train a model on the labeled tasks and label the others. "
        "Of the selected tasks, those without a label are predicted.",
    ),
    entry(auto_labeling_status, status_form, "Auto Labeling: status", 90.2, ""),
    entry(auto_labeling_stop, stop_form, "Auto Labeling: stop", 90.3, "Stop the running job?"),
]
