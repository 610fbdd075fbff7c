"""Settings that hold for every test."""
import os

# Before NumPy is imported: pytest-xdist runs one worker a core, and two BLAS threads in each would fight over them.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from hypothesis import settings  # noqa: E402

# No deadline: a shared machine may stall any single example. CI draws the same examples each time, so that a red run
# is the change's own doing and can be repeated; on a laptop new ones are searched.
settings.register_profile("laptop", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") == "true" else "laptop")
