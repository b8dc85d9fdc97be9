"""Settings: every mistake at once, every name known, no secret shown."""

import json
import os
from pathlib import Path

import pytest
from pydantic_settings import BaseSettings

from infra import settings
from infra.settings import SettingsError, load, redacted, unknown_variables


@pytest.fixture(autouse=True)
def environ(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """Nothing but the home is set."""
    for name in list(os.environ):
        if name.startswith(("MLLM_", "HF_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("MLLM_HOME", str(tmp_path))
    return monkeypatch


def test_defaults_hang_below_the_home(tmp_path: Path):
    read = load()
    assert read.home == tmp_path
    assert read.database.url == f"sqlite:///{tmp_path}/mllm.db"
    assert read.weights.root == tmp_path / "weights"
    assert (read.http.host, read.http.port) == ("127.0.0.1", 8080)
    assert (read.redis.url, read.hub.token, read.embedded) == ("", None, False)


def test_paths_become_absolute(environ, tmp_path: Path):
    environ.chdir(tmp_path)
    environ.setenv("HOME", str(tmp_path))
    environ.setenv("MLLM_HOME", "~/state")
    environ.setenv("MLLM_WEIGHTS_ROOT", "disk")
    read = load()
    assert read.home == tmp_path / "state"
    assert read.weights.root == tmp_path / "disk"


@pytest.mark.parametrize(
    ("variable", "value", "group", "field"),
    [
        ("MLLM_HOST", "0.0.0.0", "http", "host"),
        ("MLLM_HTTP__HOST", "0.0.0.0", "http", "host"),
        ("MLLM_PORT", "81", "http", "port"),
        ("MLLM_HTTP__PORT", "81", "http", "port"),
        ("MLLM_DATABASE_URL", "postgresql://x", "database", "url"),
        ("MLLM_DATABASE__URL", "postgresql://x", "database", "url"),
        ("MLLM_REDIS_URL", "redis://x", "redis", "url"),
        ("MLLM_REDIS__URL", "redis://x", "redis", "url"),
        ("MLLM_WEIGHTS_ROOT", "/disk", "weights", "root"),
        ("MLLM_WEIGHTS__ROOT", "/disk", "weights", "root"),
        ("HF_ENDPOINT", "http://hub", "hub", "endpoint"),
        ("MLLM_HUB__ENDPOINT", "http://hub", "hub", "endpoint"),
        ("MLLM_LOG_LEVEL", "debug", "telemetry", "log_level"),
        ("MLLM_TELEMETRY__LOG_LEVEL", "debug", "telemetry", "log_level"),
        ("MLLM_JOBS__LEASE_TTL_S", "7.5", "jobs", "lease_ttl_s"),
        ("MLLM_LIMITS__BODY_BYTES", "2048", "limits", "body_bytes"),
    ],
)
def test_long_and_short_names(environ, variable: str, value: str, group: str, field: str):
    environ.setenv(variable, value)
    assert str(getattr(getattr(load(), group), field)) == value
    assert unknown_variables({variable: value}) == []


@pytest.mark.parametrize("variable", ["HF_TOKEN", "MLLM_HUB__TOKEN"])
def test_token_of_the_hub(environ, variable: str):
    environ.setenv(variable, "hf_secret")
    token = load().hub.token
    assert token is not None
    assert token.get_secret_value() == "hf_secret"
    assert "hf_secret" not in repr(load())


def test_short_name_wins_over_the_long_one(environ):
    environ.setenv("MLLM_HTTP__PORT", "1")
    environ.setenv("MLLM_PORT", "2")
    assert load().http.port == 2


def test_variables_without_the_prefix_mean_nothing(environ):
    for name in ("HOST", "PORT", "URL", "ROOT", "PATH_", "TOKEN", "ENDPOINT", "DEPTH"):
        environ.setenv(name, "1")
    read = load()
    assert (read.http.host, read.http.port, read.hub.token) == ("127.0.0.1", 8080, None)
    assert read.limits.depth == 12


def test_every_mistake_is_told_at_once_with_its_variable(environ):
    environ.setenv("MLLM_PORT", "http")
    environ.setenv("MLLM_JOBS__LEASE_TTL_S", "1")
    environ.setenv("MLLM_JOBS__CONCURRENCY", "many")
    environ.setenv("MLLM_TELEMETRY__LOG_FORMAT", "xml")
    environ.setenv("MLLM_WEIGHTS__KEEP_FREE_PERCENT", "101")
    with pytest.raises(SettingsError) as e:
        load()
    head, *lines = str(e.value).splitlines()
    assert head == "settings:"
    assert [line.strip().partition(":")[0] for line in lines] == [
        "MLLM_PORT",
        "MLLM_WEIGHTS__KEEP_FREE_PERCENT",
        "MLLM_JOBS__CONCURRENCY",
        "MLLM_JOBS__LEASE_TTL_S",
        "MLLM_TELEMETRY__LOG_FORMAT",
    ]
    assert all(len(line.partition(": ")[2]) > 10 for line in lines)


def test_mistake_names_the_variable_that_was_set(environ):
    environ.setenv("MLLM_HTTP__PORT", "http")
    with pytest.raises(SettingsError, match="MLLM_HTTP__PORT: "):
        load()


def test_unknown_variable_is_told_with_the_nearest_name():
    found = unknown_variables(
        {"MLLM_PROT": "1", "MLLM_JOBS__LEASE_TTL": "1", "MLLM_QQQQQQ": "1", "PATH": "x"}
    )
    assert found == [
        "MLLM_JOBS__LEASE_TTL is not a setting; did you mean MLLM_JOBS__LEASE_TTL_S?",
        "MLLM_PROT is not a setting; did you mean MLLM_PORT?",
        "MLLM_QQQQQQ is not a setting",
    ]


def test_names_of_other_programs_are_known():
    names = ["MLLM_SERVER", "MLLM_TOKEN", "MLLM_CONTEXT", "MLLM_CONFIG", "MLLM_TEST_X"]
    assert unknown_variables(dict.fromkeys(names, "1")) == []


def test_every_field_of_every_group_is_a_known_variable():
    read = load()
    groups = [getattr(read, name) for name in settings.Settings.__slots__]
    names = [
        f"MLLM_{type(group).__name__.upper()}__{field.upper()}"
        for group in groups
        if isinstance(group, BaseSettings)
        for field in type(group).model_fields
    ]
    assert len(names) > 30
    assert unknown_variables(dict.fromkeys(names, "1")) == []


def test_settings_do_not_change():
    with pytest.raises(Exception, match="frozen"):
        load().http.port = 1


SECRET = "s3cr3t"


@pytest.mark.parametrize(
    ("variable", "url", "shown"),
    [
        ("MLLM_DATABASE_URL", f"postgresql://ann:{SECRET}@db/x", "postgresql://***@db/x"),
        ("MLLM_DATABASE_URL", f"postgresql://ann:a@{SECRET}@db/x", "postgresql://***@db/x"),
        (
            "MLLM_DATABASE_URL",
            f"postgresql://db/x?user=ann&password={SECRET}&ssl=1",
            "postgresql://db/x?user=ann&password=***&ssl=1",
        ),
        ("MLLM_REDIS_URL", f"rediss://:{SECRET}@cache:6379/0", "rediss://***@cache:6379/0"),
        ("MLLM_REDIS_URL", f"unix://:{SECRET}@/run/v.sock", "unix://***@/run/v.sock"),
        ("MLLM_REDIS_URL", f"unix:///v.sock?password={SECRET}", "unix:///v.sock?password=***"),
        ("HF_ENDPOINT", f"https://ann:{SECRET}@mirror/hf", "https://***@mirror/hf"),
        ("MLLM_REDIS_URL", "redis://cache:6379/0", "redis://cache:6379/0"),
    ],
)
def test_credentials_in_addresses_are_not_shown(environ, variable: str, url: str, shown: str):
    environ.setenv(variable, url)
    text = json.dumps(redacted(load()))
    assert SECRET not in text
    assert json.dumps(shown) in text


def test_token_is_not_shown(environ):
    environ.setenv("HF_TOKEN", f"hf_{SECRET}")
    shown = redacted(load())
    assert SECRET not in json.dumps(shown)
    assert shown["hub"]["token"]


def test_everything_else_is_shown(tmp_path: Path):
    shown = redacted(load())
    assert shown["home"] == str(tmp_path)
    assert shown["database"]["url"] == f"sqlite:///{tmp_path}/mllm.db"
    assert shown["jobs"] == load().jobs.model_dump()
    assert set(shown) == set(settings.Settings.__slots__)
