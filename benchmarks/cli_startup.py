"""How long `mllm` takes from the shell, with a running server: medians of interleaved runs, in ms.

Run `make serve` first, or set MLLM_SERVER and MLLM_TOKEN. Bytecode is written, as it is for users.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

MLLM = Path(sys.executable).parent / "mllm"
COMMANDS = ("--version", "--help", "jobs list")
LIMITS_MS = {"--version": 120, "--help": 400, "jobs list": 500}


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--runs", type=int, default=9)
    runs = max(5, arguments.parse_args().runs)
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    for command in COMMANDS:  # writes the bytecode, and shows a missing server before measuring
        subprocess.run(
            [MLLM, *command.split()], env=environment, check=True, stdout=subprocess.DEVNULL
        )
    taken: dict[str, list[float]] = {command: [] for command in COMMANDS}
    for _ in range(runs):
        for command in COMMANDS:
            taken[command].append(wall_ms(command, environment))
    print(f"{'mllm':<12}{'median ms':>10}{'min':>8}{'max':>8}{'limit':>8}   ({runs} runs)")
    for command, times in taken.items():
        median, limit = statistics.median(times), LIMITS_MS[command]
        print(f"{command:<12}{median:>10.0f}{min(times):>8.0f}{max(times):>8.0f}{limit:>8}")
    return 0


def wall_ms(command: str, environment: dict[str, str]) -> float:
    """Wall time of one run, process start included."""
    started = time.perf_counter()
    subprocess.run([MLLM, *command.split()], env=environment, check=True, stdout=subprocess.DEVNULL)
    return (time.perf_counter() - started) * 1000


if __name__ == "__main__":
    sys.exit(main())
