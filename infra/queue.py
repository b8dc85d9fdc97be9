"""The queue that wakes workers: arq's, over Redis or Valkey.

It carries nothing but ids. The row in the database is the job, so a wake-up may be lost, doubled or
late without harm: the sweeper sends it again, and the claim lets one worker win. Hence nothing here
raises into a caller's request.
"""

import asyncio
from collections.abc import Iterable, Sequence

import orjson
import structlog
from arq.connections import ArqRedis
from redis.asyncio import ConnectionPool
from redis.exceptions import RedisError

QUEUE = "mllm:queue"
FUNCTION = "run"
CANCEL_CHANNEL = "mllm:cancel"
# Everything that a connection to Redis can fail with; re-exported for the worker, which must
# survive all of it.
CONNECTION_ERRORS = (RedisError, OSError, TimeoutError)
# A wake-up that lies in the queue for longer was repaired by the sweeper long ago.
EXPIRES_MS = 7 * 86_400_000
TIMEOUT_S = 2.0

log = structlog.get_logger()


def connect(url: str) -> ArqRedis:
    """A client that connects when first used; JSON instead of arq's pickle, for the queue is not
    trusted with code.
    """
    pool: ConnectionPool = ConnectionPool.from_url(
        url, socket_timeout=10, socket_connect_timeout=1, max_connections=32
    )
    return ArqRedis(
        pool,
        job_serializer=orjson.dumps,
        job_deserializer=orjson.loads,
        default_queue_name=QUEUE,
        expires_extra_ms=EXPIRES_MS,
    )


class JobQueue:
    """Sends wake-ups. A wake id is `<job id>:<dispatch number>`, fresh for each dispatch."""

    def __init__(self, url: str) -> None:
        self.redis = connect(url)
        self._sending: set[asyncio.Task[None]] = set()

    def wake(self, wake_ids: Iterable[str]) -> None:
        """Sends the wake-ups in the background, each within two seconds or not at all."""
        for wake_id in wake_ids:
            task = asyncio.get_running_loop().create_task(self._send(wake_id))
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)

    def announce_cancel(self, job_id: str) -> None:
        """Tells the workers at once that a job is no longer theirs; their heartbeat would find
        out later.
        """
        task = asyncio.get_running_loop().create_task(self._publish(job_id))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def waiting(self, wake_ids: Sequence[str]) -> set[str] | None:
        """Those of the wake-ups that lie in the queue; None where the queue cannot be asked."""
        if not wake_ids:
            return set() if await self.connected() else None
        try:
            async with asyncio.timeout(TIMEOUT_S), self.redis.pipeline(transaction=False) as pipe:
                for wake_id in wake_ids:
                    pipe.zscore(QUEUE, wake_id)
                scores = await pipe.execute()
        except CONNECTION_ERRORS:
            return None
        return {w for w, score in zip(wake_ids, scores, strict=True) if score is not None}

    async def depth(self) -> int | None:
        """Wake-ups in the queue; None where it cannot be asked."""
        try:
            async with asyncio.timeout(TIMEOUT_S):
                return int(await self.redis.zcard(QUEUE))
        except CONNECTION_ERRORS:
            return None

    async def connected(self) -> bool:
        try:
            async with asyncio.timeout(TIMEOUT_S):
                await self.redis.ping()
        except CONNECTION_ERRORS:
            return False
        return True

    async def aclose(self) -> None:
        if self._sending:
            await asyncio.wait(self._sending, timeout=TIMEOUT_S)
        await self.redis.aclose(close_connection_pool=True)

    async def _send(self, wake_id: str) -> None:
        job_id = wake_id.partition(":")[0]
        try:
            async with asyncio.timeout(TIMEOUT_S):
                await self.redis.enqueue_job(FUNCTION, job_id, _job_id=wake_id)
        except CONNECTION_ERRORS as e:
            log.warning("queue.wake_failed", job_id=job_id, error=repr(e))

    async def _publish(self, job_id: str) -> None:
        try:
            async with asyncio.timeout(TIMEOUT_S):
                await self.redis.publish(CANCEL_CHANNEL, job_id)
        except CONNECTION_ERRORS as e:
            log.warning("queue.announce_failed", job_id=job_id, error=repr(e))
