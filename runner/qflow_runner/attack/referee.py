"""Runs one case and judges it: no effect, the right category in time, and the next run works."""

import json
import secrets
from collections.abc import Mapping
from typing import Any

from qflow_runner.attack.model import Answer, Case, Verdict
from qflow_runner.attack.target import Target

NEXT_S = 15.0
"""How long the next run may take: the sandbox may have to be replaced before."""

NEVER_RAN = frozenset(
    {
        "code_syntax",
        "function_missing",
        "function_ambiguous",
        "import_failed",
        "body_invalid",
        "definition_unknown",
    }
)
"""Failures before the attack's first line: they say nothing about the boundary."""

GOOD = "def good(item: dict) -> dict:\n    import json\n    return {'sum': sum(json.loads('[20, 22]'))}\n"

HOLDS = '''\
import ctypes, os, socket
kept = []

def hold(secret: str) -> list:
    """Keep a secret as an object, in files, in a socket's queue and in the process."""
    places = []
    for place in dict.fromkeys((os.environ["HOME"], os.environ["TMPDIR"], "/tmp", "/dev/shm")):
        try:
            with open(os.path.join(place, "secret.txt"), "w") as file:
                file.write(secret)
        except OSError:
            continue
        places.append(os.path.realpath(os.path.join(place, "secret.txt")))
    name = "qflow-%d" % os.getpid()
    listener = socket.socket(socket.AF_UNIX)
    listener.bind("\\0" + name)
    listener.listen()
    kept.extend((secret, listener))
    return [{"pid": os.getpid(), "places": places, "socket": name}]
'''

SHARED = "/dev/shm/"  # noqa: S108

OBJECT = "def make(secret: str) -> list:\n    return [secret]\n"

STILL = "def still(values: list) -> dict:\n    return {'count': len(values), 'same': str(values)}\n"

LEFT = """\
import os
def left() -> dict:
    found = [
        os.path.join(place, name)
        for place in (os.environ["HOME"], os.path.dirname(os.environ["HOME"]), "/tmp", "/var/tmp")
        for name in ("json.py", "sitecustomize.py", "left")
        if os.path.exists(os.path.join(place, name))
    ]
    return {"harm": found + [os.environ[name] for name in ("PYTHONPATH", "LD_PRELOAD") if name in os.environ]}
"""


class Referee:
    """Judges cases against one target. A victim workflow holds a secret from the first case to the last."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._victim: Mapping[str, Any] = {}
        self._secret = target.secret()

    async def prepare(self) -> None:
        self._victim = await self._object("victim", "victim", self._secret)

    async def judge(self, case: Case) -> Verdict:
        """One row of the card."""
        workflow = f"attack-{secrets.token_hex(4)}"
        wrong = await self._attacked(case, workflow)
        wrong = [*wrong, *await self._aftermath(case, workflow)]
        await self._target.retire(workflow)
        told = " ".join(wrong)
        if wrong and case.known:
            told = f"Known limit, see docs/security-model.md: {case.known} {told}"
        return Verdict(case.suite, case.name, "fail" if wrong else "pass", told or case_detail(case))

    async def _attacked(self, case: Case, workflow: str) -> list[str]:
        options = dict(case.options)
        after, steal = options.pop("after", ""), options.pop("steal", "")
        hints = self._stolen(steal) if steal else await self._hints(workflow)
        answer = await self._target.run(
            case.code, hints, workflow=workflow, execution="attack", function="attack", **options
        )
        wrong = self._wrong(case, answer)
        if case.check is not None and (found := await case.check(self._target, answer)):
            wrong.append(found)
        if after == "spill" and answer.status == 200:
            wrong += await self._spilled(case, answer, workflow)
        if after == "left":
            left = await self._target.run(LEFT, workflow=workflow, execution="another")
            wrong += [f"Left for the next execution: {harm}." for harm in harms(left)]
        return wrong

    def _wrong(self, case: Case, answer: Answer) -> list[str]:
        wrong: list[str] = []
        if answer.reply.get("code") in NEVER_RAN:
            wrong.append(f"The attack did not run: {answer.reply['detail']}")
        if answer.outcome not in case.expect:
            told = str(answer.reply.get("detail") or "")[:200]
            wrong.append(f"The caller got {answer.outcome!r}, not {' or '.join(sorted(case.expect))}. {told}")
        if answer.seconds > case.within_s:
            wrong.append(f"It took {answer.seconds:.1f} s, more than {case.within_s:g} s.")
        wrong += [f"It worked: {harm}." for harm in harms(answer)]
        text = json.dumps(answer.reply)
        if any(secret in text for secret in self._target.secrets):
            wrong.append("A secret of somebody else is in the answer.")
        return wrong

    async def _spilled(self, case: Case, answer: Answer, workflow: str) -> list[str]:
        """What was kept is packed, written and loaded again: all of it in guests, and none of it on the host."""
        await self._target.retire(workflow)
        item = answer.reply["items"][0]["json"]
        await self._target.run(
            STILL, item, workflow=workflow, execution="attack", function="still", timeout_s=5
        )
        found = await case.check(self._target, answer) if case.check else ""
        return [found] if found else []

    async def _aftermath(self, case: Case, workflow: str) -> list[str]:
        wrong: list[str] = []
        if case.harms_itself:
            await self._target.run(GOOD, workflow=workflow, execution="attack")
        for execution, who in (("attack", "same execution"), ("next", "next execution")):
            answer = await self._target.run(GOOD, workflow=workflow, execution=execution)
            if answer.status != 200 or answer.reply["items"][0]["json"] != {"sum": 42}:
                wrong.append(
                    f"The next run of the {who} failed: {str(answer.reply.get('detail') or answer.reply)[:200]}"
                )
            if answer.seconds > NEXT_S:
                wrong.append(f"The next run of the {who} took {answer.seconds:.1f} s.")
        kept = await self._target.run(STILL, self._victim, workflow="victim", execution="victim")
        if kept.status != 200 or self._secret not in json.dumps(kept.reply):
            wrong.append("Another workflow lost what it held.")
        return wrong

    async def _hints(self, workflow: str) -> dict[str, Any]:
        """What an attacker may know: paths, process ids and names, and never a secret."""
        answer = await self._target.run(
            HOLDS, {"secret": self._target.secret()}, workflow=workflow, execution="sibling", mode="item"
        )
        sibling = answer.reply["items"][0]["json"]
        return {
            "host_files": self._target.host_files,
            "data_dir": str(self._target.data_dir),
            "port": self._target.port,
            "sibling_pid": sibling["pid"],
            "sibling_files": [each for each in sibling["places"] if not each.startswith(SHARED)],
            "sibling_shared": f"{SHARED}secret.txt",
            "sibling_socket": sibling["socket"],
        }

    def _stolen(self, whose: str) -> dict[str, Any]:
        reference: dict[str, Any] = dict(self._victim["$qflow"])
        if whose == "forged":
            reference["ref"] = secrets.token_urlsafe(18)
        return {"$qflow": reference}

    async def _object(self, workflow: str, execution: str, secret: str) -> Mapping[str, Any]:
        answer = await self._target.run(
            OBJECT, {"secret": secret}, workflow=workflow, execution=execution, output="reference", keep=True
        )
        return answer.reply["items"][0]["json"]


def harms(answer: Answer) -> list[str]:
    """What the attack itself says that it managed to do."""
    if answer.status != 200:
        return []
    found: list[str] = []
    for item in answer.reply.get("items", []):
        harm = item["json"].get("harm") if isinstance(item.get("json"), dict) else None
        found += [str(each)[:200] for each in harm] if isinstance(harm, list) else []
    return found


def case_detail(case: Case) -> str:
    return f"{' or '.join(sorted(case.expect))} within {case.within_s:g} s, next run works"
