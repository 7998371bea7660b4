"""The analysis as JSON, and at a terminal."""

import json

from rich.console import Console

from qflow_runner.analysis import Analyzer, to_json
from qflow_runner.analysis.show import show

CODE = '''\
import yaml

async def invoice(order: dict, *, vat: float = 0.19):
    """Make an invoice.

    Args:
        order: The order.

    Returns:
        The total.
    """
    print(rate)
    return 1.5
'''
SIGNATURE = "invoice(order: dict, *, vat: float = 0.19) -> float"


async def test_json_form(analyzer: Analyzer) -> None:
    """The JSON has the members that the node reads, and no others."""
    form = to_json(await analyzer.analyze(CODE))

    assert {
        "functions": [
            {
                "name": "invoice",
                "line": 3,
                "params": [
                    {
                        "name": "order",
                        "type": "dict",
                        "required": True,
                        "default": None,
                        "keyword_only": False,
                        "doc": "The order.",
                        "inferred": False,
                    },
                    {
                        "name": "vat",
                        "type": "float",
                        "required": False,
                        "default": "0.19",
                        "keyword_only": True,
                        "doc": "",
                        "inferred": False,
                    },
                ],
                "returns": "float",
                "inferred": True,
                "doc": "Make an invoice.",
                "returns_doc": "The total.",
                "async": True,
                "generator": False,
                "signature": SIGNATURE,
            }
        ],
        "entry": "invoice",
        "script": "",
        "imports": ["yaml"],
        "requirements": [{"requirement": "pyyaml", "source": "import", "module": "yaml"}],
        "findings": [
            {
                "severity": "error",
                "code": "F821",
                "message": "Undefined name `rate`.",
                "hint": "",
                "line": 12,
                "column": 11,
                "source": "    print(rate)\n          ^^^^",
            }
        ],
    } == json.loads(json.dumps(form))


async def _shown(analyzer: Analyzer, code: str) -> str:
    console = Console(width=80, color_system=None)
    with console.capture() as capture:
        console.print(show(await analyzer.analyze(code)))
    return capture.get()


async def test_terminal_form(analyzer: Analyzer) -> None:
    """A person sees signature, parameters, requirements and findings, in 80 columns."""
    text = await _shown(analyzer, CODE)

    assert all(len(line) <= 80 for line in text.splitlines())
    assert "pyyaml" in text
    assert "1 error" in text
    assert "        print(rate)" in text
    assert "              ^^^^" in text
    assert "float (inferred)" in " ".join(text.split())


async def test_terminal_is_not_controlled(analyzer: Analyzer) -> None:
    """Nothing of the code controls the terminal or is taken for markup."""
    text = await _shown(analyzer, 'def f(a="\x1b[31m[bold]"):\n    """\\x1b[0m [red]Text."""\n    return b\n')

    assert "\x1b" not in text
    assert "[bold]" in text
    assert "[red]Text." in text


GIVEN = """
import typing
import PIL.Image
import qflow
from pathlib import Path
from typing import Annotated, BinaryIO, Optional
from qflow import Context as C, File, Image, Secret

def f(ctx: C, key: Secret, photo: File, other: Optional[Image], more: list[File], stream: BinaryIO,
      named: dict[str, qflow.File], picture: "PIL.Image.Image | None", noted: Annotated[File, "x"],
      raw: bytes, place: Path, either: File | str, files: list, n: int = 1): ...
"""


async def test_what_comes_by_itself_is_no_field(analyzer: Analyzer) -> None:
    """Files, the context and secrets; what may be text as well stays a field, and the signature names them all."""
    [function] = to_json(await analyzer.analyze(GIVEN))["functions"]

    assert [each["name"] for each in function["params"]] == ["raw", "place", "either", "files", "n"]
    assert "ctx: C" in function["signature"]


async def test_a_class_of_the_code_that_is_called_context_is_a_field(analyzer: Analyzer) -> None:
    """The name alone does not make it Qflow's."""
    code = "class Context:\n    pass\n\ndef f(ctx: Context, name: str): ...\n"
    [function] = to_json(await analyzer.analyze(code))["functions"]

    assert [each["name"] for each in function["params"]] == ["ctx", "name"]
