"""How installed weights look as tables."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mllm_client._lazy import lazy
from mllm_client.cli import output, units

if TYPE_CHECKING:
    from mllm_client.cli import tables
else:
    tables = lazy("mllm_client.cli.tables")


def print_install(payload: Mapping[str, Any]) -> None:
    job = payload["job"]
    output.pairs(
        [
            ("job", job["id"]),
            ("state", job["state"]),
            ("target", target_of(job)),
            ("storage", payload["storageUri"]),
            ("model path", payload["inferenceModelPath"]),
        ]
    )


def target_of(job: Mapping[str, Any]) -> Any:
    return job["input"].get("target") if isinstance(job["input"], dict) else None


def print_weights(weights: list[Any], answer: Mapping[str, Any]) -> None:
    column = tables.Column
    output.table(
        [
            column("PATH", lambda one: one["path"]),
            column("SIZE", lambda one: units.size(one["size"]), right=True),
            column("FILES", lambda one: one["fileCount"], right=True),
            column("REVISION", lambda one: (one["revision"] or "-")[:8], whole=True),
            column("AGE", lambda one: units.age(one["installedAt"]), right=True),
            column("REPO", lambda one: one["hubRepo"], from_width=100),
            column("LOCATION", lambda one: one["location"], whole=True, from_width=100),
        ],
        weights,
    )
    shown = "" if answer["totalCount"] == len(weights) else f"{len(weights)} of "
    output.note(f"{shown}{answer['totalCount']} installed, {units.size(answer['totalSize'])}")


def print_info(weights: Mapping[str, Any], files: list[Any]) -> None:
    job = weights["installJob"]
    output.pairs(
        [
            ("id", weights["id"]),
            ("path", weights["path"]),
            ("location", weights["location"]),
            ("repo", weights["hubRepo"]),
            ("revision", weights["revision"]),
            ("asked for", weights["requestedRevision"]),
            ("license", weights["license"]),
            ("size", units.size(weights["size"])),
            ("files", weights["fileCount"]),
            ("storage", weights["storageUri"]),
            ("model path", weights["inferenceModelPath"]),
            ("installed", units.stamp(weights["installedAt"])),
            ("verified", units.stamp(weights["verifiedAt"])),
            ("job", job["id"] if job else None),
        ]
    )
    for file in files:
        mark = "verified" if file["verified"] else "not verified"
        output.line("")
        output.line(f"{file['path']}  {units.size(file['size'])}  {mark}")
        output.line(f"  sha256 {file['sha256'] or 'unknown'}")


def print_usage(storage: Mapping[str, Any]) -> None:
    sizes = ("capacity", "used", "reserved", "staging", "available")
    shown = {name: units.size(storage[name]) or "" for name in sizes}
    width = max(len(text) for text in shown.values())
    output.pairs(
        [
            ("location", storage["location"]),
            ("root", storage["root"]),
            *((name, f"{text:>{width}}") for name, text in shown.items()),
        ]
    )
