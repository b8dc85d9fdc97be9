"""Every kind of job has a task, and every task a kind."""

from core.jobs.kinds import JobKind
from jobs.registry import TASKS


def test_every_kind_of_job_has_its_task():
    assert set(TASKS) == set(JobKind)
