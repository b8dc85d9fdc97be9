"""What a run may rely on to stop it."""

from jobs.context import Stop


def test_run_is_stopped_by_itself_once_its_lease_is_over():
    """A thread of a process that was stopped for longer than its lease asks nobody else."""
    held = [True]
    stop = Stop(lambda: held[0])
    assert not stop.is_set()
    held[0] = False
    assert stop.is_set()


def test_stop_that_was_told_stays_although_the_lease_is_held():
    stop = Stop(lambda: True)
    stop.set()
    assert stop.is_set()
