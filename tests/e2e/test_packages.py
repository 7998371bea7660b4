"""Packages, from a bare node: the examples run with a runner that never installed anything."""

import os
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import expect

from lab.browser import Editor
from lab.cache import ROOT
from lab.n8n_api import Execution
from lab.parts import Parts
from lab.runner import Runner
from lab.workflows import CREDENTIAL_TYPE, QFLOW_NODE, Workflow, chain, example, node, pinned, qflow

DEADLINE_S = 180
"""What is downloaded, installed and compiled at a first run."""


@pytest.fixture(scope="module", name="bare")
async def _bare(parts: Parts, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Parts]:
    """A new runner beside that of the other tests, which may have installed any of these packages."""
    folder = tmp_path_factory.mktemp("packages")
    runner = await Runner.start(folder / "runner", parts.runner.backend)
    try:
        credential = await parts.n8n.api.create_credential("New runner", CREDENTIAL_TYPE, runner.credential)
        yield replace(parts, runner=runner, credential=credential)
    finally:
        await runner.stop()


@pytest.fixture(scope="session", name="pictures")
def _pictures() -> Path:
    """The pictures of the documentation are renewed when QFLOW_SCREENSHOTS=1."""
    wanted = os.environ.get("QFLOW_SCREENSHOTS") == "1"
    return ROOT / "docs" / "images" if wanted else ROOT / "build" / "screenshots"


async def run(parts: Parts, workflow: Workflow, last: str) -> Execution:
    """Save it, and press "Execute step" of its last node. Nothing may have gone wrong."""
    execution = await parts.n8n.api.run_step(await parts.save(workflow), last, DEADLINE_S)
    assert execution.status == "success", execution.error
    return execution


def installed(execution: Execution, name: str) -> str:
    """The hint of a node that says what was installed for it; empty where nothing was."""
    return "".join(hint for hint in execution.hints(name) if hint.startswith("Installed "))


def files(execution: Execution, name: str) -> list[Mapping[str, Any]]:
    """The only file of each item."""
    found = [list(item.get("binary", {}).values()) for item in execution.output(name)]
    assert [1] * len(found) == [len(each) for each in found]
    return [each[0] for each in found]


async def test_a_sales_report_with_pandas_and_matplotlib(bare: Parts) -> None:
    """Installed at the first run, there at the second; the DataFrame crosses as it is, the figure is a file."""
    execution = await run(bare, example("sales-report"), "Report")

    assert "pandas" in installed(execution, "Clean")
    assert "matplotlib" in installed(execution, "Report")
    [handed_on] = execution.values("Clean")
    assert (handed_on["$qflow"]["type"], handed_on["$qflow"]["shape"]) == ("pandas.DataFrame", [36, 5])
    assert execution.values("Report") == [{"total": 76576.8, "best": "south", "months": 12}]
    [chart] = files(execution, "Report")
    assert (chart["fileName"], chart["mimeType"]) == ("chart.png", "image/png")

    again = await run(bare, example("sales-report"), "Report")

    assert (installed(again, "Clean"), installed(again, "Report")) == ("", "")
    assert again.values("Report") == execution.values("Report")


async def test_a_model_of_scikit_learn_is_trained_in_one_node_and_used_in_another(bare: Parts) -> None:
    """The fitted model passes n8n's Merge node, and meets each new flower."""
    execution = await run(bare, example("model"), "Predict")

    assert "scikit-learn" in installed(execution, "Train")
    [trained] = execution.values("Train")
    assert trained["accuracy"] == 1.0
    assert trained["model"]["$qflow"]["type"] == "sklearn.Pipeline"
    assert [(each["flower"], each["species"]) for each in execution.values("Predict")] == [
        ("A", "setosa"),
        ("B", "versicolor"),
        ("C", "virginica"),
    ]
    assert all(0.5 < each["probability"] <= 1 for each in execution.values("Predict"))


async def test_thumbnails_with_pillow(bare: Parts) -> None:
    """A picture comes out of n8n as one of Pillow, and goes back with a name and a type."""
    execution = await run(bare, example("thumbnails"), "Thumbnail")

    assert "pillow" in installed(execution, "Draw")
    photos = [(file["fileName"], file["mimeType"]) for file in files(execution, "Draw")]
    assert photos == [("dawn.jpg", "image/jpeg"), ("dusk.jpg", "image/jpeg")]
    small = [(file["fileName"], file["mimeType"]) for file in files(execution, "Thumbnail")]
    assert small == [("dawn-small.png", "image/png"), ("dusk-small.png", "image/png")]
    sizes = [file["bytes"] for file in files(execution, "Draw")]
    assert [each["was"] for each in execution.values("Thumbnail")] == sizes


async def test_a_parquet_file_of_polars_is_read_with_arrow(bare: Parts) -> None:
    """Two packages of compiled code, and a table that becomes items."""
    execution = await run(bare, example("parquet"), "Read")

    assert "polars" in installed(execution, "Measure")
    assert "pyarrow" in installed(execution, "Read")
    assert execution.values("Measure") == [{"rows": 90}]
    assert execution.values("Read") == [
        {"city": "Cairo", "high_max": 29.0, "day_count": 30},
        {"city": "Rome", "high_max": 21.0, "day_count": 30},
    ]


async def test_requests_are_prepared_with_requests_and_read_with_httpx(bare: Parts) -> None:
    execution = await run(bare, example("http-clients"), "Explain")

    assert "requests" in installed(execution, "Sign")
    assert "httpx" in installed(execution, "Explain")
    [signed] = execution.values("Sign")
    assert signed["url"] == "https://shop.example/api/orders?order=A+17%2F%C3%A4"
    assert execution.values("Explain") == [
        {
            "host": "shop.example",
            "path": "/api/orders",
            "query": {"order": "A 17/ä"},
            "signed": True,
            "bytes": len(signed["body"]),
        }
    ]


async def test_lines_of_an_invoice_with_lxml(bare: Parts) -> None:
    execution = await run(bare, example("xml"), "Lines")

    assert "lxml" in installed(execution, "Lines")
    assert execution.values("Lines") == [
        {"invoice": "2026-041", "sku": "L-1", "name": "Desk lamp", "total": "49.00"},
        {"invoice": "2026-041", "sku": "C-7", "name": "Chair & cushion", "total": "89.90"},
    ]


@pytest.mark.parametrize("annotation", ["PIL.Image.Image", "Image", "bytes", "BinaryIO", "Path"])
async def test_a_picture_of_n8n_is_what_the_annotation_says(bare: Parts, annotation: str) -> None:
    """As Pillow's own, as a file with a name, as content, as a stream, or where it is; back it goes as a file."""
    reads = {
        "PIL.Image.Image": "photo",
        "Image": "photo.to_pil()",
        "bytes": "PIL.Image.open(io.BytesIO(photo))",
        "BinaryIO": "PIL.Image.open(photo)",
        "Path": "PIL.Image.open(photo)",
    }
    code = f"""
        import io
        from pathlib import Path
        from typing import BinaryIO

        import PIL.Image
        from qflow import Image

        def mirrored(photo: {annotation}) -> PIL.Image.Image:
            picture = {reads[annotation]}
            assert picture.size == (3, 2), picture.size
            return picture.transpose(PIL.Image.Transpose.ROTATE_90)
    """
    measure = """
        import PIL.Image

        def size(data: PIL.Image.Image) -> dict:
            return {"width": data.width, "height": data.height, "format": data.format}
    """
    make = (
        "import PIL.Image\n\ndef make() -> dict:\n    return {'photo': PIL.Image.new('RGB', (3, 2), 'red')}\n"
    )
    nodes = [node("Start", "manualTrigger"), qflow("Make", make), qflow("Mirror", code)]
    nodes.append(qflow("Size", measure))

    execution = await run(bare, chain("Pictures", nodes), "Size")

    [file] = files(execution, "Mirror")
    assert (file["fileName"], file["mimeType"]) == ("data.png", "image/png")
    assert execution.values("Size") == [{"width": 2, "height": 3, "format": "PNG"}]


async def test_a_figure_is_shown_in_the_editor(bare: Parts, editor: Editor, pictures: Path) -> None:
    """What pyplot draws is seen where the node's result is shown."""
    saved = await bare.save(example("sales-report"))
    await editor.open_workflow(saved["id"])
    await editor.tidy()
    await editor.open_node("Report")

    await editor.execute_step()
    await expect(editor.output.get_by_text("chart.png")).to_be_visible(timeout=DEADLINE_S * 1000)
    await editor.output.get_by_text("View", exact=True).click()
    figure = editor.page.locator("img[src*=binary-data]").first
    await expect(figure).to_be_visible()

    size = await figure.evaluate("each => each.decode().then(() => [each.naturalWidth, each.naturalHeight])")
    assert size[0] > size[1] > 300
    await widen_output(editor)
    await editor.screenshot(pictures / "figure.png")
    await editor.close_node()


async def widen_output(editor: Editor, by: int = 130) -> None:
    """Move the middle of the open node to the left, so that more is seen of what came out."""
    handle = editor.page.locator('[data-test-id="panel-drag-button"]')
    box = await handle.bounding_box()
    assert box is not None
    left, top = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    await editor.page.mouse.move(left, top)
    await editor.page.mouse.down()
    await editor.page.mouse.move(left - by, top, steps=5)
    await editor.page.mouse.up()


async def refused(parts: Parts, code: str, requirements: str = "") -> str:
    """What a node shows, whose packages cannot be had."""
    parameters = {"code": code, "requirements": requirements}
    nodes = [node("Start", "manualTrigger"), node("Python", QFLOW_NODE, parameters)]
    saved = await parts.save(pinned(chain("No such package", nodes), "Start", [{}]))
    execution = await parts.n8n.api.run_step(saved, "Python", DEADLINE_S)
    assert execution.error is not None
    return f"{execution.error['message']}\n{execution.error['description']}"


async def test_an_import_that_nothing_is_known_of_is_not_installed_by_guess(bare: Parts) -> None:
    """The node says what to do, and proposes what was probably meant."""
    told = await refused(bare, "import pandsa\n\ndef f():\n    return pandsa.__name__\n")

    assert "pandsa" in told
    assert "pandas" in told


async def test_a_package_that_the_index_does_not_have_is_named(bare: Parts) -> None:
    code = "def f() -> int:\n    return 1\n"

    told = await refused(bare, code, "no-such-package-of-qflow>=2")

    assert "no-such-package-of-qflow" in told
    assert "index" in told


async def test_requirements_that_exclude_each_other_are_both_named(bare: Parts) -> None:
    told = await refused(bare, "def f() -> int:\n    return 1\n", "six==1.16.0\nsix>=1.17")

    assert "six==1.16.0" in told
    assert "six>=1.17" in told
