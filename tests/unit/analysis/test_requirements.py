"""Which distributions the code needs."""

import pytest

from tests.unit.analysis.reading import analysis_of, codes

IMPORTS = {
    "import json, os.path": [],
    "import qflow\nfrom qflow import Context, File": [],
    "import pandas as pd\nfrom pandas import DataFrame": ["pandas"],
    "import cv2, PIL.Image, yaml": ["opencv-python-headless", "pillow", "pyyaml"],
    "from sklearn.linear_model import LinearRegression": ["scikit-learn"],
    "import bs4\nimport dateutil.parser\nfrom dotenv import load_dotenv": [
        "beautifulsoup4",
        "python-dateutil",
        "python-dotenv",
    ],
    "import psycopg2": ["psycopg2-binary"],
    "from google.cloud import storage, bigquery": ["google-cloud-storage", "google-cloud-bigquery"],
    "import google.cloud.storage.blob": ["google-cloud-storage"],
    "from google.protobuf import message": ["protobuf"],
    "import azure.storage.blob": ["azure-storage-blob"],
    "import mysql.connector": ["mysql-connector-python"],
    "from ruamel.yaml import YAML": ["ruamel.yaml"],
    "from qflow import Context\nfrom __future__ import annotations": [],
    "from . import a\nfrom .b import c": [],
    "def f():\n    import httpx": ["httpx"],
    "class C:\n    def m(self):\n        import httpx": ["httpx"],
    "if x:\n    import a1\nelse:\n    import b1": ["a1", "b1"],
    "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import pandas": [],
    "import sys\nif sys.version_info < (3, 8):\n    import typing_extensions": [],
    "try:\n    import orjson\nexcept ImportError:\n    import ujson": ["orjson"],
    "try:\n    import orjson\nexcept ImportError:\n    orjson = None": ["orjson"],
    "try:\n    import tomllib\nexcept ModuleNotFoundError:\n    import tomli as tomllib": [],
    "try:\n    f()\nexcept ValueError:\n    import httpx": ["httpx"],
    "import unheard_of": ["unheard_of"],
    "import cgi": ["legacy-cgi"],
    "import distutils.core": ["setuptools"],
    "import imp": [],
}


@pytest.mark.parametrize(("code", "expected"), IMPORTS.items())
def test_from_imports(code: str, expected: list[str]) -> None:
    """What must be imported when the code runs is required, by the name that the index knows."""
    requirements = analysis_of(code, "3.13").requirements

    assert expected == [requirement.requirement for requirement in requirements]
    assert all(requirement.source == "import" for requirement in requirements)


STANDARD = {
    ("tomllib", "3.11"): (False, []),
    ("tomllib", "3.10"): (True, ["tomli"]),
    ("zoneinfo", "3.8"): (True, ["backports.zoneinfo"]),
    ("distutils", "3.11"): (False, []),
    ("asyncore", "3.12"): (True, ["pyasyncore"]),
    ("telnetlib", "3.12"): (False, []),
    ("telnetlib", "3.13"): (True, []),
    ("annotationlib", "3.13"): (True, []),
    ("annotationlib", "3.14"): (False, []),
    ("binhex", "3.10"): (False, []),
}


@pytest.mark.parametrize(("module", "python", "missing", "expected"), [(*k, *v) for k, v in STANDARD.items()])
def test_standard_library_of_each_python(
    module: str, python: str, missing: bool, expected: list[str]
) -> None:
    """A module that this Python's standard library lacks is a warning, and what stands in for it is required."""
    analysis = analysis_of(f"import {module}\n", python)

    assert missing == ("module_missing" in codes(analysis))
    assert expected == [requirement.requirement for requirement in analysis.requirements]


def test_fallback_where_the_module_is_missing() -> None:
    """On a Python without the module, the code takes its fallback, and that is what it needs."""
    code = "try:\n    import tomllib\nexcept ImportError:\n    import tomli as tomllib\ndef main(): ..."
    analysis = analysis_of(code, "3.10")

    assert [("tomli", "tomli")] == [(r.requirement, r.module) for r in analysis.requirements]
    assert [] == codes(analysis)


def test_all_imports_are_listed() -> None:
    """The imports are every module that the code names, wherever it does."""
    analysis = analysis_of(
        "import os.path, json\ndef f():\n    from pandas.io import sql\nif TYPE_CHECKING:\n    import a"
    )

    assert {"os.path", "json", "pandas.io", "a"} == set(analysis.imports)


def test_unknown_part_of_a_shared_package() -> None:
    """Where many distributions share a package, none is guessed."""
    analysis = analysis_of("import google.ads\ndef main(): ...")

    assert ((), ["distribution_unknown"]) == (analysis.requirements, codes(analysis))


def _header(text: str) -> str:
    return (
        "".join(f"# {line}".rstrip() + "\n" for line in ("/// script", *text.splitlines(), "///"))
        + "import httpx\ndef main(): ..."
    )


HEADERS = {
    'dependencies = ["pandas>=2,<3", "requests[socks]"]': (["pandas>=2,<3", "requests[socks]"], []),
    "dependencies = []": ([], []),
    'requires-python = ">=3.11"': ([], []),
    'requires-python = ">=3.13"\ndependencies = ["a"]': (["a"], ["python_mismatch"]),
    'requires-python = "==3.12.4"': ([], []),
    'requires-python = "many"': ([], ["python_mismatch"]),
    'dependencies = ["a", "not a requirement!"]': (["a"], ["header_invalid"]),
    "dependencies = [": ([], ["header_invalid"]),
    'dependencies = "a"': ([], ["header_invalid"]),
    '\ndependencies = [\n  "a",\n\n]\n[tool.x]\ny = 1': (["a"], []),
}


@pytest.mark.parametrize(("text", "expected", "findings"), [(k, *v) for k, v in HEADERS.items()])
def test_header(text: str, expected: list[str], findings: list[str]) -> None:
    """A script header says what is needed, in place of the imports; what is wrong with it is told."""
    analysis = analysis_of(_header(text), "3.12")

    assert expected == [requirement.requirement for requirement in analysis.requirements]
    assert findings == codes(analysis)
    assert all(requirement.source == "header" for requirement in analysis.requirements)


def test_two_headers() -> None:
    """Of two script headers none is chosen."""
    assert "header_invalid" in codes(
        analysis_of(_header("dependencies = []") + "\n" + _header("dependencies = []"))
    )


def test_header_without_end_is_a_comment() -> None:
    """A header that nothing ends is no header."""
    analysis = analysis_of('# /// script\n# dependencies = ["a"]\nimport httpx\ndef main(): ...')

    assert ["httpx"] == [requirement.requirement for requirement in analysis.requirements]
