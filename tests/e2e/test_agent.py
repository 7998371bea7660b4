"""The node as a tool of n8n's AI agent, with a language model that this machine plays."""

import json

from lab.parts import Parts
from tests.e2e.services import Services, with_credentials

DEADLINE_S = 60


async def test_an_agent_calls_the_function_and_answers_with_its_result(
    parts: Parts, services: Services
) -> None:
    """The model is offered the function with its arguments, calls it, and gets what Python calculated."""
    before = len(services.talks)
    workflow = await with_credentials(parts.n8n.api, services, services.example("ai-agent"))

    execution = await parts.n8n.api.run_step(await parts.save(workflow), "Adviser", DEADLINE_S)

    assert execution.status == "success", execution.error
    offer, answer = services.talks[before:]
    [tool] = [each["function"] for each in offer["tools"]]
    assert tool["name"] == "Loan"
    assert "monthly payment" in tool["description"]
    assert {
        name: (each["type"], each["description"]) for name, each in tool["parameters"]["properties"].items()
    } == {
        "amount": ("number", "What is borrowed"),
        "percent": ("number", "Interest per year, in percent"),
        "years": ("number", "Years until it is paid back"),
    }
    called, told = answer["messages"][-2:]
    [call] = called["tool_calls"]
    asked = {"amount": 18000, "percent": 4.5, "years": 5}
    assert asked.items() <= json.loads(call["function"]["arguments"]).items()
    rate = 4.5 / 1200
    monthly = round(18000 * rate / (1 - (1 + rate) ** -60), 2)
    assert str(monthly) in told["content"]
    [final] = execution.values("Adviser")
    assert str(monthly) in final["output"]
