"""The processes by name: a room is found when it is started, never imported by another.

The names stand for `python -m server|jobs|watchers|migrations`.
"""

import importlib.util
import runpy
import sys
from dataclasses import dataclass

from setproctitle import setproctitle


@dataclass(frozen=True, slots=True)
class Room:
    """`module` is run as a program with `words` behind its name, or `calls_main`: its `main()` is.

    `preload`: what a parent imports before it forks this room.
    """

    module: str
    words: tuple[str, ...] = ()
    calls_main: bool = False
    preload: tuple[str, ...] = ()


ROOMS = {
    "api": Room("server.api", calls_main=True, preload=("server.api",)),
    "up": Room("server.up", calls_main=True),
    "worker": Room("jobs", ("worker",), preload=("jobs.worker",)),
    "sync": Room("jobs", ("sync",)),
    "watcher": Room("watchers"),
    "migrate": Room("migrations"),
}


def run(verb: str) -> int:
    """Becomes the process `verb` of `ROOMS` and returns its exit status.

    Mistakes in the settings are told in their own words, without a trace: status 2.
    """
    room = ROOMS[verb]
    setproctitle(f"mllm-server {verb}")
    if importlib.util.find_spec(room.module) is None:
        sys.stderr.write(f"mllm-server: {room.module} is not part of this installation\n")
        return 2
    try:
        if room.calls_main:
            return int(importlib.import_module(room.module).main() or 0)
        sys.argv = [room.module, *room.words]
        runpy.run_module(room.module, run_name="__main__", alter_sys=True)
    except SystemExit as e:
        return _status(e)
    except Exception as e:
        if not _is_settings_error(e):
            raise
        sys.stderr.write(f"{e}\n")
        return 2
    return 0


def _status(end: SystemExit) -> int:
    if end.code is None or isinstance(end.code, int):
        return end.code or 0
    sys.stderr.write(f"{end.code}\n")
    return 1


def _is_settings_error(e: Exception) -> bool:
    # Compared without importing: the settings cost 0.2 s, and `run` begins every process.
    settings = sys.modules.get("infra.settings")
    return settings is not None and isinstance(e, settings.SettingsError)
