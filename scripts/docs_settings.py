"""The tables of docs/configuration.md, from the groups of infra/settings.py."""

from collections.abc import Iterator
from typing import Any

from annotated_types import Ge, Gt, Le
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

from infra import settings
from scripts.docs_meanings import DEFAULTS, MEANINGS

UNITS = {"_bytes": "bytes", "_percent": "percent", "_days": "days", "_s": "seconds"}
GROUPS: dict[str, type[BaseSettings]] = {"home": settings.Home, **settings._GROUPS}


def tables() -> str:
    """One table for each group, in the order in which the settings declare them."""
    return "\n".join(_table(name, group) for name, group in GROUPS.items())


def _table(name: str, group: type[BaseSettings]) -> str:
    about = (group.__doc__ or "").strip()
    head = f"### {name}\n\n{about}\n\n| variable | default | unit | meaning |\n|---|---|---|---|\n"
    rows = (_row(name, field, info) for field, info in group.model_fields.items())
    return head + "".join(f"{row}\n" for row in rows)


def _row(group: str, field: str, info: FieldInfo) -> str:
    names = "<br>".join(f"`{name}`" for name in settings._names(GROUPS[group], field))
    key = f"{group}.{field}"
    meaning = info.description or MEANINGS[key]
    limits = ", ".join(_limits(info))
    told = f"{meaning} ({limits})" if limits else meaning
    return f"| {names} | {_default(key, info)} | {_unit(field)} | {told} |"


def _default(key: str, info: FieldInfo) -> str:
    if key in DEFAULTS:
        return DEFAULTS[key]
    value: Any = info.get_default(call_default_factory=True, validated_data={})
    if value is None:
        return "not set"
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return f"`{_short(value) if isinstance(value, int) and value >= 1 << 16 else text}`"


def _short(value: int) -> str:
    for name, factor in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if value % factor == 0:
            return f"{value} ({value // factor} {name})"
    return str(value)


def _unit(field: str) -> str:
    return next((unit for end, unit in UNITS.items() if field.endswith(end)), "–")


def _limits(info: FieldInfo) -> Iterator[str]:
    for limit in info.metadata:
        match limit:
            case Ge(ge=value):
                yield f"at least {value}"
            case Gt(gt=value):
                yield f"more than {value}"
            case Le(le=value):
                yield f"at most {value}"
    for choice in getattr(info.annotation, "__args__", ()):
        if isinstance(choice, str):
            yield f"`{choice}`"
