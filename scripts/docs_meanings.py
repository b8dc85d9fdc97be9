"""Words for settings whose name and default do not say all; a test keeps this list minimal."""

# Defaults that are computed from another setting when the environment is read.
DEFAULTS = {
    "database.url": "`sqlite:///$MLLM_HOME/mllm.db`",
    "home.path": "`~/.local/share/mllm`",
    "redis.url": "embedded under `up`, else required",
    "weights.root": "`$MLLM_HOME/weights`",
}

# For fields without a description of their own in infra/settings.py.
MEANINGS = {
    "database.url": "Database. SQLite is refused on a network file system.",
    "feed.stream_max_entries": "Entries the stream keeps, roughly: it is transport, not the log.",
    "feed.subscriber_queue": "Signals one subscriber may have unread before they become one gap.",
    "home.path": "State folder: database, Valkey, token, logs, lock. Made with mode 0700.",
    "http.host": "Address the api listens on.",
    "http.port": "Port the api listens on; 0 takes any free one.",
    "hub.endpoint": "Address of the hub.",
    "hub.token": "Token for the hub. Sent to the endpoint's own origin only.",
    "jobs.heartbeat_s": "How often a worker renews the leases of its jobs, all in one statement.",
    "jobs.lease_ttl_s": "How long a job stays with a worker that no longer renews.",
    "jobs.max_attempts": "How often a job is tried before it fails.",
    "jobs.sweep_s": "How often each process looks for lost jobs, ± 20 %.",
    "limits.aliases": "Aliases in one document.",
    "limits.body_bytes": "Largest request body.",
    "limits.connection_init_s": "Time a WebSocket has to send connection_init.",
    "limits.depth": "Nesting of fields in one document; introspection does not count.",
    "limits.tokens": "Lexical tokens in one document.",
    "limits.websocket_message_bytes": "Largest message of a WebSocket.",
    "redis.url": "Redis or Valkey.",
    "telemetry.log_level": "Least severe level that is logged.",
    "weights.root": "Folder for installed weights. Staging lies below it, on the same volume.",
}
