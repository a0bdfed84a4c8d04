"""Types of JSON objects, and their text without spaces."""

from collections.abc import Mapping
from json import JSONEncoder
from typing import Any, Final

Json = Mapping[str, Any]
"""A JSON object that is only read."""

JsonObject = dict[str, Any]
"""A JSON object that is still being built."""

compact: Final = JSONEncoder(separators=(",", ":")).encode
"""Return a value as JSON without spaces.

`json.dumps` makes an encoder at each call: half of its time for the prediction of one image.
"""
