"""A copy of Label Studio with our Data Manager action in it; the original stays as it is."""

import os
import shutil
from pathlib import Path

from backend.processes import action_install

SCRIPT = """#!/bin/sh
PYTHONPATH={site}:$PYTHONPATH exec {command} "$@"
"""


def with_action(label_studio: Path, folder: Path) -> Path:
    """The `label-studio` of a copy below `folder`, which shares all packages but one.

    Files are linked, not copied; installing writes a file of its own beside them.
    """
    (package,) = label_studio.parents[1].glob("lib/python*/site-packages/label_studio")
    site, commands = folder / "site", folder / "bin"
    site.mkdir(parents=True)
    commands.mkdir()
    _link_tree(package, site / "label_studio")
    (site / "web").symlink_to(package.parent / "web")  # the pages, looked for beside the package
    for name in ("python", "label-studio"):
        script = commands / name
        script.write_text(SCRIPT.format(site=site, command=label_studio.with_name(name)))
        script.chmod(0o755)
    action_install.install(folder)
    return commands / "label-studio"


def _link_tree(source: Path, target: Path) -> None:
    try:
        shutil.copytree(source, target, copy_function=os.link)
    except (OSError, shutil.Error):  # on another disk
        shutil.rmtree(target)
        shutil.copytree(source, target)
