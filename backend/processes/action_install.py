"""Install the Data Manager action into an environment of Label Studio, and remove it."""

import importlib.metadata
import os
import subprocess
from importlib import resources
from pathlib import Path

from backend.domain.errors import BadInput, Unavailable
from backend.processes.label_studio_server import installed_command

FILE_NAME = "autolabel_action.py"
STAMP = "# label-studio-autolabel {}. `autolabel install-action` overwrites this file.\n"
WHERE = (
    "import importlib.util as u; print(*(u.find_spec('label_studio').submodule_search_locations))"
)


def install(label_studio: Path | None) -> str:
    """Copy the action into Label Studio's folder, and return what was done.

    Raises:
        Unavailable: when there is no Label Studio at that path.
        BadInput: when its folder cannot be written.
    """
    target = _target(label_studio)
    if is_current(label_studio):
        return f"Auto Labeling is in {target} already."
    fresh = target.with_suffix(".new")
    try:
        fresh.write_text(_content(), encoding="utf-8")
        fresh.replace(target)
    except OSError as exc:
        raise _not_writable(target, exc) from exc
    return f"Auto Labeling is in {target} now. Restart Label Studio to see it."


def remove(label_studio: Path | None) -> str:
    """Delete the action, and return what was done. Raises as `install` does."""
    target = _target(label_studio)
    if not target.exists():
        return f"There was no {target}."
    try:
        target.unlink()
    except OSError as exc:
        raise _not_writable(target, exc) from exc
    return f"Removed {target}. Restart Label Studio to see it go."


def is_current(label_studio: Path | None) -> bool:
    """Return whether the action is installed in exactly this version."""
    target = _target(label_studio)
    return target.exists() and target.read_text(encoding="utf-8", errors="replace") == _content()


def _content() -> str:
    source = resources.files("connectors.data_manager_action") / FILE_NAME
    version = importlib.metadata.version("label-studio-autolabel")
    return STAMP.format(version) + source.read_text(encoding="utf-8")


def _target(label_studio: Path | None) -> Path:
    python = _python(label_studio or installed_command())
    command = [str(python), "-c", WHERE]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - a python that the user named, no shell
    folder = Path(done.stdout.strip(), "data_manager", "actions")
    if done.returncode or not folder.is_dir():
        raise Unavailable(f"{python} has no Label Studio", "Name another with --label-studio PATH")
    return folder / FILE_NAME


def _python(named: Path) -> Path:
    """Return the interpreter of an environment, given its folder, python or label-studio."""
    if named.is_dir():
        places = [named / "bin" / "python", named / "Scripts" / "python.exe"]
    elif named.name.startswith("python"):
        places = [named]
    else:  # resolving a linked command leads into its environment, a linked python out of it
        places = [named.resolve().with_name(name) for name in ("python", "python.exe")]
    found = next((place for place in places if os.access(place, os.X_OK)), None)
    if found is None:
        raise Unavailable(
            f"there is no environment of Label Studio at {named}",
            "Name its folder, its python or its label-studio with --label-studio PATH",
        )
    return found


def _not_writable(target: Path, exc: OSError) -> BadInput:
    return BadInput(
        f"{target} cannot be written: {exc.strerror}",
        "Run this as the user who installed Label Studio",
    )
