"""`autolabel up` with stand-ins for web and worker: `python -m tests.integration.up FOLDER`."""

import sys

from backend.processes import supervisor
from backend.settings import Settings

if __name__ == "__main__":
    folder = sys.argv[1]
    part = (sys.executable, "-m", "tests.integration.part", folder)
    parts = supervisor.Supervisor(
        Settings(data_dir=folder, port=0), web=(*part, "web"), worker=(*part, "worker")
    )
    sys.exit(supervisor.run(parts))
