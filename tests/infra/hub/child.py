"""A transfer in a process of its own, that a test can kill: `python -m tests.infra.hub.child`.

Takes what it needs as JSON on stdin; tells the bytes it has, a line each time there are more.
"""

import json
import subprocess
import sys
import threading
from pathlib import Path

from infra.hub.snapshot import HubFile
from infra.hub.transfer.engine import transfer
from infra.hub.transfer.plan import TransferPlan


class Teller:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._bytes = 0

    def file_started(self, path: str) -> None: ...

    def advanced(self, path: str, bytes_delta: int) -> None:
        with self._lock:
            self._bytes += bytes_delta
            sys.stdout.write(f"{self._bytes}\n")
            sys.stdout.flush()

    def file_verified(self, path: str, sha256: str) -> None: ...

    def retried(self, path: str, reason: str, delay_s: float) -> None: ...


def killed_at(plan: TransferPlan, staging: Path, size_bytes: int) -> int:
    """Runs it until it has that many bytes, kills it, and gives the bytes it told last."""
    order = {
        "staging": str(staging),
        "plan": {
            "endpoint": plan.endpoint,
            "repo": plan.repo,
            "revision": plan.revision,
            "parallel_files": plan.parallel_files,
            "timeout_s": plan.timeout_s,
        },
        "files": [[f.path, f.size_bytes, f.sha256, f.blob_id] for f in plan.files],
    }
    told = 0
    command = [sys.executable, "-m", "tests.infra.hub.child"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        try:
            assert child.stdin is not None
            assert child.stdout is not None
            child.stdin.write(json.dumps(order))
            child.stdin.close()
            for line in child.stdout:
                told = int(line)
                if told >= size_bytes:
                    break
            assert told >= size_bytes, "it ended before it could be killed"
        finally:
            child.kill()
            child.wait(10)
    return told


def main() -> None:
    order = json.load(sys.stdin)
    files = tuple(HubFile(*file) for file in order["files"])
    plan = TransferPlan(token=None, files=files, **order["plan"])
    transfer(plan, Path(order["staging"]), Teller(), threading.Event())


if __name__ == "__main__":
    main()
