"""Which task does which kind of job; a test compares the two lists."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from core.jobs.kinds import JobKind
from jobs.context import Done, TaskContext
from jobs.tasks import weights_install


@dataclass(frozen=True, slots=True)
class Task:
    """`run` does the job. `cleanup` removes what it left behind, once it is clear that it will
    not go on.
    """

    run: Callable[[TaskContext], Awaitable[Done]]
    cleanup: Callable[[TaskContext], Awaitable[None]]


TASKS: dict[JobKind, Task] = {
    JobKind.WEIGHTS_INSTALL: Task(weights_install.run, weights_install.cleanup),
}
