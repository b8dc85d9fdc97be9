"""Everything a process needs of the domain, opened once and closed in reverse."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from core.feed.service import Feed
from core.hub.service import Hub
from core.jobs.service import Jobs
from core.system.service import SystemService
from core.tokens.service import Tokens
from core.weights.service import WeightsService
from core.weights.volume import Volume
from infra.bus.backend import StreamLogBackend
from infra.bus.eventhub import EventHub
from infra.bus.signal import CHANNEL, Signal
from infra.db.store import Outbox, Store
from infra.hub.client import HubClient
from infra.queue import JobQueue
from infra.settings import Settings, SettingsError


@dataclass(frozen=True, slots=True)
class Services:
    """The nouns' services, and the adapters that composition roots connect to loops and routes."""

    settings: Settings
    store: Store
    queue: JobQueue
    bus: StreamLogBackend
    events: EventHub
    feed: Feed
    tokens: Tokens
    jobs: Jobs
    hub: Hub
    weights: WeightsService
    system: SystemService

    def tick(self, signal: Signal) -> None:
        """Tells every process to look again; nothing is stored."""
        self.bus.publisher.publish(CHANNEL, signal.encode())


@asynccontextmanager
async def open_services(settings: Settings, *, follows_events: bool) -> AsyncIterator[Services]:
    """Opens the adapters. `follows_events`: whether this process has subscribers, and so a reader.

    Raises SettingsError where something has no address. Redis and the hub may be away.
    """
    if not settings.redis.url:
        raise SettingsError(
            "settings:\n  MLLM_REDIS_URL is not set (`mllm-server up` brings its own)"
        )
    async with AsyncExitStack() as stack:
        store = Store(settings.database)
        stack.push_async_callback(store.close)
        queue = JobQueue(settings.redis.url)
        stack.push_async_callback(queue.aclose)
        bus = StreamLogBackend(settings.redis.url, max_entries=settings.feed.stream_max_entries)
        client = HubClient(settings.hub)
        stack.push_async_callback(client.aclose)

        def hand_on(outbox: Outbox) -> None:
            queue.wake(outbox.wake)
            for signal in outbox.signals:
                bus.publisher.publish(CHANNEL, signal.encode())

        store.on_commit = hand_on
        services = _services(settings, store, queue, bus, Hub(client))
        if follows_events:
            await stack.enter_async_context(services.events)
        else:
            await bus.connect()
            stack.push_async_callback(bus.disconnect)
        yield services


def _services(
    settings: Settings, store: Store, queue: JobQueue, bus: StreamLogBackend, hub: Hub
) -> Services:
    volume = Volume(settings.weights)
    volume.open()
    feed = Feed(store)
    jobs = Jobs(store, queue, settings.jobs)
    weights = WeightsService(store, hub, volume, settings.jobs)
    return Services(
        settings=settings,
        store=store,
        queue=queue,
        bus=bus,
        events=EventHub(bus, feed, queue_size=settings.feed.subscriber_queue),
        feed=feed,
        tokens=Tokens(store),
        jobs=jobs,
        hub=hub,
        weights=weights,
        system=SystemService(settings, store, queue, jobs, weights),
    )
