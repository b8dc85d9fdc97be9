"""The processes of one installation, each its own: api, workers, Valkey; started, hit, ended.

Every one of them dies with this process, and `close` ends by process id what still lives.
"""

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from infra.processes import die_with_parent
from infra.valkey import Valkey
from tests.chaos.trail import TRAIL_VARIABLE
from tests.stack import ROOT, environment

START_TIMEOUT_S = 30
END_TIMEOUT_S = 20


@dataclass(slots=True, eq=False)
class Worker:
    """One life of a worker process. Monotonic seconds; `stops`: when it stood still."""

    process: subprocess.Popen[bytes]
    log: Path
    trail: Path
    started_s: float
    told_to_end_s: float | None = None
    killed_s: float | None = None
    stops: list[tuple[float, float]] = field(default_factory=list)

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def running(self) -> bool:
        return self.process.poll() is None


class Installation:
    """`home` is made; the database is migrated. Start it from the main thread."""

    def __init__(self, home: Path, *, env: Mapping[str, str], workers: int) -> None:
        self.home = home
        home.mkdir(parents=True)
        self._valkey = Valkey.start(home / "valkey")
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._env = environment(
            home,
            {
                "MLLM_EMBEDDED": "1",
                "MLLM_REDIS_URL": self._valkey.url,
                "MLLM_WEIGHTS_ROOT": str(self.weights),
                "MLLM_LISTEN_FD": str(self._socket.fileno()),
                **env,
            },
        )
        self._api: subprocess.Popen[bytes] | None = None
        self.lives: list[Worker] = []
        self.workers: list[Worker | None] = [None] * workers

    @property
    def weights(self) -> Path:
        return self.home / "weights"

    @property
    def token(self) -> str:
        return (self.home / "admin.token").read_text().strip()

    async def start(self) -> None:
        self.start_api()
        for slot in range(len(self.workers)):
            self.start_worker(slot)
        await self._until((self.home / "admin.token").exists)

    def start_api(self) -> None:
        fd = self._socket.fileno()
        words = ["-m", "server", "api"]
        self._api = self._spawn(words, self.home / "api.log", env=self._env, pass_fds=(fd,))

    async def kill_api(self) -> None:
        assert self._api is not None
        await _kill(self._api)

    def start_worker(self, slot: int) -> Worker:
        name = f"worker-{len(self.lives):03}"
        log, trail = self.home / f"{name}.log", self.home / f"{name}.trail"
        env = {**self._env, TRAIL_VARIABLE: str(trail)}
        started_s = time.monotonic()
        process = self._spawn(["-m", "tests.chaos.worker"], log, env=env)
        worker = Worker(process, log, trail, started_s)
        self.workers[slot] = worker
        self.lives.append(worker)
        return worker

    async def kill_worker(self, worker: Worker) -> None:
        await _kill(worker.process)
        worker.killed_s = time.monotonic()

    async def end_worker(self, worker: Worker) -> None:
        """SIGTERM; killed where it does not end."""
        worker.told_to_end_s = time.monotonic()
        worker.process.send_signal(signal.SIGTERM)
        try:
            await asyncio.to_thread(worker.process.wait, END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            await self.kill_worker(worker)
            raise AssertionError(
                f"worker {worker.pid} did not end within {END_TIMEOUT_S} s"
            ) from None

    async def stop_worker(self, worker: Worker, stand_s: float) -> None:
        """SIGSTOP, and SIGCONT after that time."""
        worker.process.send_signal(signal.SIGSTOP)
        stopped_s = time.monotonic()
        try:
            await asyncio.sleep(stand_s)
        finally:
            worker.stops.append((stopped_s, time.monotonic()))
            worker.process.send_signal(signal.SIGCONT)

    async def kill_valkey(self) -> None:
        await _kill(self._valkey.process)

    def wipe_valkey(self) -> None:
        shutil.rmtree(self.home / "valkey" / "appendonlydir", ignore_errors=True)

    async def start_valkey(self) -> float:
        """Seconds until it answered."""
        began_s = time.monotonic()
        folder = self.home / "valkey"
        self._valkey = Valkey.spawn(folder, log_path=folder / "valkey.log")
        await self._until(self._valkey.ready)
        return time.monotonic() - began_s

    def close(self) -> None:
        """Ends everything that runs, whatever state it is in."""
        processes = [worker.process for worker in self.lives]
        processes += [self._api] if self._api is not None else []
        for process in processes:
            if process.poll() is None:
                process.kill()
            process.wait()
        self._valkey.stop()
        self._socket.close()

    def _spawn(
        self, words: list[str], log: Path, *, env: Mapping[str, str], pass_fds: tuple[int, ...] = ()
    ) -> subprocess.Popen[bytes]:
        with log.open("ab") as output:
            return subprocess.Popen(
                [sys.executable, *words],
                env=env,
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=pass_fds,
                preexec_fn=partial(die_with_parent, os.getpid(), signal.SIGKILL),
            )

    async def _until(self, condition: object) -> None:
        assert callable(condition)
        async with asyncio.timeout(START_TIMEOUT_S):
            while not condition():  # noqa: ASYNC110 - a file and a socket have no event
                await asyncio.sleep(0.01)


async def _kill(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    await asyncio.to_thread(process.wait)
