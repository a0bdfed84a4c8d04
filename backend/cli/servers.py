"""Commands that start long-running processes. Each imports only what it runs."""

from contextlib import ExitStack

import typer

from backend import real_parts, settings, wiring
from backend.stores.atomic_files import require_writable

commands = typer.Typer()

NAMES = {"up", "serve", "worker"}


@commands.command()
def up() -> None:
    """Run Redis, the web process and one worker in this terminal. Ctrl-C stops all."""
    from backend.processes import supervisor  # noqa: PLC0415 - other commands need not load it

    configured = settings.load()
    require_writable(configured.data_dir)
    raise typer.Exit(supervisor.up(configured))


@commands.command()
def serve() -> None:
    """Run only the web process: Label Studio's calls, the JSON API and the page."""
    from backend.processes.blas_threads import limit_blas_threads  # noqa: PLC0415 - other commands need not load it
    from backend.web import app as web  # noqa: PLC0415 - other commands need not load it

    configured = settings.load()
    require_writable(configured.data_dir)
    backend = wiring.backend(configured)
    limit_blas_threads()
    loops = (
        wiring.watcher(backend),
        wiring.poller(backend, configured),
        wiring.looker_ahead(configured),
        wiring.review_saver(backend),
        wiring.restarter(backend, configured),
    )
    with ExitStack() as running:
        for loop in loops:
            running.enter_context(loop.running())
        web.serve(backend, configured)


@commands.command()
def worker() -> None:
    """Run only a worker, which takes jobs from the queue, one at a time.

    AUTOLABEL_QUEUES says what it takes: jobs, shards of the jobs of other workers, and idle work.
    """
    from backend import rq_entry  # noqa: PLC0415 - other commands need not load them
    from backend.processes import warm_up, worker  # noqa: PLC0415 - other commands need not load them

    configured = settings.load()
    require_writable(configured.data_dir)
    real_parts.trust_authorities(configured)
    with warm_up.beside(configured):
        rq_entry.preload(configured)
        worker.run_worker(configured)
