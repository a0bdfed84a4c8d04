"""A run full of failures, with a secret in each setting: nothing that is shown or kept has one."""

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from backend.domain.json import Json
from backend.processes.embedded_redis import redis_binary
from backend.processes.label_studio_server import LabelStudioProcess, free_port
from connectors.label_studio.client import LabelStudioClient
from tests.e2e.autolabel import Autolabel, settings_for
from tests.e2e.digits import new_project
from tests.e2e.label_studio import TOKEN
from tests.e2e.label_studio_api import import_tasks
from tests.fakes.http_server import Asked, FakeHttpServer, Reply
from tests.faults.proxy import Answer, FaultProxy

USER = "ann"
PASSWORD = "passw0rd-of-the-backend"
URL_PASSWORD = "passw0rd-of-the-address"
REDIS_PASSWORD = "passw0rd-of-redis"
IMAGE_PASSWORD = "passw0rd-of-images"
AWS_KEY, AWS_SECRET = "AKIAIOSFODNN7EXAMPLE", "secret-key-of-aws"
SIGNATURE = "5f1e9a7c0d-signature"
SECRETS = (
    TOKEN,
    PASSWORD,
    URL_PASSWORD,
    REDIS_PASSWORD,
    IMAGE_PASSWORD,
    AWS_KEY,
    AWS_SECRET,
    SIGNATURE,
)
QUERY = f"X-Amz-Credential={AWS_KEY}&X-Amz-Signature={SIGNATURE}"
REFUSED = f"<Error><Code>AccessDenied</Code><AWSAccessKeyId>{AWS_KEY}</AWSAccessKeyId></Error>"
QUOTED = json.dumps({"detail": f"cannot serve 'Authorization: Token {TOKEN}'"}).encode()
QUOTING = Answer(400, QUOTED, {"Content-Type": "application/json"})


def image_host(asked: Asked) -> Reply:
    """Refuse each image in another way; S3's own way quotes the key."""
    if asked.path.endswith("moved.png"):
        return Reply(302, headers={"Location": f"ftp://elsewhere/a.png?{QUERY}"})
    if asked.path.endswith("gone.png"):
        return Reply(404)
    return Reply(403, REFUSED.encode(), {"Content-Type": "application/xml"})


def bad_images(host: str) -> list[str]:
    """Addresses that cannot be fetched, with secrets in them."""
    place = host.removeprefix("http://")
    return [
        f"{host}/gone.png?{QUERY}",
        f"{host}/moved.png?{QUERY}",
        f"{host}/forbidden.png?sig={SIGNATURE}&se=2030",
        f"http://{USER}:{IMAGE_PASSWORD}@{place}/gone.png",
        f"ftp://{USER}:{IMAGE_PASSWORD}@{place}/a.png?{QUERY}",
        f"//{place}/gone.png?{QUERY}",
        f"s3://bucket/a.png?{QUERY}",
    ]


@contextmanager
def guarded_redis(folder: Path) -> Iterator[tuple[str, Path]]:
    """The URL and the log of a Redis that asks for a password."""
    port, log = free_port(), folder / "redis.log"
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    secret = ["--requirepass", REDIS_PASSWORD, "--logfile", str(log)]
    process = subprocess.Popen([redis_binary(), *options, *secret])
    try:
        yield f"redis://:{REDIS_PASSWORD}@127.0.0.1:{port}/0", log
    finally:
        process.terminate()
        process.wait()


@pytest.fixture(scope="module")
def shown(label_studio: LabelStudioProcess, tmp_path_factory) -> dict[str, str]:
    """Everything that people and programs got to see of such a run, by its source."""
    folder = tmp_path_factory.mktemp("secrets")
    with (
        pytest.MonkeyPatch.context() as patch,
        FakeHttpServer(image_host) as host,
        FaultProxy(label_studio.url) as proxy,
        guarded_redis(folder) as (redis_url, redis_log),
    ):
        patch.setenv("AWS_ACCESS_KEY_ID", AWS_KEY)
        patch.setenv("AWS_SECRET_ACCESS_KEY", AWS_SECRET)
        patch.setenv("AWS_ENDPOINT_URL", host.url)
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        settings = settings_for(
            label_studio,
            folder / "data",
            label_studio_url=proxy.url.replace("//", f"//{USER}:{URL_PASSWORD}@"),
            redis_url=redis_url,
            basic_auth_user=USER,
            basic_auth_password=SecretStr(PASSWORD),
            label_studio_patience=5,
        )
        with (
            Autolabel(settings).running() as ours,
            LabelStudioClient(label_studio.url, label_studio.token, patience=30) as client,
        ):
            digits = {"labels": ("0", "1"), "labeled": {"0": 6, "1": 6}}
            project = new_project(client, folder / "images", per_class=8, **digits)
            outputs = failures(ours, proxy, project.id, add_bad_images(client, project.id, host))
        outputs["log of web and worker"] = "\n".join(ours.lines)
        outputs["log of Redis"] = redis_log.read_text("utf-8")
        return outputs | kept(folder / "data")


def add_bad_images(
    client: LabelStudioClient, project: int, host: FakeHttpServer
) -> Callable[[], Json]:
    """What imports those images later and returns the /predict request for them."""

    def add() -> Json:
        data = [{"image": address} for address in bad_images(host.url)]
        ids = import_tasks(client, project, data)
        tasks = [{"id": one, "data": image} for one, image in zip(ids, data, strict=True)]
        config = client.projects.get(project)["label_config"]
        return {"project": f"{project}.1", "label_config": config, "tasks": tasks}

    return add


def failures(
    ours: Autolabel, proxy: FaultProxy, project: int, add_images: Callable[[], Json]
) -> dict[str, str]:
    """A good job, and then one failure after the other; returns what was shown meanwhile."""
    outputs = {"good job": job(ours, project)}
    asked = add_images()
    outputs["job with images that cannot be read"] = job(ours, project)
    outputs["predictions of them"] = said(ours.call("POST", "/predict", asked))
    outputs |= looked_at(ours, project, "after failures")
    outputs |= commands(ours, project, "doctor {} --json")
    proxy.arm(lambda _: True, lambda _: QUOTING, times=99)
    outputs["job where answers quote the token"] = job(ours, project)
    outputs |= looked_at(ours, project, "where answers quote the token")
    proxy.disarm()
    proxy.denies = True
    outputs |= looked_at(ours, project, "with a token that was revoked")
    return outputs | commands(ours, project, "label {}")


def job(ours: Autolabel, project: int) -> str:
    """What the job API and the page say of a job, from its start to its end."""
    started = ours.call("POST", f"/api/projects/{project}/jobs", {})
    if not started.is_success:
        return said(started)
    number = started.json()["job"]["id"]
    ours.job_ended(number)
    return (
        said(started)
        + said(ours.call("GET", f"/api/jobs/{number}"))
        + said(ours.call("GET", f"/jobs/{number}"))
    )


def looked_at(ours: Autolabel, project: int, when: str) -> dict[str, str]:
    """Each page and each answer of the API."""
    paths = ["/", "/health", "/metrics", "/api/openapi.json", "/versions", "/nowhere"]
    paths += [f"/projects/{project}", f"/projects/{project}/readiness"]
    paths += [f"/api/projects/{project}/{what}" for what in ("status", "jobs", "versions")]
    outputs = {f"{path} {when}": said(ours.call("GET", path)) for path in paths}
    refused = httpx.get(f"{ours.settings.public_url}/", auth=(USER, "wrong"), trust_env=False)
    return outputs | {f"a refused login {when}": said(refused)}


def commands(ours: Autolabel, project: int, *texts: str) -> dict[str, str]:
    """What these commands print."""
    done = {text: ours.run(*text.format(project).split()) for text in texts}
    return {text: one.stdout + one.stderr for text, one in done.items()}


def kept(data_dir: Path) -> dict[str, str]:
    """The text files of the data folder, in which people look for what happened."""
    kinds = {".json", ".log", ".svg", ".txt"}
    files = [path for path in data_dir.rglob("*") if path.suffix in kinds]
    return {f"the file {path.name}": path.read_text("utf-8") for path in files}


def said(answer: httpx.Response) -> str:
    return f"{answer.reason_phrase}\n{answer.headers}\n{answer.text}\n"


def test_the_run_failed_in_many_ways(shown: dict[str, str]) -> None:
    assert '"finished"' in shown["good job"]
    assert "404 Not Found" in shown["job with images that cannot be read"]
    assert "403 Forbidden" in shown["job with images that cannot be read"]
    assert "cannot serve" in shown["job where answers quote the token"]
    assert "answered 401" in shown["label {}"]
    assert "worker" in shown["doctor {} --json"]
    assert "the file report.json" in shown


@pytest.mark.parametrize("secret", SECRETS)
def test_no_secret_is_shown_anywhere(shown: dict[str, str], secret: str) -> None:
    leaks = [source for source, text in shown.items() if secret in text]
    assert leaks == []
