"""Whether a process lives, whether it can work, and its numbers."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from core.jobs import presence
from infra.valkey import Valkey
from tests.api import Api
from tests.graphql_client import Client, until
from tests.postgres import Cluster
from tests.server.work import Work


@pytest.fixture
def own_valkey(tmp_path: Path) -> Iterator[Valkey]:
    """One that the test may stop."""
    with Valkey.start(tmp_path / "valkey") as valkey:
        yield valkey


def arrive(api: Api) -> None:
    api.run(api.services.store.write(presence.arrive, "worker", lease_ttl_s=60))


def leave(api: Api) -> None:
    api.run(api.services.store.write(presence.leave, "worker"))


async def numbers(client: Client) -> dict[tuple[str, ...], float]:
    """Every sample by its name and label values."""
    answer = await client.get("/metrics")
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("text/plain")
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


async def test_ready_once_a_worker_is_there(api: Api, anyone: Client):
    answer = await anyone.get("/readyz")
    assert (answer.status, answer.text) == (503, "waiting for workers\n")
    arrive(api)
    answer = await anyone.get("/readyz")
    assert (answer.status, answer.text) == (200, "ready\n")
    leave(api)
    assert (await anyone.get("/readyz")).status == 503


async def test_missing_redis_is_named_and_the_process_lives(
    tmp_path: Path, database_url: str, own_valkey: Valkey
):
    with Api(tmp_path / "home", database_url=database_url, redis_url=own_valkey.url) as api:
        async with Client(api.url, api.admin) as client:
            arrive(api)
            assert (await client.get("/readyz")).status == 200
            own_valkey.stop()
            answer = await client.get("/readyz")
            assert (answer.status, answer.text) == (503, "waiting for redis\n")
            assert (await client.get("/healthz")).status == 200
            job = Work(api).queue()
            states = await client.data("{ jobs { nodes { id state } } }")
            assert states == {"nodes": [{"id": job.id, "state": "PENDING"}]}
            parts = await client.data("{ system { subsystems { name state } } }")
            assert {"name": "redis", "state": "WARN"} in parts["subsystems"]


@pytest.mark.postgres
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_missing_database_is_named_and_everything_says_so(
    tmp_path: Path, database_url: str, redis_url: str
):
    with (
        Cluster() as cluster,
        Api(tmp_path / "home", database_url=cluster.create(), redis_url=redis_url) as api,
    ):
        async with Client(api.url, api.admin) as client:
            arrive(api)
            assert (await client.get("/readyz")).status == 200
            cluster.stop()
            answer = await client.get("/readyz")
            assert (answer.status, answer.text) == (503, "waiting for database, workers\n")
            assert (await client.get("/healthz")).status == 200
            for answer in (
                await client.post({"query": "{ system { version } }"}),
                await client.get("/events"),
                await client.get("/metrics"),
            ):
                assert answer.status == 503
                assert answer.body["errors"][0]["extensions"]["code"] == "UNAVAILABLE"


async def test_volume_that_is_gone_is_told_but_keeps_nobody_waiting(api: Api, admin: Client):
    arrive(api)
    shutil.rmtree(api.settings.weights.root)
    assert (await admin.get("/readyz")).status == 200
    body = await admin.ask("{ system { subsystems { name state message } storage { used } } }")
    assert "errors" not in body, body
    parts = {part["name"]: part for part in body["data"]["system"]["subsystems"]}
    assert body["data"]["system"]["storage"] == []
    assert parts["weights"]["state"] == "FAIL"
    assert str(api.settings.weights.root) in parts["weights"]["message"]
    error = await admin.refused("{ storage { used } }")
    assert error["extensions"] == {"code": "UNAVAILABLE", "hint": "is its volume mounted?"}


async def test_metrics_need_a_token_and_count_requests(api: Api, admin: Client, anyone: Client):
    assert (await anyone.get("/metrics")).status == 401
    before = await numbers(admin)
    for _ in range(3):
        await admin.data("{ system { version } }")
    await anyone.post({"query": "{ system { version } }"})
    await anyone.get("/nothing/of/the/kind")
    after = await numbers(admin)

    def rise(*sample: str) -> float:
        return after[sample] - before.get(sample, 0)

    assert rise("mllm_http_requests_total", "/graphql", "200") == 3
    assert rise("mllm_http_requests_total", "/graphql", "401") == 1
    assert rise("mllm_http_requests_total", "/metrics", "200") == 1
    assert rise("mllm_http_requests_total", "other", "404") == 1
    assert rise("mllm_http_request_seconds_count", "/graphql") == 4
    assert not [sample for sample in after if "/nothing/of/the/kind" in sample]


async def test_metrics_show_jobs_workers_storage_and_subscriptions(
    api: Api, admin: Client, work: Work
):
    before = await numbers(admin)
    assert before["mllm_jobs", "PENDING"] == 0
    assert before["mllm_workers",] == 0
    work.install("tiny")
    work.queue("waiting", sizes=(7,))
    arrive(api)
    async with admin.events() as frames, admin.socket():
        await anext(frames)
        await until(lambda: api.subscriptions == 1)
        shown = await numbers(admin)
    assert (shown["mllm_jobs", "PENDING"], shown["mllm_jobs", "COMPLETED"]) == (1, 1)
    assert shown["mllm_workers",] == 1
    assert shown["mllm_storage_bytes", "used", "default"] == 100
    assert shown["mllm_storage_bytes", "reserved", "default"] == 7
    assert shown["mllm_storage_bytes", "available", "default"] > 0
    assert shown["mllm_bus_subscriptions",] == 1
    assert shown["mllm_bus_connected",] == 1
    assert shown["mllm_connections", "websocket"] == 1
    assert shown["mllm_connections", "http"] >= 2
    assert shown["mllm_bus_received_total",] > before["mllm_bus_received_total",]
    assert shown["process_resident_memory_bytes",] > 0
