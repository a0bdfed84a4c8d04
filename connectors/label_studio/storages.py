"""Storages that Label Studio imports from: buckets, and folders of its machine."""

from pathlib import PurePath

from connectors.label_studio.calls import Calls, JsonObject


class Storages:
    """List and make the storages of a project."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def s3(self, project: int) -> list[JsonObject]:
        """Its import storages in S3, with `bucket` and `prefix`, which may be null or empty."""
        return self._calls.array("/api/storages/s3/", params={"project": project})

    def ensure_local(self, project: int, path: str, inner: str) -> None:
        """Let the users of a project see the files below a folder of Label Studio's machine.

        No task is made of them. Label Studio may know the folder under another path than `path`:
        a storage that ends with `inner`, or with a folder around it, is taken for it.

        Raises:
            Rejected: when Label Studio may not serve that folder, with its reason.
        """
        around = [PurePath(inner), *PurePath(inner).parents][:-1]
        for known in self._calls.array("/api/storages/localfiles/", params={"project": project}):
            parts = PurePath(known.get("path") or "").parts
            if any(parts[-len(one.parts) :] == one.parts for one in around):
                return
        body = {
            "project": project,
            "path": path,
            "title": "Autolabel: synchronized folder",
            "use_blob_urls": True,
        }
        self._calls.object("POST", "/api/storages/localfiles/", json=body)
