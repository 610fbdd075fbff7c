"""One thread for linear algebra, unless the host says otherwise. Imported before NumPy, which reads this once.

Visitors are what keeps the cores busy. On two cores with ten scripts at work, a diagnosis took 2.6 s of processor time
with one thread and 13 s with two, which mostly waited for each other.
"""
import os

for _variable in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")
