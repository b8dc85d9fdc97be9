"""Which task does which kind of job; a test compares the two lists."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from core.jobs.kinds import JobKind
from jobs.context import Done, TaskContext
from jobs.tasks import weights_install


@dataclass(frozen=True, slots=True)
class Task:
    """`run` does the job. `cleanup` removes what it left behind, once the job has ended. `undo`
    does the same after a cancel, and takes back what was done just before it.
    """

    run: Callable[[TaskContext], Awaitable[Done]]
    cleanup: Callable[[TaskContext], Awaitable[None]]
    undo: Callable[[TaskContext], Awaitable[None]]


TASKS: dict[JobKind, Task] = {
    JobKind.WEIGHTS_INSTALL: Task(
        run=weights_install.run, cleanup=weights_install.cleanup, undo=weights_install.undo
    ),
}
