"""Project numbers in addresses."""

from werkzeug.routing import IntegerConverter

from backend.domain.ids import PROJECT_NUMBER


class ProjectConverter(IntegerConverter):
    """`<project:name>` in a route; anything else than a project number is an unknown address."""

    regex = PROJECT_NUMBER
