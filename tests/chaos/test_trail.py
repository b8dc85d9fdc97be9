"""The trail of a worker: changes of staging with the job they belong to, and nothing else."""

import json
import subprocess
import sys
from pathlib import Path

from tests.chaos import trail
from tests.chaos.trail import Run
from tests.stack import ROOT

WORK = """
import os, sys, shutil
from pathlib import Path
from tests.chaos import trail
root = Path(sys.argv[1])
trail.install(root / "trail")
staged = root / ".staging" / "job_1"
staged.mkdir(parents=True)
(staged / "a.part").write_bytes(b"123")
(staged / "a.part").read_bytes()
(root / "elsewhere").write_bytes(b"")
fd = os.open(staged / "a.part", os.O_RDWR)
os.ftruncate(fd, 0)
os.close(fd)
(staged / "a.part").rename(root / "moved")
shutil.rmtree(staged)
"""


def test_every_change_of_a_jobs_staging_is_noted_and_no_read(tmp_path: Path):
    process = subprocess.Popen([sys.executable, "-c", WORK, str(tmp_path)], cwd=ROOT)
    assert process.wait(30) == 0
    found = trail.touches(tmp_path / "trail")
    assert {(touch.job_id, touch.pid) for touch in found} == {("job_1", process.pid)}
    what = [touch.what for touch in found]
    # mkdir(parents=True) tries the folder before its parent and again after it.
    changes = ["os.mkdir", "os.mkdir", "open", "open", "os.truncate", "os.rename"]
    assert what == [*changes, "shutil.rmtree", "os.rmdir"]
    times = [touch.at_s for touch in found]
    assert times == sorted(times)


def test_runs_are_read_from_the_log_also_of_a_worker_that_was_killed_in_a_line(tmp_path: Path):
    log = tmp_path / "worker.log"
    lines = [
        {"event": "job.claimed", "job_id": "job_1", "epoch": 1, "timestamp": at(100)},
        {"event": "job.claimed", "job_id": "job_2", "epoch": 4, "timestamp": at(101)},
        {"event": "job.work_ended", "job_id": "job_1", "epoch": 1, "timestamp": at(102)},
        {"event": "worker.ready", "timestamp": at(103)},
    ]
    text = "\n".join(["a warning of python", *map(json.dumps, lines), '{"event": "job.work_en'])
    log.write_text(text)
    assert trail.runs(log, 7, offset_s=90) == [
        Run("job_1", 1, 7, 10.0, 12.0),
        Run("job_2", 4, 7, 11.0, None),
    ]


def at(wall_s: int) -> str:
    return f"1970-01-01T00:{wall_s // 60:02}:{wall_s % 60:02}.000000Z"
