"""`python -m jobs worker|sync`."""

import sys

import uvloop

from infra.logging import configure
from infra.settings import SettingsError, load
from jobs.worker import serve


def main() -> int:
    match sys.argv[1:]:
        case [("worker" | "sync") as role]:
            pass
        case _:
            sys.stderr.write("usage: python -m jobs worker|sync\n")
            return 2
    try:
        settings = load()
        configure(settings.telemetry, process=role)
        uvloop.run(serve(settings, role))
    except SettingsError as e:
        sys.stderr.write(f"{e}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
