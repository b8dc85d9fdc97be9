"""What `mllm-server up` shows on its terminal: one line per part, with its state and the time."""

import os
import sys
import time
from collections.abc import Sequence

_STARTED = time.monotonic()


class Console:
    """Writes to the standard output; a terminal that went away is no reason to stop."""

    def part(self, name: str, state: str, detail: str = "") -> None:
        """One line about one part; the time is since the start of the command."""
        self.text(f"{name:<9} {state:<8} {elapsed_s():5.1f} s   {detail}".rstrip())

    def entry(self, name: str, value: str) -> None:
        self.text(f"{name:<9} {value}")

    def lines(self, lines: Sequence[str]) -> None:
        """A quotation, indented: the last words of a process."""
        for line in lines:
            self.text(f"          | {line}")

    def text(self, line: str) -> None:
        try:
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()
        except OSError:
            # What is still buffered would fail again in every fork and at the exit
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, sys.stdout.fileno())
            os.close(null)


def elapsed_s() -> float:
    """Seconds since this command was loaded."""
    return time.monotonic() - _STARTED
