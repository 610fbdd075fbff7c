"""python -m benchmarks [--workload NAME] [--rounds N] [--json] [--plot FILE.html]"""
from benchmarks.one_thread import one_core  # isort: skip  (sets variables that NumPy reads when it is imported)

import argparse
import json
import os
import platform
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NamedTuple

from benchmarks import comparison, costs, growth, rates, sweeps
from benchmarks.comparisons import COMPARISONS

PACKAGES = ("numpy", "torch", "jax", "scikit-learn")


class Workload(NamedTuple):
    """measure(rounds) gives what sentences(result) puts into words."""

    work: str
    measure: Callable[[int], object]
    sentences: Callable[[object], list[str]]
    cores: bool = False  # it uses all of them


def workloads() -> dict[str, Workload]:
    found = {name: Workload(each.work, each.measure, comparison.sentences) for name, each in COMPARISONS.items()}
    for name, module in {"growth": growth, "rates": rates, "cost": costs}.items():
        found[name] = Workload(module.WORK, module.measure, module.sentences)
    # a round of it takes half a minute
    found["sweep"] = Workload(sweeps.WORK, lambda rounds: sweeps.measure(-(-rounds // 2)), sweeps.sentences, cores=True)
    return found


def machine() -> dict[str, str | int]:
    """What the ratios depend on: it belongs beside every table."""
    found = {"system": platform.system(), "processor": processor(), "cores": os.cpu_count() or 0,
             "python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def processor() -> str:
    """Its name, where the system gives it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def main(arguments: list[str] | None = None) -> None:
    available = workloads()
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="This core beside its peers.")
    parser.add_argument("--workload", choices=list(available), action="append",
                        help="measure this one; may be given again (default: all)")
    parser.add_argument("--rounds", type=int, default=5, help="interleaved repetitions, fewer of long ones "
                        "(default %(default)s)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    parser.add_argument("--plot", type=Path, metavar="FILE.html", help="write a chart of the ratios, too")
    options = parser.parse_args(arguments)
    if options.rounds < 1:
        parser.error(f"--rounds={options.rounds}: must be at least 1")
    if options.plot and options.plot.suffix != ".html":
        parser.error(f"--plot={options.plot}: must end in .html")
    if not options.json:
        print(", ".join(f"{name} {value}" for name, value in machine().items()), "· one thread")
    results = {name: measured(name, available[name], options) for name in options.workload or available}
    if options.json:
        print(json.dumps({"machine": machine(), "workloads": results}, indent=2))
    if options.plot:
        from benchmarks.chart import ratios_figure

        compared = {name: result for name, result in results.items() if name in COMPARISONS}
        ratios_figure(compared).write_html(options.plot)


def measured(name: str, workload: Workload, options: argparse.Namespace) -> object:
    start = time.perf_counter()
    if workload.cores:
        result = workload.measure(options.rounds)
    else:
        with one_core():
            result = workload.measure(options.rounds)
    if not options.json:
        print(f"\n### {name}: {workload.work}\n")
        print("\n".join(workload.sentences(result)))
        print(f"\n({time.perf_counter() - start:.0f} s)", flush=True)
    return result


if __name__ == "__main__":
    main()
