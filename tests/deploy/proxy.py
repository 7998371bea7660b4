"""Lets through to Docker what deploy/compose/compose.yaml lists, and refuses the rest: as the proxy that it names."""

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import yaml
from aiohttp import web

from lab.cache import ROOT

DOCKER = "/var/run/docker.sock"


class Rules:
    """The arguments of the service `docker-proxy`, read as wollomatic/socket-proxy reads them."""

    def __init__(self, volumes: str, names: dict[str, str]) -> None:
        """`volumes` is where Docker keeps them; `names` are the test's for those of the file."""
        told: list[str] = yaml.safe_load((ROOT / "deploy/compose/compose.yaml").read_text())["services"][
            "docker-proxy"
        ]["command"]
        self.allowed: dict[str, list[re.Pattern[str]]] = {}
        self.sources: list[str] = []
        for argument in told:
            option, _, value = argument.partition("=")
            value = value.replace("${DOCKER_VOLUMES:-/var/lib/docker/volumes}", volumes)
            for name, used in names.items():
                value = value.replace(name, used)
            if option == "-allowbindmountfrom":
                self.sources = value.split(",")
            elif option.startswith("-allow") and option[6:].isupper():
                self.allowed.setdefault(option[6:], []).append(re.compile(value))

    def refusal(self, method: str, path: str, body: bytes) -> str:
        if not any(each.fullmatch(path) for each in self.allowed.get(method, ())):
            return f"{method} {path} is not allowed"
        if path.endswith("/containers/create"):
            for bind in json.loads(body)["HostConfig"].get("Binds") or ():
                source = bind.split(":")[0]
                if not any(source == each or source.startswith(f"{each}/") for each in self.sources):
                    return f"bind mount source directory not allowed: {source}"
        return ""


class Proxy:
    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.passed: set[str] = set()
        self.refused: list[str] = []

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.read()
        refusal = self.rules.refusal(request.method, request.path, body)
        if refusal:
            self.refused.append(refusal)
            return web.json_response({"message": refusal}, status=403)
        self.passed.add(
            f"{request.method} {re.sub(r'/containers/(?!json|create)[^/]+', '/containers/ID', request.path)}"
        )
        connector = aiohttp.UnixConnector(DOCKER)
        async with (
            aiohttp.ClientSession(connector=connector) as http,
            http.request(
                request.method,
                f"http://docker{request.rel_url}",
                data=body,
                headers={"Content-Type": request.content_type},
            ) as answer,
        ):
            return web.Response(
                status=answer.status, body=await answer.read(), content_type=answer.content_type
            )


@asynccontextmanager
async def listening(place: Path, rules: Rules) -> AsyncIterator[Proxy]:
    proxy = Proxy(rules)
    app = web.Application(client_max_size=1 << 24)
    app.router.add_route("*", "/{path:.*}", proxy.handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.UnixSite(runner, str(place)).start()
        place.chmod(0o666)  # noqa: ASYNC240 - at once
        yield proxy
    finally:
        await runner.cleanup()
