"""The command `mllm-server`: starts one room by its name, or all of them (`up`).

It imports no room, so that `--version` answers at once and the import contracts hold.
"""

import sys

from infra.version import VERSION
from server.rooms import ROOMS, run

_USAGE = """\
usage: mllm-server <process>

  up        everything on this machine: api, worker, sync, an embedded Valkey and SQLite
  api       GraphQL, subscriptions, events, health
  worker    runs jobs
  sync      the schedule and the consumers of the event feed
  migrate   brings the database to the current version, then ends

Settings come from the environment (MLLM_HOME, MLLM_HOST, MLLM_PORT, MLLM_DATABASE_URL,
MLLM_REDIS_URL, MLLM_WEIGHTS_ROOT, ...).
"""


def main(arguments: list[str] | None = None) -> int:
    """Runs one process; `arguments` None: those of the command line. Returns the exit status."""
    words = sys.argv[1:] if arguments is None else arguments
    match words:
        case ["--version" | "-V"]:
            sys.stdout.write(f"mllm-server {VERSION}\n")
            return 0
        case ["--help" | "-h" | "help"]:
            sys.stdout.write(_USAGE)
            return 0
        case [verb] if verb in ROOMS:
            return run(verb)
        case _:
            sys.stderr.write(f"mllm-server: cannot run {' '.join(words) or 'nothing'}\n\n{_USAGE}")
            return 2


if __name__ == "__main__":
    sys.exit(main())
