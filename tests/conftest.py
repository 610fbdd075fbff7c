"""Settings that hold for every test."""
import os
from pathlib import PurePosixPath

# Before NumPy is imported: pytest-xdist runs one worker a core, and two BLAS threads in each would fight over them.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import pytest
from hypothesis import settings

# No deadline: a shared machine may stall any single example. CI draws the same examples each time, so that a red run
# is the change's own doing and can be repeated; on a laptop new ones are searched.
settings.register_profile("laptop", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") == "true" else "laptop")


TOGETHER = ("browser", "deploy", "load")  # folders whose tests share a server, and perhaps a Chromium
SECOND = ("test_axe.py", "test_drag.py")  # about half of the browser tests' time, for a second worker


@pytest.hookimpl(optionalhook=True)  # pytest-xdist may be missing
def pytest_xdist_make_scheduler(config, log):
    """With --dist loadgroup all tests of a folder with servers go to one worker, those of the browser to two.

    The mark `xdist_group` is meant for this, but pytest-xdist 3.8 loses it under pytest 9.2.
    """
    from xdist.scheduler import LoadGroupScheduling

    class FoldersTogether(LoadGroupScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = PurePosixPath(nodeid.split("::")[0])  # tests/browser/test_axe.py
            if file.parts[1] not in TOGETHER:
                return super()._split_scope(nodeid)
            return file.parts[1] + " again" * (file.name in SECOND)

    return FoldersTogether(config, log) if config.getvalue("dist") == "loadgroup" else None
