"""Imported by the Python of a tests' Label Studio: the same behaviour for less processor time.

Nothing here changes what Label Studio answers or stores, except that SQLite does not wait for the
disk and that a password's hash is quick to compute.
"""

import sqlite3
import sqlite3.dbapi2

import quick_migrations
import yaml

_connect = sqlite3.dbapi2.connect


def connect(*arguments, **options):
    """A label costs about ten commits. Killed processes lose nothing; a power failure could."""
    connection = _connect(*arguments, **options)
    connection.execute("PRAGMA synchronous = OFF")
    return connection


sqlite3.connect = sqlite3.dbapi2.connect = connect

# each start reads 600 feature flags, for a second with the parser in Python
yaml.SafeLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

quick_migrations.install()
