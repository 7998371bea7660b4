"""The examples do in n8n what their notes say."""

from lab.n8n_api import N8nApi
from lab.parts import Parts
from lab.workflows import example, webhooks, with_new_hooks

ORDER = {"customer": "Ada", "item": "lamp", "quantity": 3, "price": 9.5}


async def test_the_quickstart_answers_its_webhook_with_the_functions_result(
    parts: Parts, api: N8nApi
) -> None:
    """A published workflow hands the request to a typed function, and answers with what it returns."""
    workflow = await parts.save(with_new_hooks(example("quickstart")))
    await api.activate(workflow)

    answer = await api.webhook(webhooks(workflow)[0][0], ORDER)

    assert answer == (200, {"customer": "Ada", "text": "3 x lamp", "net": 28.5, "total": 33.91})


async def test_a_function_that_takes_a_list_is_called_once_with_all_items(parts: Parts, api: N8nApi) -> None:
    """`list[Sale]` receives every item as a dataclass, and each dataclass returned is an item."""
    workflow = await parts.save(example("summary"))

    execution = await api.run_step(workflow, "Summarise")

    assert execution.values("Summarise") == [
        {"region": "north", "sales": 3, "total": 491.5, "average": 163.83, "best": "desk"},
        {"region": "south", "sales": 2, "total": 125.25, "average": 62.62, "best": "lamp"},
    ]


async def test_what_a_generator_yields_becomes_items_linked_to_their_origin(
    parts: Parts, api: N8nApi
) -> None:
    """Each value yielded is one item, and its pairedItem is the item that the generator was called with."""
    workflow = await parts.save(example("generator"))

    execution = await api.run_step(workflow, "Working days")

    assert [(item["json"]["day"], item["pairedItem"]) for item in execution.output("Working days")] == [
        ("2026-05-14", {"item": 0}),
        ("2026-05-15", {"item": 0}),
        ("2026-05-18", {"item": 0}),
        ("2026-05-18", {"item": 1}),
        ("2026-05-19", {"item": 1}),
    ]


async def test_failing_items_leave_by_the_error_output_and_the_others_go_on(
    parts: Parts, api: N8nApi
) -> None:
    """With "Continue (using error output)" each item finds its own way, with the reason of its failure."""
    workflow = await parts.save(example("error-output"))

    execution = await api.run_step(workflow, "Register")

    assert execution.status == "success"
    assert execution.values("Register", 0) == [
        {"name": "Ada", "email": "ada@example.com", "adult": True},
        {"name": "Dan", "email": "dan@example.com", "adult": False},
    ]
    bob, cleo = execution.values("Register", 1)
    assert bob["name"] == "Bob"
    assert "'bob at example' is not an e-mail address" in str(bob["error"])
    assert cleo["name"] == "Cleo"
    assert "age" in str(cleo["error"])


async def test_a_script_of_n8ns_own_python_node_and_a_function_give_the_same(
    parts: Parts, api: N8nApi
) -> None:
    """n8n's own comparison finds every item on both sides, with the same fields."""
    workflow = await parts.save(example("migration"))

    execution = await api.run_step(workflow, "Compare")

    assert execution.status == "success", execution.error
    expected = [
        {"name": "Ada", "spent": 510.5, "discount": 10},
        {"name": "Grace", "spent": 45.25, "discount": 0},
        {"name": "Guido", "spent": 0, "discount": 0},
    ]
    assert execution.values("Script") == execution.values("Function") == expected
    only_a, same, different, only_b = (execution.values("Compare", index) for index in range(4))
    assert (only_a, same, different, only_b) == ([], expected, [], [])


async def test_orders_keep_their_types_from_node_to_node(parts: Parts, api: N8nApi) -> None:
    """Dataclass, TypedDict, list and NamedTuple: what each node gives is what the next one takes."""
    workflow = await parts.save(example("orders-typed"))

    execution = await api.run_step(workflow, "Letter")

    assert execution.status == "success", execution.error
    assert execution.values("Read")[1] == {
        "customer": "Ada",
        "item": "desk",
        "quantity": 1,
        "price": "240.00",
        "note": "ring twice",
    }
    assert [line["gross"] for line in execution.values("Price")] == ["33.92", "285.60", "291.55"]
    assert execution.values("Letter") == [
        {"subject": "Invoice 001", "body": "Dear Ada, you bought 3 x lamp and 1 x desk: 319.52 EUR."},
        {"subject": "Invoice 002", "body": "Dear Grace, you bought 4 x chair: 291.55 EUR."},
    ]


async def test_a_link_of_wrong_types_is_refused_by_the_node_itself(parts: Parts, api: N8nApi) -> None:
    """Without Qflow's hook file too: the node that is fed wrongly says why, and its code does not run."""
    workflow = await parts.save(example("orders-refused"))

    execution = await api.run_step(workflow, "Parcel")

    assert execution.status == "error"
    assert execution.error is not None
    assert "'Parcel' takes 'weight: float': the item has no field 'weight'" in execution.error["message"]
