"""Settings that hold for every test."""
import os

# Before NumPy is imported: pytest-xdist runs one worker a core, and two BLAS threads in each would fight over them.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import pytest
from hypothesis import settings

# No deadline: a shared machine may stall any single example. CI draws the same examples each time, so that a red run
# is the change's own doing and can be repeated; on a laptop new ones are searched.
settings.register_profile("laptop", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") == "true" else "laptop")


@pytest.hookimpl(optionalhook=True)  # pytest-xdist may be missing
def pytest_xdist_make_scheduler(config, log):
    """With --dist loadgroup one worker takes all browser tests: one server and one Chromium are enough. So it is with
    the tests of load and faults and their server, and with those behind nginx.

    The mark `xdist_group` is meant for this, but pytest-xdist 3.8 loses it under pytest 9.2.
    """
    from xdist.scheduler import LoadGroupScheduling

    class FoldersTogether(LoadGroupScheduling):
        def _split_scope(self, nodeid: str) -> str:
            folder = nodeid.split("/")[1]
            return folder if folder in ("browser", "deploy", "load") else super()._split_scope(nodeid)

    return FoldersTogether(config, log) if config.getvalue("dist") == "loadgroup" else None
