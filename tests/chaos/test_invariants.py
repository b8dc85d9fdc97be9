"""Each invariant sees what it is there for, on made-up facts: a harness that finds nothing proves
nothing unless it can find something.
"""

from dataclasses import replace

import pytest

from tests.chaos.followers import JobView, View
from tests.chaos.invariants import EventFact, Facts, JobFact, broken
from tests.chaos.trail import Run, Touch

JOB = JobFact("job_1", "COMPLETED", 2, "chaos/1", lines=2)
TYPES = ("pending", "running", "log", "pending", "running", "progress", "completed")
EVENTS = [EventFact(n + 1, f"evt_{n}", f"job.{kind}", "job_1") for n, kind in enumerate(TYPES)]
IDS = [event.id for event in EVENTS]
ONE, TWO = 101, 102
FIRST = Run("job_1", 1, ONE, 10.0, None)
SECOND = Run("job_1", 2, TWO, 16.0, 18.0)
FILES = {"config.json": "a" * 64}


def good(**changes) -> Facts:
    """One job, whose first worker was killed."""
    facts = {
        "accepted": {"job_1": "chaos/1"},
        "jobs": [JOB],
        "events": EVENTS,
        "runs": [FIRST, SECOND],
        "touches": [Touch("job_1", ONE, 11.0, "open"), Touch("job_1", TWO, 17.0, "open")],
        "died": {ONE: 11.5},
        "folders": {"chaos/1": FILES},
        "expected": {"chaos/1": FILES},
        "views": [View("eventAdded", ids=IDS)],
        "job_views": [
            JobView("job_1", ["PENDING", "COMPLETED"], ["1", "2"], ended=True, log_ended=True)
        ],
    }
    return Facts(**{**facts, **changes})


def job(**changes) -> list[JobFact]:
    return [replace(JOB, **changes)]


def history(*kinds: str) -> list[EventFact]:
    return [EventFact(n + 1, f"evt_{n}", f"job.{kind}", "job_1") for n, kind in enumerate(kinds)]


def test_a_job_that_survived_a_kill_breaks_nothing():
    assert broken(good()) == {}


def test_an_empty_run_breaks_nothing():
    assert broken(Facts()) == {}


@pytest.mark.parametrize(
    ("invariant", "changes"),
    [
        ("lost", {"accepted": {"job_1": "chaos/1", "job_2": "chaos/2"}}),
        ("stuck", {"jobs": job(state="RUNNING")}),
        ("ended_wrongly", {"cancelled": frozenset({"job_1"})}),
        ("ended_wrongly", {"jobs": job(state="CANCELLED")}),
        (
            "ended_wrongly",
            {"jobs": [JOB, replace(JOB, id="job_0", state="FAILED", error="INTERNAL")]},
        ),
        ("ended_wrongly", {"jobs": job(state="FAILED", error="CORRUPT")}),
        ("locks", {"jobs": job(held=True)}),
        ("staging", {"staged": ["job_1"]}),
        ("staging", {"staged": ["job_of_nobody"]}),
        ("files", {"folders": {}}),
        ("files", {"folders": {"chaos/1": {"config.json": "b" * 64}}}),
        ("files", {"folders": {"chaos/1": {**FILES, "model.part": "c" * 64}}}),
        ("files", {"folders": {"chaos/1": FILES, "chaos/2": {}}}),
    ],
)
def test_broken_state_is_seen(invariant: str, changes: dict):
    assert len(broken(good(**changes))[invariant]) == 1


@pytest.mark.parametrize(
    "kinds",
    [
        ("pending", "running", "completed", "completed"),
        ("pending", "running", "cancelled", "completed"),
        ("pending", "completed"),
        ("running", "completed"),
        ("pending", "paused", "running", "completed"),
        ("pending", "running", "completed", "running"),
        ("pending", "running"),
        (),
    ],
)
def test_history_with_an_illegal_step_or_not_one_end_is_seen(kinds: tuple[str, ...]):
    assert "histories" in broken(good(events=history(*kinds)))


def test_event_that_is_missing_or_twice_in_the_log_is_seen():
    assert "log_holes" in broken(good(events=EVENTS[:2] + EVENTS[3:]))
    assert "log_holes" in broken(good(events=[*EVENTS, replace(EVENTS[0], seq=8)]))


def test_epoch_that_does_not_grow_is_seen():
    again = replace(SECOND, epoch=1)
    assert broken(good(runs=[FIRST, again]))["epochs"] == ["job_1 was claimed under epochs [1, 1]"]
    assert broken(good(jobs=job(epoch=1)))["epochs"] == [
        "job_1 has epoch 1 and was claimed under 2"
    ]


def test_second_run_before_the_first_has_ended_is_seen():
    """What a lease that is too short, or a worker that does not fence itself, leads to."""
    early = replace(FIRST, ended_s=16.5)
    facts = good(runs=[early, SECOND], died={})
    assert broken(facts)["overlaps"] == [
        "job_1: epoch 1 on process 101 and epoch 2 on process 102 for 0.500 s"
    ]


def test_runs_that_follow_each_other_at_once_do_not_overlap():
    facts = good(runs=[replace(FIRST, ended_s=16.0), SECOND], died={})
    assert broken(facts) == {}


def test_run_that_was_never_told_to_have_ended_is_seen_although_its_process_lives():
    assert len(broken(good(died={}, touches=()))["overlaps"]) == 1


def test_long_run_is_compared_with_every_later_one():
    long = replace(FIRST, ended_s=30.0)
    third = Run("job_1", 3, 103, 20.0, 21.0)
    facts = good(runs=[long, SECOND, third], died={}, touches=(), jobs=job(epoch=3))
    assert len(broken(facts)["overlaps"]) == 2


def stopped(**changes) -> Facts:
    """The first worker stood still for longer than its lease, and found out when it went on."""
    late = replace(FIRST, ended_s=19.2)
    return good(runs=[late, SECOND], died={}, stood={ONE: [(11.5, 19.0)]}, **changes)


def test_worker_that_stood_still_and_touched_nothing_afterwards_does_not_overlap():
    assert broken(stopped()) == {}


def test_worker_that_touches_a_job_of_another_after_standing_still_is_seen():
    facts = stopped(touches=[Touch("job_1", ONE, 17.9, "open")])
    assert broken(facts)["overlaps"] == [
        "job_1: process 101 did open 1.900 s into epoch 2 on process 102"
    ]


def test_worker_that_stood_still_for_less_than_its_lease_has_no_excuse():
    facts = good(
        runs=[replace(FIRST, ended_s=19.2), SECOND],
        died={},
        touches=(),
        stood={ONE: [(11.5, 15.0)]},
    )
    assert len(broken(facts)["overlaps"]) == 1


def test_worker_without_any_run_that_touches_a_running_job_is_seen():
    facts = good(touches=[Touch("job_1", 103, 17.0, "shutil.rmtree")])
    assert broken(facts)["overlaps"] == [
        "job_1: process 103 did shutil.rmtree 1.000 s into epoch 2 on process 102"
    ]


@pytest.mark.parametrize(
    "ids", [IDS[:-1], [*IDS, IDS[-1]], [*IDS[:2], IDS[3], IDS[2], *IDS[4:]], [*IDS, "evt_x"]]
)
def test_follower_that_saw_another_log_is_seen(ids: list[str]):
    (told,) = broken(good(views=[View("GET /events", ids=ids)]))["views"]
    assert told.startswith(f"GET /events saw {len(ids)} of 7 events")


def test_follower_that_was_told_of_a_gap_is_seen():
    assert "views" in broken(good(views=[View("GET /events", ids=IDS, gaps=["trimmed"])]))


@pytest.mark.parametrize(
    "view",
    [
        JobView("job_1", ["RUNNING"], ["1", "2"], ended=True, log_ended=True),
        JobView("job_1", ["COMPLETED"], ["1", "2"], ended=False, log_ended=True),
        JobView("job_1", ["COMPLETED"], ["1"], ended=True, log_ended=True),
        JobView("job_1", ["COMPLETED"], ["1", "1"], ended=True, log_ended=True),
        JobView("job_2", ["COMPLETED"], ["1", "2"], ended=True, log_ended=True),
    ],
)
def test_follower_of_a_job_that_missed_its_end_or_a_line_is_seen(view: JobView):
    assert len(broken(good(job_views=[view]))["views"]) == 1
