"""Imported by the Python of a tests' Label Studio: SQLite does not wait for the disk.

A label costs Label Studio about ten commits. Killed processes lose nothing; a power failure could.
"""

import sqlite3
import sqlite3.dbapi2

_connect = sqlite3.dbapi2.connect


def connect(*arguments, **options):
    connection = _connect(*arguments, **options)
    connection.execute("PRAGMA synchronous = OFF")
    return connection


sqlite3.connect = sqlite3.dbapi2.connect = connect
