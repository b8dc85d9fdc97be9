"""`mllm-server up`: everything on this machine under one supervisor.

Takes the lock of the state folder before anything slow is loaded, so that a second instance is
refused at once; the rest is `server.laptop`.
"""

import importlib
import os
import sys
from contextlib import closing

from server.console import Console
from server.home import Home, HomeError
from server.signals import Signals


def main() -> int:
    """Runs until a stop signal. 0: all ended cleanly; 1: it could not start, or had to kill."""
    console = Console()
    try:
        home = Home.open(Home.locate(os.environ))
    except HomeError as e:
        sys.stderr.write(f"{e}\n")
        return 1
    # The settings of this process and of its children must mean the folder that is locked.
    os.environ["MLLM_HOME"] = str(home.path)
    with closing(home), Signals() as signals:
        laptop = importlib.import_module("server.laptop")
        return int(laptop.serve(home, console=console, signals=signals))
