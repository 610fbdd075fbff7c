"""python -m benchmarks: this core beside its peers on the same work, in one run, as ratios."""
