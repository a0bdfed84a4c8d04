"""Measure everything, or only what is named: `python -m tests.bench [NAME ...]`.

Each measurement is a module `bench_NAME` that prints its own table, and runs in a process of its
own, so that neither memory nor threads of one are in the way of the next.
"""

import os
import subprocess
import sys
from pathlib import Path


def names() -> list[str]:
    found = Path(__file__).parent.glob("bench_*.py")
    return sorted(path.stem.removeprefix("bench_") for path in found)


def main(wanted: list[str]) -> int:
    unknown = set(wanted) - set(names())
    if unknown:
        print(f"no measurement is called {', '.join(unknown)}; there are {', '.join(names())}")
        return 2
    failed = []
    for name in wanted or names():
        load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
        print(f"\n=== {name} (on {os.cpu_count()} cores, load average {load})", flush=True)
        if subprocess.run(
            [sys.executable, "-m", f"tests.bench.bench_{name}"], check=False
        ).returncode:
            failed.append(name)
    if failed:
        print(f"\nended with an error: {', '.join(failed)}")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
