"""A stand-in for a part of `autolabel up`: arguments FOLDER NAME [SECONDS].

Says what it sees, writes its process id, and ends by itself after SECONDS, if given.
"""

import os
import sys
import time
from pathlib import Path

from backend.processes.embedded_redis import redis_url
from backend.settings import load

if __name__ == "__main__":
    folder, name = Path(sys.argv[1]), sys.argv[2]
    starts = folder / f"{name}.starts"
    with starts.open("a") as file:
        file.write("start\n")
    sys.stdout.write(f"{name} uses {redis_url(load())}\n")
    (folder / f"{name}.pid").write_text(str(os.getpid()))
    time.sleep(float(sys.argv[3]) if len(sys.argv) > 3 else 600)
