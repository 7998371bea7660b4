"""What a start of the runner does about access: which secrets are masked, what is noted, what is watched."""

import asyncio
import gc
import signal
from typing import Any

import structlog
from aiohttp import web
from pydantic import SecretStr

from qflow_runner import __version__
from qflow_runner.api.connections import CONNECTIONS
from qflow_runner.api.state import State
from qflow_runner.api.tls import Certificate
from qflow_runner.audit import Who
from qflow_runner.background import Background
from qflow_runner.egress import Event
from qflow_runner.errors import QflowError
from qflow_runner.observe.masking import masked_value, remember, remember_address
from qflow_runner.settings import Settings

log = structlog.get_logger()

COLLECT_AFTER = 20_000
"""New objects until the garbage collector looks for cycles among them. A run makes some hundreds, and no cycles."""


def settle_memory() -> None:
    """What the start made stays: the garbage collector need not walk it again and again while runs wait."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER, 20, 20)


def know_secrets(settings: Settings, token: str) -> None:
    """They are masked in the log and in answers from now on."""
    remember(token, *(key.get_secret_value() for key in settings.encryption_keys))
    addresses = (
        settings.database_url,
        settings.redis_url,
        settings.index_url,
        settings.extra_index_urls,
        settings.otlp_endpoint,
    )
    for value in addresses:
        for url in value.get_secret_value().split() if value is not None else ():
            remember_address(url)


def note_start(state: State) -> None:
    """With the settings that are not as they come, and without their secrets. From now on egress is noted too."""
    state.audit.note("runner.started", "runner", version=__version__, settings=changed(state.settings))
    state.egress.audits.append(lambda event: _note_egress(state, event))
    state.layers.built.append(
        lambda layer, packages: state.audit.note("layer.built", layer, packages=packages)
    )


def changed(settings: Settings) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, field in type(settings).model_fields.items():
        value = getattr(settings, name)
        if value == field.get_default(call_default_factory=True, validated_data={}):
            continue
        secret = isinstance(value, SecretStr) or (
            isinstance(value, list) and any(isinstance(each, SecretStr) for each in value)
        )
        found[name] = "***" if secret else value if isinstance(value, int | float | bool) else str(value)
    return masked_value(found)


def certificate_of(settings: Settings) -> Certificate | None:
    """Blocks. Raises OSError and ValueError."""
    if settings.tls_cert is None or settings.tls_key is None:
        return None
    return Certificate(settings.tls_cert, settings.tls_key)


def watch(runner: "web.AppRunner", state: State, certificate: Certificate | None) -> Background:
    """Beside the runner, until it is ended: silent connections, and the certificate's files. SIGHUP reads anew."""
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, _read_anew, state, certificate)
    watching = Background()
    if runner.server is not None:
        watching.start(runner.app[CONNECTIONS].watch(runner.server))
    if certificate is not None:
        watching.start(certificate.watch())
    return watching


def _read_anew(state: State, certificate: Certificate | None) -> None:
    if certificate is not None:
        certificate.reload()
    try:
        state.database.keys.look_again()
    except (QflowError, OSError) as error:
        log.warning("keys.not_read", reason=str(error), hint="The keys from before are used on.")


def _note_egress(state: State, event: Event) -> None:
    """A connection is noted when it is over, with its bytes, and one that was refused with its reason."""
    if event.outcome == "connected":
        return
    outcome = "ok" if event.outcome == "closed" else event.outcome
    state.guard.tally.add(
        "egress.connection",
        f"{event.host}:{event.port} {event.reason}".strip(),
        by=Who(name=f"workflow {event.workflow}"),
        outcome=outcome,
        sent=event.sent,
        received=event.received,
    )
