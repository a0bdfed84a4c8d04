"""Set a database of Label Studio up in a sixth of the time, by the same migrations.

After each of 700 changes of a model, Django makes new classes of all models that are related to it,
however distantly: 31 on average. Its schema editor reads the changed one and those that refer to
it. A database that was set up without this has the same tables, indexes, permissions and
migrations, on SQLite and on PostgreSQL.
"""

import gc
from functools import wraps

from django.contrib.auth import hashers
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.state import ProjectState


def install() -> None:
    ProjectState._find_reload_model = _with_what_refers_to_it
    MigrationExecutor.migrate = _with_fewer_collections(MigrationExecutor.migrate)
    # as Django's manual advises for tests; each start hashes the password of its account
    hashers.PBKDF2PasswordHasher.iterations = 1000


def _with_fewer_collections(migrate):
    """Let garbage lie: classes of models by the thousand, each of them a cycle, are looked at again
    and again. Only while this runs: in a server, each of the rarer collections takes seconds."""

    @wraps(migrate)
    def quick(*arguments, **options):
        usual = gc.get_threshold()
        gc.set_threshold(100_000, 50, 100)
        try:
            return migrate(*arguments, **options)
        finally:
            gc.set_threshold(*usual)

    return quick


def _with_what_refers_to_it(state, app_label, model_name, delay=False):
    key = (app_label, model_name.lower())
    try:
        model = state.apps.get_model(*key)
    except LookupError:
        return {key}
    return {key} | {
        (field.related_model._meta.app_label, field.related_model._meta.model_name)
        for field in model._meta.get_fields(include_hidden=True)
        if field.auto_created and not field.concrete and _is_rendered(field.related_model)
    }


def _is_rendered(model) -> bool:
    """Whether a model is made of its own state; tables between two models come with theirs."""
    return isinstance(model, type) and not model._meta.auto_created and not model._meta.proxy
