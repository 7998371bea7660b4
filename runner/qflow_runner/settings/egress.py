"""What code in a sandbox may reach beyond it."""

import re
from typing import Annotated

from pydantic import field_validator
from pydantic_settings import BaseSettings, NoDecode

from qflow_runner.settings.table import setting

Listed = Annotated[list[str], NoDecode]


class EgressSettings(BaseSettings):
    egress_allow: Listed = setting(
        list,
        "host:port patterns",
        "What a node may list in its Network Access, as in api.example.org:443 *.example.com:443 *:443; "
        "nothing when empty",
    )
    egress_private: Listed = setting(
        list,
        "addresses, networks or host:port",
        "Private, link-local and loopback addresses that listed names may have, as in 10.1.0.0/16 "
        "127.0.0.1:5432 db.internal:5432; a metadata service only where its address stands here by itself",
    )
    egress_hosts: Listed = setting(
        list,
        "name=address",
        "Names for addresses that the runner's resolver does not know, as in db.internal=10.1.0.5",
    )
    egress_connections: int = setting(
        64, "count", "Connections that the code in one sandbox may have open at once", ge=1, le=200
    )
    egress_connect_s: float = setting(
        10.0, "seconds", "How long resolving a name and connecting to it may take together", gt=0, le=120
    )
    egress_idle_s: float = setting(
        300.0, "seconds", "A connection on which nothing moves for so long is closed", gt=0
    )
    egress_total_s: float = setting(3600.0, "seconds", "A connection is closed when it is so old", gt=0)

    @field_validator("egress_allow", "egress_private", "egress_hosts", mode="before")
    @classmethod
    def _egress_entries(cls, value: object) -> object:
        """Separated by commas, spaces or lines."""
        return [each for each in re.split(r"[\s,]+", value) if each] if isinstance(value, str) else value
