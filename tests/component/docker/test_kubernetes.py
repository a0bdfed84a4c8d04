"""The Kubernetes manifests, checked against Kubernetes' own schemas without a cluster."""

from collections.abc import Iterator
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from backend.settings import Settings
from tests.fakes.compose import DOCKER

OVERLAYS = ("cpu", "gpu", "mixed")
KUBERNETES = "1.30"
MANIFESTS = DOCKER / "kubernetes"


def resources(folder: Path) -> Iterator[dict]:
    """The objects of a kustomization and of those that it builds on."""
    kustomization = yaml.safe_load((folder / "kustomization.yaml").read_text())
    unknown = set(kustomization) - {"apiVersion", "kind", "namespace", "resources", "images"}
    assert not unknown, f"this test does not read {unknown}"
    for name in kustomization["resources"]:
        path = (folder / name).resolve()
        if path.is_dir():
            yield from resources(path)
        else:
            yield from yaml.safe_load_all(path.read_text())


@pytest.fixture(params=OVERLAYS)
def manifests(request) -> dict[tuple[str, str], dict]:
    found = list(resources(MANIFESTS / request.param))
    named = {(one["kind"], one["metadata"]["name"]): one for one in found}
    assert len(named) == len(found)
    return named


@pytest.fixture
def pods(manifests) -> dict[str, dict]:
    kinds = {"Deployment", "StatefulSet"}
    return {
        name: one["spec"]["template"] for (kind, name), one in manifests.items() if kind in kinds
    }


def test_every_object_fits_its_schema(manifests):
    for one in manifests.values():
        kubernetes_validate.validate(one, KUBERNETES, strict=True)


def test_every_file_belongs_to_an_overlay():
    used = {
        name
        for kustomization in MANIFESTS.rglob("kustomization.yaml")
        for name in yaml.safe_load(kustomization.read_text())["resources"]
    }
    for path in MANIFESTS.rglob("*.yaml"):
        assert path.name == "kustomization.yaml" or path.name in used


def test_each_service_selects_a_pod_and_a_port_of_it(manifests, pods):
    services = [one["spec"] for (kind, _), one in manifests.items() if kind == "Service"]
    assert services
    for service in services:
        (pod,) = [one for one in pods.values() if one["metadata"]["labels"] == service["selector"]]
        ports = [port for one in pod["spec"]["containers"] for port in one["ports"]]
        known = {port["containerPort"] for port in ports} | {port.get("name") for port in ports}
        assert {port.get("targetPort", port["port"]) for port in service["ports"]} <= known


def test_every_setting_is_one_that_the_backend_knows(manifests, pods):
    given = manifests["ConfigMap", "autolabel"]["data"]
    fields = Settings.model_fields
    known = {
        str(field.validation_alias or f"AUTOLABEL_{name.upper()}") for name, field in fields.items()
    }
    assert set(given) <= known
    # service links would be variables that begin with AUTOLABEL_ and are no settings
    assert all(pod["spec"]["enableServiceLinks"] is False for pod in pods.values())


def test_secrets_are_read_from_a_secret_and_stand_in_no_file(manifests, pods):
    assert not [kind for kind, _ in manifests if kind == "Secret"]
    for name in ("autolabel-web", "autolabel-worker"):
        (container,) = pods[name]["spec"]["containers"]
        assert {"secretRef": {"name": "autolabel"}} in container["envFrom"]


def test_web_and_workers_share_one_data_folder_that_several_machines_may_write(manifests, pods):
    claim = manifests["PersistentVolumeClaim", "autolabel-data"]
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]
    for name in ("autolabel-web", "autolabel-worker"):
        volumes = pods[name]["spec"]["volumes"]
        assert {"claimName": "autolabel-data"} in [
            one.get("persistentVolumeClaim") for one in volumes
        ]


def test_nothing_runs_as_root(pods):
    for pod in pods.values():
        assert pod["spec"]["securityContext"]["runAsNonRoot"] is True
        for container in pod["spec"]["containers"]:
            assert container["securityContext"]["allowPrivilegeEscalation"] is False


def test_only_the_workers_of_the_gpu_overlay_ask_for_a_gpu():
    asking = {}
    for overlay in OVERLAYS:
        for one in resources(MANIFESTS / overlay):
            if "nvidia.com/gpu" in yaml.safe_dump(one):
                asking.setdefault(overlay, []).append(one["metadata"]["name"])
    assert asking == {"gpu": ["autolabel-worker"], "mixed": ["autolabel-worker"]}


def test_helpers_take_no_jobs_and_settings_that_the_backend_knows():
    (helper,) = (
        one
        for one in resources(MANIFESTS / "mixed")
        if one["metadata"]["name"] == "autolabel-helper"
    )
    (container,) = helper["spec"]["template"]["spec"]["containers"]
    given = {
        one["name"].removeprefix("AUTOLABEL_").lower(): one["value"] for one in container["env"]
    }
    settings = Settings(**given)
    assert settings.queues == "shards,idle"
    assert settings.device == "cpu"


def test_the_address_for_label_studio_is_that_of_the_web_service(manifests):
    url = manifests["ConfigMap", "autolabel"]["data"]["AUTOLABEL_PUBLIC_URL"]
    assert url == "http://autolabel-web.autolabel.svc:9090"
    assert ("Service", "autolabel-web") in manifests
