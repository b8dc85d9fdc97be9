"""A call that was made twice is one job, however far the first one has come meanwhile."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from core.errors import AlreadyExists
from core.hub.service import Hub
from core.jobs import claim
from core.principal import Principal, Scope
from core.weights.service import InstallRequest, WeightsService
from core.weights.volume import Volume
from infra.db.store import Store
from infra.hub.client import HubClient, HubSnapshot
from infra.settings import Hub as HubSettings
from infra.settings import Jobs as JobSettings
from infra.settings import Weights as WeightsSettings
from tests.fakes.hub import HubDouble, Repository

ANN = Principal("tok_ann", "ann", frozenset({Scope.WRITE}))
SMALL = Repository(id="a/small", files={"config.json": b"{}"})
ONCE = InstallRequest("a/small", target="a", idempotency_key="k")


class SlowHub(Hub):
    """`meanwhile` happens while the hub is asked."""

    meanwhile: Callable[[], Awaitable[object]] | None = None

    async def snapshot(self, repo: str, revision: str | None) -> HubSnapshot:
        if self.meanwhile is not None:
            happens, self.meanwhile = self.meanwhile, None
            await happens()
        return await super().snapshot(repo, revision)


@pytest.fixture
def double() -> Iterator[HubDouble]:
    with HubDouble([SMALL]) as double:
        yield double


@pytest.fixture
async def hub(double: HubDouble) -> AsyncIterator[SlowHub]:
    client = HubClient(HubSettings(endpoint=double.endpoint))
    yield SlowHub(client)
    await client.aclose()


@pytest.fixture
def weights(store: Store, hub: SlowHub, tmp_path: Path) -> WeightsService:
    volume = Volume(WeightsSettings(root=tmp_path / "w", keep_free_bytes=0, keep_free_percent=0))
    volume.open()
    return WeightsService(store, hub, volume, JobSettings())


async def test_second_call_joins_the_first_that_came_in_between(
    store: Store, hub: SlowHub, weights: WeightsService
):
    async def first() -> None:
        found.append(await weights.install(ONCE, ANN))

    found: list = []
    hub.meanwhile = first
    second = await weights.install(ONCE, ANN)
    assert second.job.id == found[0].job.id


@pytest.mark.parametrize("key", ["k", None])
async def test_second_call_answers_the_first_although_its_weights_are_there_by_now(
    store: Store, hub: SlowHub, weights: WeightsService, key: str | None
):
    """The harness asked again when the api died, and was told that its own weights exist."""
    request = InstallRequest("a/small", target="a", idempotency_key=key)
    found: list = []

    async def first_is_done() -> None:
        found.append(await weights.install(request, ANN))
        (weights.volume.root / "a").mkdir()
        await store.write(_completed, found[0].job.id)

    hub.meanwhile = first_is_done
    if key is None:
        with pytest.raises(AlreadyExists):
            await weights.install(request, ANN)
    else:
        second = await weights.install(request, ANN)
        assert (second.job.id, second.joined) == (found[0].job.id, False)


async def test_second_call_answers_the_first_although_it_has_let_go_by_now(
    store: Store, hub: SlowHub, weights: WeightsService
):
    found: list = []

    async def first_has_ended() -> None:
        found.append(await weights.install(ONCE, ANN))
        await store.write(_completed, found[0].job.id)

    hub.meanwhile = first_has_ended
    second = await weights.install(ONCE, ANN)
    assert (second.job.id, second.joined) == (found[0].job.id, False)


def _completed(tx, job_id) -> None:
    job = claim.claim(tx, owner="w", lease_ttl_s=60)
    assert job is not None
    claim.complete(tx, job.id, job.epoch, {}, message="", also=lambda _tx, _job: None)
