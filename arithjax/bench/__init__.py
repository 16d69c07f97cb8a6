"""Speed, measured in one command: a table of ways to train nets, a whole cold study, and up to 100,000 nets."""

from arithjax.bench.runner import Runner
from arithjax.bench.scale import scale
from arithjax.bench.study import compare_study
from arithjax.bench.table import QUESTION, WIDE, bench, write
from arithjax.bench.ways import WAYS, Way

__all__ = ["QUESTION", "WAYS", "WIDE", "Runner", "Way", "bench", "compare_study", "scale", "write"]
