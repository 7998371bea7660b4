"""GET /v1/settings: what the runner was started with, without its secrets."""

import re
from pathlib import Path
from typing import Any

from aiohttp import web
from pydantic import BaseModel, Field, JsonValue, SecretStr

from qflow_runner.api.state import STATE
from qflow_runner.settings import Settings

SET = "(set)"

_USER = re.compile(r"://[^/@\s]*@")
"""Name and password in an address."""


class SettingRow(BaseModel):
    """A secret's value is "(set)", or null."""

    name: str = Field(description="The variable that sets it")
    value: JsonValue
    default: JsonValue = Field(description="What it is where nothing sets it")
    unit: str
    help: str


class SettingList(BaseModel):
    settings: list[SettingRow]


async def list_settings(request: web.Request) -> web.Response:
    reply = SettingList(settings=rows_of(request.app[STATE].settings))
    return web.json_response(text=reply.model_dump_json())


def rows_of(settings: Settings) -> list[SettingRow]:
    rows: list[SettingRow] = []
    for name, field in sorted(Settings.model_fields.items()):
        extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
        default = field.get_default(call_default_factory=True, validated_data={})
        rows.append(
            SettingRow(
                name=f"QFLOW_{name.upper()}",
                value=_shown(getattr(settings, name)),
                default=_shown(default),
                unit=str(extra.get("unit", "")),
                help=field.description or "",
            )
        )
    return rows


def _shown(value: Any) -> JsonValue:
    """Whatever may hold a secret within says only whether it is set."""
    if isinstance(value, SecretStr):
        return SET if value.get_secret_value() else None
    if isinstance(value, str):
        return _USER.sub("://***@", value)
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, tuple | list | set | frozenset):
        return [_shown(each) for each in value]
    return str(value)
