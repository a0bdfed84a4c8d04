"""Cloud storages that Label Studio imports from."""

from connectors.label_studio.calls import Calls, JsonObject


class Storages:
    """List the storages of a project."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def s3(self, project: int) -> list[JsonObject]:
        """Its import storages in S3, with `bucket` and `prefix`, which may be null or empty."""
        return self._calls.array("/api/storages/s3/", params={"project": project})
