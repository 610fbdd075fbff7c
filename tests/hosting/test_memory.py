"""Threads share one heap, and what is free in it goes back to the system. In processes of their own: it is for good."""
import ctypes
import re
import subprocess
import sys

import pytest

from tests.servers import ROOT

ALLOCATE = """
import ctypes, threading
import numpy as np
from zz_view.hosting import memory

def mib():
    with open("/proc/self/statm") as f:
        return int(f.read().split()[1]) * 4096 / 2**20

def work():  # every hundredth piece of 24 KB stays, so that no heap shrinks by itself
    pieces = [np.ones(3000) for _ in range(2000)]
    kept.append(pieces[::100])
    together.wait()

kept, together = [], threading.Barrier(6)
if {one_heap}:
    assert memory.use_one_heap()
threads = [threading.Thread(target=work) for _ in range(6)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
before = mib()
assert memory.give_back()
libc = ctypes.CDLL(None)
libc.fopen.restype = ctypes.c_void_p
file = ctypes.c_void_p(libc.fopen(b"/dev/stdout", b"w"))
libc.malloc_info(0, file)
libc.fflush(file)
print(before, mib())
"""


def glibc() -> bool:
    return sys.platform == "linux" and hasattr(ctypes.CDLL(None), "malloc_info")


@pytest.mark.skipif(not glibc(), reason="the heaps are glibc's")
@pytest.mark.parametrize("one_heap", [True, False])
def test_threads_share_a_heap_and_what_is_free_goes_back(one_heap):
    done = subprocess.run([sys.executable, "-c", ALLOCATE.format(one_heap=one_heap)], cwd=ROOT, capture_output=True,
                          text=True)
    assert done.returncode == 0, done.stderr
    heaps = len(re.findall("<heap nr=", done.stdout))
    assert heaps == 1 if one_heap else heaps > 1  # so the check can fail
    before, after = map(float, done.stdout.splitlines()[-1].split())
    assert before - after > 100  # of 6 x 46 MiB


def test_where_there_is_no_glibc_nothing_is_done(monkeypatch):
    def missing(name):
        raise OSError(f"{name}: cannot open shared object file")
    from zz_view.hosting import memory
    monkeypatch.setattr(memory.ctypes, "CDLL", missing)
    assert not memory.use_one_heap() and not memory.give_back()
