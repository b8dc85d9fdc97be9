"""A listing is refused as a whole when it names a file that must not be written."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from infra.hub.client import HubClient
from infra.hub.errors import HubError, UnsafePath
from infra.hub.snapshot import HubFile
from infra.hub.transfer.plan import TransferPlan, part_names
from infra.settings import Hub
from tests.infra.hub.serving import serving

COMMIT = "c" * 40


def entry(path: str, **changes: object) -> dict[str, object]:
    return {"type": "file", "oid": "b" * 40, "size": 3, "path": path, **changes}


@asynccontextmanager
async def hub_that_lists(*tree: object, sha: str = COMMIT) -> AsyncIterator[HubClient]:
    """Says whatever it is told to, which the double of the hub would not."""

    async def say(request: web.Request) -> web.Response:
        answer = tree if "/tree/" in request.path else {"id": "a/b", "sha": sha}
        return web.Response(text=json.dumps(answer), content_type="application/json")

    async with serving(say) as endpoint:
        client = HubClient(Hub(endpoint=endpoint))
        try:
            yield client
        finally:
            await client.aclose()


HOSTILE = {
    "../escape": "leaves its folder",
    "a/../../escape": "leaves its folder",
    "a/..": "leaves its folder",
    "/etc/passwd": "is absolute",
    "": "has an empty part",
    "a//b": "has an empty part",
    "a/": "has an empty part",
    "./a": "has an empty part",
    "..\\windows": "has a backslash",
    "nul\0byte": "control character",
    "line\nbreak": "control character",
    "\ud800": "is not text",
    "mllm.json": "is a reserved name",
    "MLLM.json": "is a reserved name",
    ".staging": "is a reserved name",
    ".staging/job/file": "is a reserved name",
    "n" * 241: "is too long",
    "/".join(["d" * 100] * 11): "is too long",
}


@pytest.mark.parametrize(("path", "fault"), HOSTILE.items(), ids=map(ascii, HOSTILE))
async def test_hostile_path_is_refused(path, fault):
    async with hub_that_lists(entry("config.json"), entry(path)) as client:
        with pytest.raises(UnsafePath, match=fault) as caught:
            await client.snapshot("a/b", None)
    assert caught.value.path == path


@pytest.mark.parametrize(
    "path", ["a/mllm.json", "a/.staging", "..a/b..", ".gitattributes", "a b/ü.txt", "n" * 240]
)
async def test_unusual_path_is_taken(path):
    async with hub_that_lists(entry(path)) as client:
        assert [file.path for file in (await client.snapshot("a/b", None)).files] == [path]


async def test_file_listed_twice_is_refused():
    async with hub_that_lists(entry("a"), entry("a")) as client:
        with pytest.raises(UnsafePath, match="twice"):
            await client.snapshot("a/b", None)


async def test_file_below_a_file_is_refused():
    async with hub_that_lists(entry("a/b/c"), entry("a")) as client:
        with pytest.raises(UnsafePath, match="below another file"):
            await client.snapshot("a/b", None)


MALFORMED = [
    entry("a", size=-1),
    entry("a", size="big"),
    entry("a", oid="../../x"),
    entry("a", lfs={"oid": "short", "size": 3, "pointerSize": 1}),
    {"type": "file"},
    "text",
    None,
]


@pytest.mark.parametrize("item", MALFORMED, ids=str)
async def test_malformed_entry_is_an_error_of_the_hub(item):
    async with hub_that_lists(item) as client:
        with pytest.raises(HubError, match="does not answer like a hub"):
            await client.snapshot("a/b", None)


async def test_commit_that_is_none_is_an_error_of_the_hub():
    async with hub_that_lists(sha="../../../main") as client:
        with pytest.raises(HubError, match="does not answer like a hub"):
            await client.snapshot("a/b", None)


def plan_of(paths: list[str]) -> Callable[[], TransferPlan]:
    files = tuple(HubFile(path, 3, None, "b" * 40) for path in paths)
    return lambda: TransferPlan(
        endpoint="http://127.0.0.1:1",
        token=None,
        repo="a/b",
        revision=COMMIT,
        files=files,
        parallel_files=1,
        timeout_s=1,
    )


@pytest.mark.parametrize("path", HOSTILE, ids=map(ascii, HOSTILE))
def test_hostile_path_does_not_get_into_a_plan_either(path):
    with pytest.raises(UnsafePath):
        plan_of([path])()


def test_parts_never_take_the_name_of_a_file_or_a_folder_or_each_other():
    paths = ["a", "a.part", "b", "b.part/c", "d"]
    names = part_names(plan_of(paths)().files)
    assert names == {
        "a": "a.part.part",
        "a.part": "a.part.part.part",
        "b": "b.part.part",
        "b.part/c": "b.part/c.part",
        "d": "d.part",
    }
