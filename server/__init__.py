"""The front door: one ASGI app, no domain."""
