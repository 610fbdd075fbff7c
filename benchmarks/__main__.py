"""python -m benchmarks [--workload NAME] [--rounds N] [--json]"""
import os

# Before NumPy is imported: one thread for everything that is compared.
for variable in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ[variable] = "1"

import argparse  # noqa: E402
import json  # noqa: E402
import platform  # noqa: E402
from importlib.metadata import PackageNotFoundError, version  # noqa: E402

from benchmarks import costs, networks, seeds, torch_run  # noqa: E402

WORKLOADS = {"seeds": seeds, "torch": torch_run, "networks": networks, "cost": costs}


def machine() -> dict[str, str | int]:
    """What the ratios depend on: it belongs beside every table."""
    found = {"system": platform.system(), "processor": platform.machine(), "cores": os.cpu_count() or 0,
             "python": platform.python_version()}
    for package in ("numpy", "torch"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--workload", choices=list(WORKLOADS), help="measure this one only")
    parser.add_argument("--rounds", type=int, default=5, help="interleaved repetitions (default %(default)s)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of sentences")
    options = parser.parse_args()
    if options.rounds < 1:
        parser.error(f"--rounds={options.rounds}: must be at least 1")
    names = [options.workload] if options.workload else list(WORKLOADS)
    if not options.json:
        print(", ".join(f"{name} {value}" for name, value in machine().items()), "· one thread")
    results = {}
    for name in names:
        results[name] = WORKLOADS[name].measure(options.rounds)
        if not options.json:
            print(f"\n{name}: {WORKLOADS[name].WORK}")
            print("\n".join(f"  {sentence}" for sentence in WORKLOADS[name].sentences(results[name])), flush=True)
    if options.json:
        print(json.dumps({"machine": machine(), "workloads": results}, indent=2))


if __name__ == "__main__":
    main()
