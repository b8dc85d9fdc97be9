"""Settings, read once from the environment by each process; every field has its unit in its name.

A variable is `MLLM_<GROUP>__<FIELD>`; the few that people type often have a short name besides
(`MLLM_PORT`). A service is handed its group, never the whole.
"""

import difflib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

from pydantic import AliasChoices, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict


class SettingsError(Exception):
    """Every mistake in the environment, in one text for people."""


def _group(name: str) -> SettingsConfigDict:
    return SettingsConfigDict(
        env_prefix=f"MLLM_{name.upper()}__",
        env_ignore_empty=True,  # `MLLM_HOME=` in a unit file means "not set", as in the shell
        frozen=True,
        extra="ignore",
        populate_by_name=True,
    )


def _short(*names: str) -> AliasChoices:
    return AliasChoices(*names)


class Home(BaseSettings):
    """Where this installation keeps its state."""

    model_config = _group("home")
    path: Path = Field(
        default_factory=lambda: Path("~/.local/share/mllm"), validation_alias=_short("MLLM_HOME")
    )


class Http(BaseSettings):
    """The address of the api process."""

    model_config = _group("http")
    host: str = Field("127.0.0.1", validation_alias=_short("MLLM_HOST", "MLLM_HTTP__HOST"))
    port: int = Field(8080, ge=0, le=65535, validation_alias=_short("MLLM_PORT", "MLLM_HTTP__PORT"))


class Database(BaseSettings):
    """`sqlite:///PATH` or `postgresql://…`."""

    model_config = _group("database")
    url: str = Field(
        "", validation_alias=_short("MLLM_DATABASE_URL", "MLLM_DATABASE__URL"), repr=False
    )
    pool_size: int = Field(5, ge=1, description="Connections each process keeps to Postgres.")
    ballast_bytes: int = Field(
        16 << 20,
        ge=0,
        description="Room kept beside SQLite, to record that jobs failed on a full disk.",
    )


class Redis(BaseSettings):
    """`redis://`, `rediss://` or `unix://`; embedded under `mllm-server up`."""

    model_config = _group("redis")
    url: str = Field("", validation_alias=_short("MLLM_REDIS_URL", "MLLM_REDIS__URL"), repr=False)


class Weights(BaseSettings):
    """The volume that holds the weights, and how serving pods see it."""

    model_config = _group("weights")
    root: Path = Field(Path(), validation_alias=_short("MLLM_WEIGHTS_ROOT", "MLLM_WEIGHTS__ROOT"))
    pvc_name: str | None = Field(
        None, description="Claim that is mounted at the root; None: storage URIs are file://."
    )
    inference_root: str = Field(
        "/mnt/models", description="Where the serving container mounts the weights."
    )
    keep_free_bytes: int = Field(
        1 << 30, ge=0, description="An install leaves at least this much of the volume free …"
    )
    keep_free_percent: float = Field(2.0, ge=0, le=100, description="… and at least this share.")


class Hub(BaseSettings):
    """The Hugging Face Hub, or one that speaks its protocol."""

    model_config = _group("hub")
    endpoint: str = Field(
        "https://huggingface.co", validation_alias=_short("HF_ENDPOINT", "MLLM_HUB__ENDPOINT")
    )
    token: SecretStr | None = Field(None, validation_alias=_short("HF_TOKEN", "MLLM_HUB__TOKEN"))
    timeout_s: float = Field(10, gt=0, description="Connect, and silence of a peer while reading.")
    parallel_files: int = Field(4, ge=1, le=32, description="Large files of one job at a time.")
    connections: int = Field(
        4, ge=1, le=64, description="Connections of one job to begin with, each a thread."
    )
    max_connections: int = Field(
        32, ge=1, le=64, description="The most of them, if each doubling brings a tenth more."
    )


class Jobs(BaseSettings):
    """The job protocol: leases, retries, concurrency."""

    model_config = _group("jobs")
    concurrency: int = Field(4, ge=1, le=100, description="Jobs that one worker runs at a time.")
    lease_ttl_s: float = Field(5, ge=2)
    heartbeat_s: float = Field(1, gt=0)
    sweep_s: float = Field(1, gt=0)
    max_attempts: int = Field(5, ge=1)
    max_attempts_by_kind: dict[str, int] = Field(
        default_factory=dict, description='As JSON, e.g. {"WEIGHTS_INSTALL": 8}; else max_attempts.'
    )
    max_crashes: int = Field(5, ge=1, description="Workers a job may take down before it fails.")
    keep_failed_s: float = Field(
        86_400, ge=0, description="How long what a failed job has done is kept for its retry."
    )
    keep_ended_days: float = Field(
        30, ge=0, description="Ended jobs and their logs are removed after that; 0: never."
    )
    housekeeping_every_s: float = Field(
        60, gt=0, description="How often what is kept no longer is looked for."
    )
    housekeeping_lease_s: float = Field(
        30, ge=1, description="After that another sync process takes over from a dead one."
    )


class Feed(BaseSettings):
    """The event log and its transport."""

    model_config = _group("feed")
    seed_count: int = Field(20, ge=0, le=1000, description="Events an SSE client is seeded with.")
    heartbeat_s: float = Field(15, gt=0, description="Silence after which SSE sends a comment.")
    keep_days: float = Field(7, ge=0, description="Events are removed after that; 0: never.")
    keep_rows: int = Field(
        1_000_000, ge=0, description="Events that are kept, the latest ones; 0: any number."
    )
    keep_samples_s: float = Field(
        3600, ge=0, description="Samples of progress are removed sooner; 0: as other events."
    )
    stream_max_entries: int = Field(10_000, ge=1000)
    subscriber_queue: int = Field(256, ge=16)


class Limits(BaseSettings):
    """What one request may cost."""

    model_config = _group("limits")
    depth: int = Field(12, ge=1)
    tokens: int = Field(1000, ge=100)
    aliases: int = Field(20, ge=1)
    body_bytes: int = Field(1 << 20, ge=1024)
    websocket_message_bytes: int = Field(256 << 10, ge=1024)
    connection_init_s: float = Field(5, gt=0)


class Auth(BaseSettings):
    """Tokens."""

    model_config = _group("auth")
    admin_token: SecretStr | None = Field(
        None,
        min_length=20,
        validation_alias=_short("MLLM_ADMIN_TOKEN", "MLLM_AUTH__ADMIN_TOKEN"),
        description="The admin token of a server that is not started by `up`, e.g. from a Secret.",
    )


class Telemetry(BaseSettings):
    """Logs."""

    model_config = _group("telemetry")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", validation_alias=_short("MLLM_LOG_LEVEL", "MLLM_TELEMETRY__LOG_LEVEL")
    )
    log_format: Literal["auto", "json", "console"] = Field(
        "auto", description="auto: console on a terminal, else json."
    )


@dataclass(frozen=True, slots=True)
class Settings:
    """Every group. `embedded`: this process was started by `mllm-server up`."""

    home: Path
    embedded: bool
    http: Http
    database: Database
    redis: Redis
    weights: Weights
    hub: Hub
    jobs: Jobs
    feed: Feed
    limits: Limits
    auth: Auth
    telemetry: Telemetry


# Both databases and Redis also take a password as a parameter.
_USER_INFO = re.compile(r"(?<=://).*(?=@)")
_SECRET_PARAMETER = re.compile(r"([?&]\w*(?:password|token|secret)\w*=)[^&#]*", re.IGNORECASE)

# What the command line, the tests and `up` read for themselves.
_KNOWN_ELSEWHERE = frozenset(
    {
        "MLLM_SERVER",
        "MLLM_TOKEN",
        "MLLM_CONTEXT",
        "MLLM_CONFIG",
        "MLLM_EMBEDDED",
        "MLLM_LISTEN_FD",
        "MLLM_DEBUG",
    }
)
_GROUPS: dict[str, type[BaseSettings]] = {
    "http": Http,
    "database": Database,
    "redis": Redis,
    "weights": Weights,
    "hub": Hub,
    "jobs": Jobs,
    "feed": Feed,
    "limits": Limits,
    "auth": Auth,
    "telemetry": Telemetry,
}


def load() -> Settings:
    """Reads the process's environment; raises SettingsError with every mistake at once.

    Effects: none; folders are made by who needs them.
    """
    mistakes: list[str] = []
    groups: dict[str, Any] = {}
    home = Home().path.expanduser().absolute()
    for name, group in _GROUPS.items():
        try:
            groups[name] = group()
        except ValidationError as e:
            mistakes += [f"{_variable(group, m['loc'])}: {m['msg']}" for m in e.errors()]
    if mistakes:
        raise SettingsError("settings:\n  " + "\n  ".join(mistakes))
    if not groups["database"].url:
        url = f"sqlite:///{home}/mllm.db"
        groups["database"] = groups["database"].model_copy(update={"url": url})
    weights: Weights = groups["weights"]
    root = weights.root.expanduser() if weights.root != Path() else home / "weights"
    groups["weights"] = weights.model_copy(update={"root": root.absolute()})
    return Settings(home=home, embedded=os.environ.get("MLLM_EMBEDDED") == "1", **groups)


def unknown_variables(environ: Mapping[str, str]) -> list[str]:
    """One warning per `MLLM_` variable that no setting reads, with the nearest known name."""
    known = _variables() | _KNOWN_ELSEWHERE
    warnings = []
    for name in sorted(environ):
        if name.startswith("MLLM_") and not name.startswith("MLLM_TEST_") and name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            warnings.append(f"{name} is not a setting{hint}")
    return warnings


def redacted(settings: Settings) -> dict[str, Any]:
    """The settings for people to read: secrets and the credentials in URLs are left out."""
    shown: dict[str, Any] = {"home": str(settings.home), "embedded": settings.embedded}
    for field in fields(settings):
        group = getattr(settings, field.name)
        if isinstance(group, BaseSettings):
            values = group.model_dump(mode="json")
            shown[field.name] = {key: _shown(value) for key, value in values.items()}
    return shown


def _shown(value: Any) -> Any:
    if not isinstance(value, str) or "://" not in value:
        return value
    return _SECRET_PARAMETER.sub(r"\1***", _USER_INFO.sub("***", value))


def _variables() -> set[str]:
    names = {"MLLM_HOME"}
    for group in _GROUPS.values():
        for field in group.model_fields:
            names.update(_names(group, field))
    return names


def _names(group: type[BaseSettings], field: str) -> list[str]:
    alias = group.model_fields[field].validation_alias
    if isinstance(alias, AliasChoices):
        return [str(choice) for choice in alias.choices]
    return [f"{group.model_config.get('env_prefix', '')}{field}".upper()]


def _variable(group: type[BaseSettings], location: tuple[int | str, ...]) -> str:
    """The name that was set, of those the field has."""
    head = str(location[0])
    for field in group.model_fields:
        names = _names(group, field)
        if head == field or head in names:
            return next((name for name in names if name in os.environ), names[0])
    return head
