"""docs/events.md lists every event, and every key of what is really written."""

import re
from datetime import UTC, datetime

import pytest

from core.errors import ErrorCode
from core.feed.kinds import EventType
from core.feed.service import NewEvent
from core.jobs import events as job_events
from core.jobs.entity import Job, JobLog
from core.jobs.kinds import JobKind, JobState, LogLevel
from core.weights import events as weights_events
from core.weights.entity import Weights
from tests.docs.pages import DOCS, keys_below

PAGE = DOCS / "events.md"
AT = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
STATES = list(JobState)


def job(state: JobState) -> Job:
    return Job(
        id="job_01m873p1drd30vhfn6cs7d035d",
        kind=JobKind.WEIGHTS_INSTALL,
        state=state,
        input={},
        requested_by="admin",
        created_at=AT,
        run_at=AT,
        max_attempts=5,
        max_crashes=5,
        error_code=ErrorCode.UNAVAILABLE,
        error_message="the hub is away",
        error_retryable=True,
    )


def written() -> list[NewEvent]:
    """One event of each type, from the constructors that the product uses."""
    running = job(JobState.RUNNING)
    line = JobLog(job_id=running.id, n=1, at=AT, level=LogLevel.INFO, message="hello")
    weights = Weights(
        id="wts_01m873p4n29kc5xjnwj7q3gz9v",
        location="default",
        path="acme/tiny",
        hub_repo="acme/tiny",
        revision="0" * 40,
        requested_revision=None,
        size=1,
        file_count=1,
        license=None,
        installed_at=AT,
        verified_at=AT,
        install_job_id=running.id,
    )
    return [
        *(job_events.state_changed(job(state)) for state in STATES),
        job_events.progress(running),
        job_events.logged(running.id, [line]),
        weights_events.installed(weights, storage_uri="file:///x", inference_model_path="/x"),
    ]


def documented() -> dict[str, str]:
    """By type, the heading of the section that its row leads to."""
    rows = re.findall(
        r"^\| `([a-z.]+)` \| .+ \| \[\w+\]\(#detail-(\w+)\) \|$", PAGE.read_text(), re.M
    )
    return {type_: f"### Detail: {section}" for type_, section in rows}


def test_the_list_of_types_is_the_code_s():
    assert list(documented()) == [str(type_) for type_ in EventType]
    assert {event.type for event in written()} == set(EventType)


@pytest.mark.parametrize("event", written(), ids=lambda event: str(event.type))
def test_the_keys_of_a_detail_are_the_documented_ones(event: NewEvent):
    assert set(event.detail) == keys_below(PAGE, documented()[event.type])


def test_nested_keys_are_the_documented_ones():
    failed = job_events.state_changed(job(JobState.FAILED)).detail
    assert set(failed["error"]) == keys_below(PAGE, "`error` of a job:")
    (logged,) = [event for event in written() if event.type is EventType.JOB_LOG]
    assert set(logged.detail["lines"][0]) == keys_below(PAGE, "Each of the `lines`:")
