"""`python -m tests.chaos.worker`: the worker process as it is, which leaves a trail."""

import os
import runpy
import sys
from pathlib import Path

from tests.chaos import trail

if __name__ == "__main__":
    trail.install(Path(os.environ[trail.TRAIL_VARIABLE]))
    sys.argv = ["jobs", "worker"]
    runpy.run_module("jobs", run_name="__main__", alter_sys=True)
