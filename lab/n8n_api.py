"""What the editor says to n8n, said without the editor: sign in, save, run, look, stop."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import aiohttp

from lab import flatted
from lab.errors import LabError, RequestFailedError
from lab.workflows import Workflow, webhooks

OWNER_EMAIL = "owner@example.com"
OWNER_PASSWORD = "Qflow-demo-1"  # of throw-away servers on loopback
# n8n ties its cookie to this header, so it must not change between requests.
BROWSER_ID = "qflow-lab"
ENDED = {"success", "error", "canceled", "crashed"}
POLL_S = 0.05


@dataclass(frozen=True)
class Execution:
    """One execution as n8n stored it."""

    id: str
    status: str
    data: Mapping[str, Any]

    def runs(self, node: str) -> list[dict[str, Any]]:
        """n8n's records of each run of a node, oldest first; empty when it did not run."""
        return self.data["resultData"]["runData"].get(node, [])

    def output(self, node: str, index: int = 0) -> list[dict[str, Any]]:
        """The items of a node's last run, at one of its outputs; n8n's two ways to write a pairing are made one."""
        outputs = self.runs(node)[-1]["data"]["main"]
        items = (outputs[index] or []) if index < len(outputs) else []
        return [
            {**item, "pairedItem": {"item": item["pairedItem"]}}
            if isinstance(item.get("pairedItem"), int)
            else item
            for item in items
        ]

    def values(self, node: str, index: int = 0) -> list[dict[str, Any]]:
        """The JSON of those items."""
        return [item["json"] for item in self.output(node, index)]

    def hints(self, node: str) -> list[str]:
        """The hints that a node's last run left for its output panel."""
        return [hint["message"] for hint in self.runs(node)[-1].get("hints", [])]

    @property
    def error(self) -> dict[str, Any] | None:
        """What ended the execution early."""
        return self.data["resultData"].get("error")


class N8nApi:
    """n8n's REST interface, as the owner."""

    def __init__(self, http: aiohttp.ClientSession, url: str) -> None:
        self._http = http
        self.url = url

    @classmethod
    async def sign_in(cls, url: str) -> Self:
        """Sign in as the owner, who is made if there is none yet."""
        http = aiohttp.ClientSession(
            # n8n hangs up on a connection that is idle for 5 seconds, at times in the moment of the next call.
            connector=aiohttp.TCPConnector(force_close=True),
            headers={"browser-id": BROWSER_ID},
            # n8n's address is an IP address, of which aiohttp keeps no cookies by default.
            cookie_jar=aiohttp.CookieJar(unsafe=True),
            timeout=aiohttp.ClientTimeout(total=60),
        )
        api = cls(http, url)
        owner = {"email": OWNER_EMAIL, "firstName": "Qflow", "lastName": "Owner", "password": OWNER_PASSWORD}
        try:
            try:
                await api.call("POST", "/rest/owner/setup", owner)
            except RequestFailedError as failure:
                if failure.status != 400:
                    raise
                await api.call(
                    "POST", "/rest/login", {"emailOrLdapLoginId": OWNER_EMAIL, "password": OWNER_PASSWORD}
                )
        except BaseException:
            await http.close()  # nobody else will: the caller gets no object
            raise
        return api

    async def close(self) -> None:
        await self._http.close()

    async def call(self, method: str, path: str, body: Any = None) -> Any:
        """One request; `data` of the answer. RequestFailedError when n8n answers with an error."""
        async with self._http.request(method, self.url + path, json=body) as response:
            if response.status >= 400:
                raise RequestFailedError(f"{method} {path}", response.status, await response.text())
            return (await response.json())["data"]

    async def node_types(self) -> dict[str, dict[str, Any]]:
        """Every node type that n8n loaded, by its full name."""
        async with self._http.get(f"{self.url}/types/nodes.json") as response:
            return {one["name"]: one for one in await response.json()}

    async def create_credential(self, name: str, kind: str, data: Mapping[str, Any]) -> dict[str, str]:
        """Store a credential; what a node that uses it must carry: its id and name."""
        made = await self.call("POST", "/rest/credentials", {"name": name, "type": kind, "data": dict(data)})
        return {"id": made["id"], "name": made["name"]}

    async def credentials(self) -> list[dict[str, Any]]:
        return await self.call("GET", "/rest/credentials")

    async def test_credential(self, name: str, kind: str, data: Mapping[str, Any]) -> dict[str, str]:
        """What the credential's "Test" says: {"status": "OK" or "Error", "message"}."""
        credential = {"id": "", "name": name, "type": kind, "data": dict(data)}
        return await self.call("POST", "/rest/credentials/test", {"credentials": credential})

    async def workflows(self) -> list[dict[str, Any]]:
        return await self.call("GET", "/rest/workflows")

    async def create_workflow(self, workflow: Workflow) -> Workflow:
        """Save a workflow; n8n's version of it, with `id` and `versionId`."""
        # Without pinData n8n answers every "Execute step" with an error.
        body = {"settings": {}, "pinData": {}, **workflow, "active": False}
        return await self.call("POST", "/rest/workflows", body)

    async def update_workflow(self, workflow: Workflow) -> Workflow:
        """Save changes to a workflow that n8n has."""
        members = ("name", "nodes", "connections", "settings", "pinData", "versionId")
        body = {name: workflow[name] for name in members if name in workflow}
        return await self.call("PATCH", f"/rest/workflows/{workflow['id']}", body)

    async def activate(self, workflow: Workflow, deadline_s: float = 20) -> None:
        """Publish it, and wait until its webhooks answer: n8n registers them a moment after it said yes."""
        await self.call(
            "POST", f"/rest/workflows/{workflow['id']}/activate", {"versionId": workflow["versionId"]}
        )
        try:
            async with asyncio.timeout(deadline_s):
                waiting = webhooks(workflow)
                while waiting:
                    waiting = [hook for hook in waiting if hook[1] not in await self._hook_methods(hook[0])]
                    await asyncio.sleep(POLL_S)
        except TimeoutError:
            raise LabError(
                f"the webhooks of {workflow['name']!r} did not answer within {deadline_s:.0f} s"
            ) from None

    async def _hook_methods(self, path: str) -> list[str]:
        # Asked as a browser asks before a request from another site: this tells without running the workflow.
        async with self._http.options(f"{self.url}/webhook/{path}", headers={"Origin": self.url}) as response:
            return response.headers.get("Access-Control-Allow-Methods", "").split(", ")

    async def webhook(
        self, path: str, body: Any, *, method: str = "POST", test: bool = False
    ) -> tuple[int, Any]:
        """Call a published webhook, or the `test` one of an editor that listens; its status and JSON answer."""
        kind = "webhook-test" if test else "webhook"
        async with self._http.request(method, f"{self.url}/{kind}/{path}", json=body) as response:
            return response.status, await response.json(content_type=None)

    async def start_step(self, workflow: Workflow, node: str) -> str:
        """Press "Execute step" of a node; the id of the execution. Nodes before it run, unless pinned."""
        destination = {"nodeName": node, "mode": "inclusive"}
        made = await self.call(
            "POST", f"/rest/workflows/{workflow['id']}/run", {"destinationNode": destination}
        )
        if "executionId" not in made:
            raise LabError(f"n8n waits for a webhook instead of running {node!r}: pin the trigger's data")
        return made["executionId"]

    async def run_step(self, workflow: Workflow, node: str, deadline_s: float = 60) -> Execution:
        """Press "Execute step", and wait for the end."""
        return await self.finished(await self.start_step(workflow, node), deadline_s)

    async def execution(self, execution: str) -> Execution:
        """An execution as it is stored now."""
        found = await self.call("GET", f"/rest/executions/{execution}")
        return Execution(id=str(found["id"]), status=found["status"], data=flatted.parse(found["data"]))

    async def finished(self, execution: str, deadline_s: float = 60) -> Execution:
        """Wait until an execution has ended, in whatever way. LabError when it has not after `deadline_s`."""
        status = "unknown"
        try:
            async with asyncio.timeout(deadline_s):
                while True:
                    status = (await self.call("GET", f"/rest/executions/{execution}"))["status"]
                    if status in ENDED:
                        return await self.execution(execution)
                    await asyncio.sleep(POLL_S)
        except TimeoutError:
            raise LabError(f"execution {execution} was still {status!r} after {deadline_s:.0f} s") from None

    async def last_execution(self, workflow: Workflow, deadline_s: float = 10) -> Execution:
        """The newest execution of a workflow, at its end. A webhook may answer just before n8n has stored it."""
        query = f'/rest/executions?limit=1&filter={{"workflowId":"{workflow["id"]}"}}'
        try:
            async with asyncio.timeout(deadline_s):
                while True:
                    found = (await self.call("GET", query))["results"]
                    if found and found[0]["status"] in ENDED:
                        return await self.execution(found[0]["id"])
                    await asyncio.sleep(POLL_S)
        except TimeoutError:
            raise LabError(
                f"no execution of workflow {workflow['id']} ended within {deadline_s:.0f} s"
            ) from None

    async def stop(self, execution: str) -> None:
        """Press "Stop" on a running execution."""
        await self.call("POST", f"/rest/executions/{execution}/stop")
