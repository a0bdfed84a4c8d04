"""The workflows name jobs, targets, extras and files that exist."""

import os
import re
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def jobs_of(workflow):
    return yaml.safe_load(workflow.read_text())["jobs"]


JOBS = [(path.name, name, job) for path in WORKFLOWS for name, job in jobs_of(path).items()]


def commands(job):
    return "\n".join(step.get("run", "") for step in job["steps"])


@pytest.fixture(params=JOBS, ids=[f"{file} {name}" for file, name, _ in JOBS])
def named(request):
    file, _, job = request.param
    return jobs_of(ROOT / ".github" / "workflows" / file), job


def test_every_job_waits_for_jobs_that_exist(named):
    jobs, job = named
    assert set(job.get("needs", [])) <= jobs.keys()


def test_every_step_does_one_thing_and_every_action_has_a_version(named):
    _, job = named
    for step in job["steps"]:
        assert ("run" in step) != ("uses" in step)
        assert "run" in step or re.fullmatch(r"[\w-]+/[\w-]+@(v\d+|release/v\d+)", step["uses"])


def test_every_matrix_value_is_defined(named):
    _, job = named
    used = set(re.findall(r"\$\{\{ matrix\.(\w+) \}\}", str(job)))
    assert used <= job.get("strategy", {}).get("matrix", {}).keys()


def test_every_make_target_exists(named):
    _, job = named
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"\bmake ([\w-]+)", commands(job))) <= targets


def test_every_script_of_ours_can_be_run(named):
    _, job = named
    for script in re.findall(r"^\.\S+", commands(job), re.MULTILINE):
        assert os.access(ROOT / script, os.X_OK)


def test_every_extra_and_python_version_is_one_of_ours(named):
    _, job = named
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = re.findall(r"\.whl\)\[([\w,-]+)\]", commands(job))
    assert {one for some in extras for one in some.split(",")} <= set(
        project["optional-dependencies"]
    )
    supported = {one.rpartition(" ")[2] for one in project["classifiers"]}
    versions = job.get("strategy", {}).get("matrix", {}).get("python", [])
    assert {*versions, *re.findall(r"python:(3\.\d+)", str(job))} <= supported


def test_every_image_is_a_stage_of_its_dockerfile(named):
    _, job = named
    built = [step["with"] for step in job["steps"] if "build-push-action" in step.get("uses", "")]
    for image in built:
        stages = set(re.findall(r" AS (\S+)", (ROOT / image["file"]).read_text()))
        assert set(job["strategy"]["matrix"]["target"]) <= stages
