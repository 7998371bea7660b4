"""The credential's own test, as a person presses it in n8n."""

from lab.n8n_api import N8nApi
from lab.processes import free_ports
from lab.runner import Runner
from lab.workflows import CREDENTIAL_TYPE


async def test_the_runners_address_and_token_pass(api: N8nApi, runner: Runner) -> None:
    """A credential with what the runner said is good."""
    tested = await api.test_credential("good", CREDENTIAL_TYPE, runner.credential)

    assert tested["status"] == "OK"


async def test_a_wrong_token_is_told_at_once(api: N8nApi, runner: Runner) -> None:
    """The test reaches a part of the runner that needs the token."""
    tested = await api.test_credential(
        "bad", CREDENTIAL_TYPE, {**runner.credential, "token": "not-the-token-at-all"}
    )

    assert tested["status"] == "Error"


async def test_a_runner_that_is_not_there_is_told_at_once(api: N8nApi, runner: Runner) -> None:
    """A wrong address is an error of the credential, not of the first execution."""
    nobody = f"http://127.0.0.1:{free_ports(1)[0]}"

    tested = await api.test_credential("gone", CREDENTIAL_TYPE, {**runner.credential, "url": nobody})

    assert tested["status"] == "Error"
