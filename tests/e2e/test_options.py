"""The node's options and its secrets, in a real n8n."""

import asyncio
import hashlib
import json
from collections.abc import Mapping

from playwright.async_api import expect

from lab.browser import Editor
from lab.n8n_api import N8nApi
from lab.parts import Parts
from lab.workflows import CREDENTIAL_TYPE, Node, Workflow, chain, node, pinned, qflow, with_credential

SECRETS_TYPE = "qflowSecretsApi"
VALUE = 'hunter2-"é"\\'
START = node("Start", "manualTrigger")
DIGEST = """
    import hashlib

    from qflow import Context, Secret

    def digest(ctx: Context, api_key: Secret) -> dict:
        print(api_key, ctx.secrets)
        return {"digest": hashlib.sha256(api_key.reveal().encode()).hexdigest(), "names": sorted(ctx.secrets)}
"""
NUMBER = """
    import secrets

    def number(n: int) -> dict:
        return {"n": n, "random": secrets.token_hex(8)}
"""


def with_options(made: Node, **options: object) -> Node:
    made["parameters"]["options"] = options
    return made


async def secret_workflow(parts: Parts, credential: Mapping[str, str], code: str = DIGEST) -> Workflow:
    workflow = with_credential(
        chain("Secrets", [START, with_options(qflow("Digest", code), useSecrets=True)]), parts.credential
    )
    workflow["nodes"][1]["credentials"][SECRETS_TYPE] = dict(credential)
    return await parts.n8n.api.create_workflow(workflow)


def digest(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()


async def test_a_secret_reaches_the_code_and_no_data_of_the_execution(parts: Parts, api: N8nApi) -> None:
    """Neither printed nor in items, parameters or hints, and neither where the code fails."""
    values = json.dumps({"api_key": VALUE, "other": "second"})
    credential = await api.create_credential("Secrets", SECRETS_TYPE, {"values": values})
    fails = DIGEST.replace("return {", "raise ValueError(api_key, ctx.secrets) or {")

    ran = await api.run_step(await secret_workflow(parts, credential), "Digest")
    failed = await api.run_step(await secret_workflow(parts, credential, fails), "Digest")

    assert ran.status == "success", ran.error
    assert ran.values("Digest") == [{"digest": digest(VALUE), "names": ["api_key", "other"]}]
    assert "***" in "\n".join(ran.hints("Digest"))
    assert failed.status == "error"
    for execution in (ran, failed):
        assert "hunter2" not in json.dumps(execution.data)
        assert "second" not in json.dumps(execution.data)


async def test_only_a_node_that_asks_for_secrets_shows_their_credential(
    parts: Parts, api: N8nApi, editor: Editor
) -> None:
    """n8n gives a node without credentials the newest that it shows a choice of: that must be the runner's."""
    nodes = [START, qflow("New", NUMBER), with_options(qflow("Digest", DIGEST), useSecrets=True)]
    workflow = with_credential(chain("In the editor", nodes), parts.credential)
    del workflow["nodes"][1]["credentials"]
    workflow = await api.create_workflow(workflow)
    await api.create_credential("Newest", SECRETS_TYPE, {"values": "{}"})
    await editor.open_workflow(workflow["id"])

    for name, shown in (("New", 0), ("Digest", 1)):
        await editor.open_node(name)
        await editor.panel.get_by_text("Python Code").first.wait_for()
        await expect(editor.panel.get_by_text("Secrets", exact=True)).to_have_count(shown)
        await editor.close_node()

    async with asyncio.timeout(20):  # the editor saves by itself, a moment later
        while not (given := (await saved_node(api, workflow, "New")).get("credentials")):
            await asyncio.sleep(0.1)
    assert list(given) == [CREDENTIAL_TYPE]


async def saved_node(api: N8nApi, workflow: Workflow, name: str) -> Node:
    found = await api.call("GET", f"/rest/workflows/{workflow['id']}")
    return next(each for each in found["nodes"] if each["name"] == name)


async def test_n8n_hides_the_values_and_puts_them_back_by_name(parts: Parts, api: N8nApi) -> None:
    """As a person does who opens the credential, removes the first secret and adds one."""
    first = json.dumps({"old": "gone", "api_key": VALUE})
    made = await api.create_credential("Edited", SECRETS_TYPE, {"values": first})
    address = f"/rest/credentials/{made['id']}"

    shown = (await api.call("GET", f"{address}?includeData=true"))["data"]["values"]
    edited = json.loads(shown)
    del edited["old"]
    edited["new"] = "third"
    change = {"name": "Edited", "type": SECRETS_TYPE, "data": {"values": json.dumps(edited)}}
    await api.call("PATCH", address, change)

    assert "hunter2" not in shown
    execution = await api.run_step(await secret_workflow(parts, made), "Digest")
    assert execution.values("Digest") == [{"digest": digest(VALUE), "names": ["api_key", "new"]}]


async def test_malformed_secrets_are_told_by_the_credential_and_on_the_node(
    parts: Parts, api: N8nApi
) -> None:
    """In a sentence that does not quote them."""
    malformed = {"values": "{api_key: hunter2}"}
    credential = await api.create_credential("Malformed", SECRETS_TYPE, malformed)

    tested = await api.test_credential("Malformed", SECRETS_TYPE, malformed)
    good = await api.test_credential("Good", SECRETS_TYPE, {"values": '{"api_key": "x"}'})
    execution = await api.run_step(await secret_workflow(parts, credential), "Digest")

    assert tested["status"] == "Error"
    assert "not a JSON object" in tested["message"]
    assert good["status"] == "OK"
    assert execution.error is not None
    assert execution.error["message"] == "The secrets in the credential are not a JSON object"
    assert "hunter2" not in json.dumps(execution.data)


async def test_a_result_is_kept_as_long_as_the_option_says(parts: Parts, api: N8nApi) -> None:
    """The same input has the same answer, and the output says where it came from; other input is run."""
    nodes = [START, with_options(qflow("Number", NUMBER), cache=600)]
    workflow = await parts.save(pinned(chain("Cache", nodes), "Start", [{"n": 1}]))

    ran = await api.run_step(workflow, "Number")
    again = await api.run_step(workflow, "Number")
    other = await api.run_step(await api.update_workflow(pinned(workflow, "Start", [{"n": 2}])), "Number")

    assert ran.status == "success", ran.error
    assert "From cache" not in "\n".join(ran.hints("Number"))
    assert again.values("Number") == ran.values("Number")
    assert "From cache" in "\n".join(again.hints("Number"))
    assert other.values("Number")[0]["random"] != ran.values("Number")[0]["random"]


async def test_items_that_are_worked_on_at_once_keep_their_order(parts: Parts, api: N8nApi) -> None:
    """Each process takes some; what it made stands where its items stood."""
    slow = """
        import os
        import time

        def slow(n: int) -> dict:
            time.sleep(0.2 if n % 4 == 0 else 0.05)
            return {"n": n, "process": os.getpid()}
    """
    nodes = [START, with_options(qflow("Slow", slow), parallel=4)]
    workflow = pinned(chain("Parallel", nodes), "Start", [{"n": n} for n in range(16)])

    execution = await api.run_step(await parts.save(workflow), "Slow")

    assert execution.status == "success", execution.error
    values = execution.values("Slow")
    assert [value["n"] for value in values] == list(range(16))
    assert [item["pairedItem"]["item"] for item in execution.output("Slow")] == list(range(16))
    assert len({value["process"] for value in values}) > 1


async def test_memory_cpu_and_time_are_limited_as_the_options_say(parts: Parts, api: N8nApi) -> None:
    """What goes over one ends with a sentence that names it, and the next execution runs."""
    take = """
        import time

        def take(mb: int, seconds: float) -> dict:
            block = bytearray(mb * 1024 * 1024)
            until = time.monotonic() + seconds
            while time.monotonic() < until:
                pass
            return {"mb": len(block) >> 20, "cpu": round(time.process_time(), 2)}
    """
    nodes = [START, with_options(qflow("Take", take), memory=128, cpus=0.2, timeout=5)]
    workflow = await parts.save(pinned(chain("Limits", nodes), "Start", [{"mb": 10, "seconds": 1}]))

    within = await api.run_step(workflow, "Take")
    over = await api.run_step(
        await api.update_workflow(pinned(workflow, "Start", [{"mb": 300, "seconds": 0}])), "Take"
    )
    late = await api.run_step(
        await api.update_workflow(pinned(workflow, "Start", [{"mb": 10, "seconds": 60}])), "Take"
    )

    assert within.status == "success", within.error
    assert within.values("Take")[0]["mb"] == 10
    assert over.error is not None
    assert "128 MB" in over.error["message"] + str(over.error.get("description"))
    assert late.error is not None
    assert "5 s" in late.error["message"]


async def test_an_option_that_makes_no_sense_is_a_sentence_on_the_node(parts: Parts, api: N8nApi) -> None:
    """Expressions may have made anything of a number."""
    for options, sentence in (
        ({"memory": 1}, '"Memory" is not a number of megabytes'),
        ({"cpus": 0}, '"CPU" is not a number of CPUs'),
        ({"timeout": "={{ 'soon' }}"}, "The time limit is not a number of seconds"),
        ({"network": "https://example.org/path"}, "example.org"),
        ({"memory": 1_000_000}, "QFLOW_MEMORY_MAX_MB"),
    ):
        workflow = await parts.save(
            chain("Nonsense", [START, with_options(qflow("Number", NUMBER), **options)])
        )

        execution = await api.run_step(workflow, "Number")

        assert execution.error is not None
        assert sentence in execution.error["message"] + str(execution.error.get("description"))


async def test_every_option_is_one_that_the_runner_takes(parts: Parts, api: N8nApi) -> None:
    """A runner refuses a member of a definition that it does not know."""
    options = {"cache": 0, "idempotent": True, "parallel": 1, "referenceScope": "runner"}
    nodes = [START, with_options(qflow("Number", NUMBER), **options)]
    workflow = pinned(chain("All options", nodes), "Start", [{"n": 1}])

    execution = await api.run_step(await parts.save(workflow), "Number")

    assert execution.status == "success", execution.error
    assert execution.values("Number")[0]["n"] == 1


async def test_the_secrets_may_come_from_an_expression(parts: Parts, api: N8nApi) -> None:
    """As those of n8n's external secrets do."""
    values = '={{ ({ api_key: ["from", "elsewhere"].join(" ") }) }}'
    credential = await api.create_credential("Expression", SECRETS_TYPE, {"values": values})

    execution = await api.run_step(await secret_workflow(parts, credential), "Digest")

    assert execution.status == "success", execution.error
    assert execution.values("Digest") == [{"digest": digest("from elsewhere"), "names": ["api_key"]}]
