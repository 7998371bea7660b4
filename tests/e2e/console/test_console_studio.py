"""The Studio: code that is understood while it is written, tried, and saved for n8n."""

from playwright.async_api import expect

from lab.console import Console
from tests.e2e.console.conftest import Api

TWO = """def net(amount: float) -> float:
    return amount / 1.2

def label(name: str, n=3, loud: bool = False) -> dict:
    return {"text": name * n if not loud else name.upper()}
"""
PICTURE = """import base64
from qflow import Image

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)

def draw() -> Image:
    return Image(name="pixel.png", mime="image/png", content=PIXEL)
"""


async def _fill(page: Console, label: str, value: str) -> None:
    await page.page.get_by_label(label, exact=True).fill(value)


async def test_a_function_is_chosen_filled_in_and_tried(page: Console) -> None:
    """The form has a field for every parameter, as its type wants it."""
    await page.go("Studio")
    await page.write("Python code", TWO)
    await page.choose("Function to call", "label")
    await _fill(page, "Items to try it with, as JSON", '[{"name": "ab"}, {"name": "cd"}]')
    await page.page.locator("#field-n").fill("2")
    await page.page.get_by_role("button", name="Test run").click()

    table = page.page.get_by_role("region", name="Items as a table")
    await expect(table).to_contain_text("abab")
    await expect(table).to_contain_text("cdcd")


async def test_mistakes_are_marked_while_the_code_is_written(page: Console) -> None:
    """With line and reason, in the list and at the place."""
    await page.go("Studio")
    await page.write("Python code", "def f(a: int) -> int:\n    return a +\n")

    await expect(page.page.get_by_role("list", name="Findings")).to_contain_text("Line 2")
    await expect(page.page.locator(".cm-lintRange-error")).not_to_have_count(0)


async def test_a_type_is_chosen_by_what_fits_and_written_into_the_code(page: Console) -> None:
    """Each known type says whether it takes what the items give."""
    await page.go("Studio")
    await page.write("Python code", "def f(rows=None) -> int:\n    return 1\n")
    await _fill(page, "Items to try it with, as JSON", '[{"rows": 7}]')
    await page.open_list("Type of rows")
    await expect(page.page.get_by_role("option", name="pandas.DataFrame")).to_contain_text("incompatible")
    fitting = page.page.get_by_role("option").filter(has_text="float").filter(has_text="takes it").first
    await expect(fitting).to_be_visible()
    await fitting.click()

    await expect(page.editor("Python code")).to_contain_text("def f(rows: float = None) -> int")


async def test_code_is_completed(page: Console) -> None:
    """With the names of qflow, which no editor knows by itself."""
    await page.go("Studio")
    await page.write("Python code", "from qflow import ")
    await page.page.keyboard.press("Control+Space")

    await expect(page.page.locator(".cm-tooltip-autocomplete")).to_contain_text("Context")


async def test_a_failure_marks_its_line(page: Console) -> None:
    """Where the person is looking anyway."""
    await page.go("Studio")
    await page.write("Python code", "def f() -> int:\n    x = 0\n    return 1 // x\n")
    await page.page.get_by_role("button", name="Test run").click()

    await expect(page.page.locator(".cm-failed")).to_have_text("    return 1 // x")


async def test_pictures_and_what_was_printed_are_shown(page: Console) -> None:
    """A picture as a picture."""
    await page.go("Studio")
    await page.write("Python code", PICTURE)
    await page.page.get_by_role("button", name="Test run").click()
    await page.page.get_by_role("tab", name="Files (2)").click()

    picture = page.page.get_by_role("img", name="Picture pixel.png").first
    await expect(picture).to_be_visible()
    assert 1 == await picture.evaluate("element => element.naturalWidth")


async def test_a_definition_is_saved_for_n8n_by_name(page: Console, api: Api) -> None:
    """As a node's list of saved definitions has it, and as the Studio opens it again."""
    await page.go("Studio")
    await page.write("Python code", TWO)
    await page.choose("Function to call", "net")
    await _fill(page, "Name for n8n", "Net price")
    await page.page.get_by_role("button", name="Save").click()
    await expect(page.page.get_by_text("Saved as version 1")).to_be_visible()

    listed = (await api.call("GET", "/v1/saved"))["saved"]
    assert [("Net price", "net")] == [(each["name"], each["function"]) for each in listed]
    await page.write("Python code", "x = 1\n")
    await page.choose("Open a saved definition", "Net price")
    await expect(page.editor("Python code")).to_contain_text("def net(amount: float)")


async def test_who_saves_second_is_told_and_chooses(page: Console, api: Api) -> None:
    """Another person saved a version in between: theirs can be looked at, or one's own put on top."""
    await page.go("Studio")
    await page.write("Python code", TWO)
    await page.choose("Function to call", "net")
    await _fill(page, "Name for n8n", "Shared price")
    save = page.page.get_by_role("button", name="Save", exact=True)
    await save.click()
    await expect(page.page.get_by_text("Saved as version 1")).to_be_visible()
    theirs = "def net(amount: float) -> float:\n    return amount / 1.07\n"
    await api.call("PUT", "/v1/saved/Shared%20price", json={"code": theirs, "based_on": 1})

    await page.write("Python code", TWO.replace("1.2", "1.19"))
    await save.click()
    asked = page.page.get_by_role("dialog", name="Saved by somebody else")
    await expect(asked).to_contain_text("Version 2 of 'Shared price'")
    await asked.get_by_role("button", name="Save mine").click()
    await expect(page.page.get_by_text("Saved as version 3")).to_be_visible()

    await api.call("PUT", "/v1/saved/Shared%20price", json={"code": theirs, "based_on": 3})
    await page.write("Python code", TWO.replace("1.2", "1.25"))
    await save.click()
    await asked.get_by_role("button", name="Open the other one").click()
    await expect(page.editor("Python code")).to_contain_text("1.07")
    assert 4 == (await api.call("GET", "/v1/saved/Shared%20price"))["version"]


async def test_packages_say_whether_they_are_installed(page: Console) -> None:
    """Found from the imports, before anything runs."""
    await page.go("Studio")
    await page.write("Python code", "import yaml\n\ndef f() -> str:\n    return yaml.dump({})\n")

    packages = page.page.get_by_role("region", name="Packages")
    await expect(packages).to_contain_text("pyyaml", ignore_case=True)
    await expect(packages).to_contain_text("installed by the first run")
