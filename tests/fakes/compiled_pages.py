"""Keep the templates of the console compiled from one app of a test to the next."""

from flask import Flask
from jinja2 import BytecodeCache
from jinja2.bccache import Bucket


class CompiledPages(BytecodeCache):
    """The code of templates, in memory; an app whose templates are others compiles its own."""

    def __init__(self) -> None:
        self._code: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if bucket.key in self._code:
            bucket.bytecode_from_string(self._code[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._code[bucket.key] = bucket.bytecode_to_string()


_PAGES = CompiledPages()


def compiled_once(app: Flask) -> Flask:
    """The app, which compiles only what no other app of this process has compiled."""
    app.jinja_env.bytecode_cache = _PAGES
    return app
