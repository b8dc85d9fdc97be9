"""What the double knows: one install at work, one that failed, one installed model."""

from datetime import UTC, datetime, timedelta
from fnmatch import fnmatch
from typing import Any

MIB = 1 << 20
JOB = "job_01k3v8m2f0c9xq7z5r4t6w8y0b"
FAILED_JOB = "job_01k3v8m2f0c9xq7z5r4t6w8y0c"
RETRY_JOB = "job_01k3v8m2f0c9xq7z5r4t6w8y0h"
WEIGHTS = "wts_01k3v8m2f0c9xq7z5r4t6w8y0d"
EVENT = "evt_01k3v8m2f0c9xq7z5r4t6w8y0e"
NEXT_EVENT = "evt_01k3v8m2f0c9xq7z5r4t6w8y0f"
LOST_EVENT = "evt_01k3v8m2f0c9xq7z5r4t6w8y0g"
REPO = "Qwen/Qwen2.5-0.5B-Instruct"
PATH = "Qwen/Qwen2.5-0.5B-Instruct"
REVISION = "7ae557604adf67be50417f59c2c2f167def9a775"
STORAGE_URI = f"file:///srv/weights/{PATH}"
NOON = "2026-01-31T12:00:00+00:00"


def ago(**span: float) -> str:
    return (datetime.now(UTC) - timedelta(**span)).isoformat()


def connection(nodes: list[Any], **more: Any) -> Any:
    """A connection field: honours `first` and `after`; cursors are positions."""

    def resolve(_info: Any, first: int = 100, after: str | None = None, **_: Any) -> dict[str, Any]:
        start = int(after) if after else 0
        page = nodes[start : start + first]
        end = start + len(page)
        return {
            "nodes": page,
            "edges": [{"cursor": str(start + i + 1), "node": n} for i, n in enumerate(page)],
            "pageInfo": {
                "hasNextPage": end < len(nodes),
                "hasPreviousPage": start > 0,
                "startCursor": str(start),
                "endCursor": str(end),
            },
            "totalCount": len(nodes),
            **more,
        }

    return resolve


def job(**changes: Any) -> dict[str, Any]:
    """A running install, half done."""
    files = [
        {"path": "config.json", "bytesDone": "660", "bytesTotal": "660", "state": "VERIFIED"},
        {
            "path": "model.safetensors",
            "bytesDone": str(471 * MIB),
            "bytesTotal": str(942 * MIB),
            "state": "RUNNING",
        },
    ]

    def files_of(info: Any, states: list[str] | None = None, **page: Any) -> dict[str, Any]:
        kept = [file for file in files if states is None or file["state"] in states]
        return connection(kept)(info, **page)  # type: ignore[no-any-return]

    return {
        "__typename": "Job",
        "id": JOB,
        "kind": "WEIGHTS_INSTALL",
        "state": "RUNNING",
        "stage": "download",
        "message": None,
        "progress": 0.5,
        "bytesDone": str(471 * MIB),
        "bytesTotal": str(942 * MIB),
        "bytesPerSecond": 52.4 * MIB,
        "eta": "PT9S",
        "attempt": 1,
        "maxAttempts": 5,
        "priority": 0,
        "error": None,
        "input": {"hubRepo": REPO, "target": PATH},
        "result": None,
        "subject": None,
        "requestedBy": "admin",
        "createdAt": ago(hours=2, seconds=5),
        "startedAt": NOON,
        "finishedAt": None,
        "elapsed": "PT1H2M3.5S",
        "nextAttemptAt": None,
        "retryOf": None,
        "retriedBy": None,
        "files": files_of,
        "logs": connection(log_lines()),
        **changes,
    }


def completed_job(**changes: Any) -> dict[str, Any]:
    done: dict[str, Any] = {
        "state": "COMPLETED",
        "progress": 1.0,
        "bytesDone": str(942 * MIB),
        "eta": None,
        "finishedAt": NOON,
        "result": {"path": PATH, "storageUri": STORAGE_URI},
    }
    return job(**{**done, **changes})


def failed_job(**changes: Any) -> dict[str, Any]:
    error = {
        "code": "NO_SPACE",
        "message": "the volume is full",
        "hint": "free 3.0 GiB",
        "retryable": False,
    }
    failed: dict[str, Any] = {
        "id": FAILED_JOB,
        "state": "FAILED",
        "progress": 0.25,
        "error": error,
        "createdAt": ago(days=3, seconds=5),
        "input": {"hubRepo": "an-organisation-with-a-long-name/and-a-model-whose-name-is-longer"},
    }
    return job(**{**failed, **changes})


def retry_job(**changes: Any) -> dict[str, Any]:
    """What a retry of the failed job makes."""
    return job(id=RETRY_JOB, state="PENDING", **{"retryOf": failed_job(), **changes})


def log_lines() -> list[dict[str, Any]]:
    return [
        {
            "cursor": str(number),
            "at": f"2026-01-31T12:00:0{number}+00:00",
            "level": "INFO",
            "stage": "plan",
            "message": f"line {number}",
        }
        for number in (1, 2, 3)
    ]


def weights() -> dict[str, Any]:
    files = [
        {"path": "config.json", "size": "660", "sha256": "ab" * 32, "verified": True},
        {"path": "model.safetensors", "size": str(942 * MIB), "sha256": None, "verified": False},
    ]
    return {
        "__typename": "Weights",
        "id": WEIGHTS,
        "location": "default",
        "path": PATH,
        "hubRepo": REPO,
        "revision": REVISION,
        "requestedRevision": "main",
        "size": str(942 * MIB + 660),
        "fileCount": 2,
        "storageUri": STORAGE_URI,
        "inferenceModelPath": f"/mnt/models/{PATH}",
        "license": "apache-2.0",
        "installedAt": ago(minutes=90),
        "verifiedAt": NOON,
        "files": connection(files),
        "installJob": job(),
    }


def storage() -> dict[str, Any]:
    return {
        "location": "default",
        "root": "/srv/weights",
        "capacity": str(100 << 30),
        "available": str(60 << 30),
        "used": str((39 << 30) + (512 << 20)),
        "reserved": str(471 * MIB),
        "staging": "0",
    }


def event(**changes: Any) -> dict[str, Any]:
    return {
        "__typename": "Event",
        "id": EVENT,
        "type": "job.completed",
        "at": NOON,
        "subjectId": JOB,
        "detail": {"bytes": "987758592"},
        **changes,
    }


def event_log(*events: dict[str, Any]) -> Any:
    """The field `events` over a log that holds these, oldest first."""

    def resolve(
        _info: Any,
        types: list[str] | None = None,
        since: Any = None,
        first: int = 50,
        after: str | None = None,
    ) -> dict[str, Any]:
        kept = [one for one in events if any(fnmatch(one["type"], g) for g in types or ["*"])]
        if since is None and after is None:
            kept = kept[-first:]
        if since is not None:
            start = datetime.fromisoformat(str(since))
            kept = [one for one in kept if datetime.fromisoformat(one["at"]) >= start]
        if after is not None:
            kept = [one for one in kept if one["id"] > after]
        page = kept[:first]
        info = {
            "hasNextPage": len(kept) > first,
            "hasPreviousPage": False,
            "startCursor": page[0]["id"] if page else None,
            "endCursor": page[-1]["id"] if page else None,
        }
        return {"nodes": page, "pageInfo": info}

    return resolve


def system(**changes: Any) -> dict[str, Any]:
    return {
        "version": "0.1.0",
        "uptime": "P1DT2H3M4S",
        "mode": "up",
        "subsystems": [
            {"name": "database", "state": "PASS", "message": "sqlite"},
            {"name": "kubernetes", "state": "WARN", "message": "no cluster is configured"},
        ],
        "workers": 1,
        "queueDepth": 0,
        "jobCounts": {"RUNNING": 1, "FAILED": 1},
        "storage": [storage()],
        "settings": {},
        **changes,
    }
