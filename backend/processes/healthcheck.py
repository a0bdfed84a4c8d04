"""Exit 0 if the web process of this machine answers; the health check of the containers."""

import sys
import urllib.request

from backend import settings


def main() -> int:
    """Request /health and return the exit status."""
    url = f"http://127.0.0.1:{settings.load().port}/health"
    directly = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with directly.open(url, timeout=3) as answer:
            return 0 if answer.status == 200 else 1
    except OSError:
        return 1


if __name__ == "__main__":
    sys.exit(main())
