from backend.processes.job_restart_loop import JobRestartLoop
from tests.integration.polling import eventually


def test_it_looks_again_and_again_whatever_fails():
    looks: list[int] = []

    def restart() -> None:
        looks.append(len(looks))
        if len(looks) == 1:
            raise RuntimeError("a mistake")

    with JobRestartLoop(restart, every=0.01).running():
        eventually(lambda: len(looks) > 2)
