"""`mllm-server api`: uvicorn with the application."""

import os
import socket
import sys

import uvicorn

from infra.logging import configure
from infra.settings import Settings, SettingsError, load, unknown_variables
from server.app import create_app

GRACE_S = 5


def main() -> int:
    """Serves until SIGTERM or SIGINT. `MLLM_LISTEN_FD`: a listening socket that the parent keeps
    over restarts.
    """
    try:
        settings = load()
    except SettingsError as e:
        sys.stderr.write(f"{e}\n")
        return 2
    configure(settings.telemetry, process="api")
    for warning in unknown_variables(os.environ):
        sys.stderr.write(f"settings: {warning}\n")
    inherited = os.environ.get("MLLM_LISTEN_FD")
    server = uvicorn.Server(configuration(settings))
    # uvicorn takes a descriptor for a unix socket: then nobody sets TCP_NODELAY on its connections,
    # and each answer waits 40 ms for the client's delayed acknowledgement.
    server.run(sockets=[socket.socket(fileno=int(inherited))] if inherited else None)
    return 0 if server.started else 3


def configuration(settings: Settings) -> uvicorn.Config:
    """uvicorn as this server needs it, on the address of the settings unless it is handed a
    socket.
    """
    return uvicorn.Config(
        create_app(settings),
        host=settings.http.host,
        port=settings.http.port,
        loop="uvloop",
        http="httptools",
        ws="websockets-sansio",
        ws_max_size=settings.limits.websocket_message_bytes,
        # A frame compressed for one connection cannot be shared by others.
        ws_per_message_deflate=False,
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=GRACE_S,
    )
