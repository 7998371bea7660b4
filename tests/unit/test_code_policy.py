"""Rules for code: imports that are allowed or not, and calls worth a second look; off, warn or block."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from qflow_runner.analysis import Analyzer
from qflow_runner.code_policy import CodePolicy, rules_of
from qflow_runner.errors import CodeRefused, PolicyFileInvalid
from qflow_runner.sandbox.fake import FakeBackend
from qflow_runner.settings import Settings
from tests.runner import running

PLAIN = "import json\n\ndef f(n: int) -> int:\n    return n\n"


@pytest.fixture(scope="module")
async def analyzer() -> AsyncIterator[Analyzer]:
    analyzer = Analyzer()
    await analyzer.open()
    yield analyzer
    await analyzer.close()


async def told(analyzer: Analyzer, code: str, workflow: str = "w", **settings: Any) -> list[str]:
    """What a run would hear: the hints, or the refusal."""
    policy = CodePolicy(rules_of(Settings(**settings)), analyzer)
    try:
        return await policy.check("d", code, "3.12", workflow)
    except CodeRefused as refused:
        return [f"refused: {refused.detail}"]


@pytest.mark.parametrize(
    ("line", "allow", "deny", "refused"),
    [
        ("import pandas", "", "", ""),
        ("import pandas", "pandas", "", ""),
        ("import pandas.io.json", "pandas", "", ""),
        ("from pandas.io import json", "pandas.io", "", ""),
        ("import pandas", "pandas.io", "", "pandas"),
        ("import pandasx", "pandas", "", "pandasx"),
        ("import os", "pandas", "", "os"),
        ("import os", "stdlib,pandas", "", ""),
        ("import os.path", "stdlib", "os", "os.path"),
        ("import subprocess", "", "subprocess", "subprocess"),
        ("from os import system", "", "os.system", "os.system"),
        ("from os import path", "", "os.system", ""),
        ("from os import *", "", "os", "os"),
        ("__import__('subprocess')", "", "subprocess", "subprocess"),
        ("import importlib; importlib.import_module('socket')", "", "socket", "socket"),
        ("from typing import Any", "pandas", "", ""),
        ("from qflow import File", "pandas", "", ""),
        ("import numpy", "", "stdlib", ""),
        ("import json", "", "stdlib", "json"),
        ("try:\n    import socket\nexcept ImportError:\n    pass", "", "socket", "socket"),
        ("def g():\n    import socket", "", "socket", "socket"),
    ],
)
async def test_imports(analyzer: Analyzer, line: str, allow: str, deny: str, refused: str) -> None:
    """A module stands for all below it, denied goes before allowed, and every place of an import counts."""
    code = f"{line}\ndef f(n: int) -> int:\n    return n\n"
    heard = await told(
        analyzer, code, code_policy="block", imports_allow=allow, imports_deny=deny, code_policy_file=None
    )
    named = [text for text in heard if f": {refused} may not be imported" in text]

    assert bool(refused) == bool(named), heard


@pytest.mark.parametrize(
    "expression",
    [
        "eval('1')",
        "exec(text)",
        "os.system('ls')",
        "os.popen('ls')",
        "subprocess.run(['ls'])",
        "sp.check_output('ls')",
        "run(['ls'])",
        "ctypes.CDLL(None)",
        "pickle.loads(data)",
        "marshal.loads(data)",
        "().__class__.__base__.__subclasses__()",
        "f.__globals__['x']",
        "error.__traceback__.tb_frame.f_back",
        "sys._getframe()",
        "os.kill(1, 9)",
        "os.execv('/bin/sh', [])",
        "__import__(name)",
        "(os.system)",
        "requests.get(url, verify=False)",
        "yaml.load(text)",
    ],
)
async def test_risky_calls_are_refused_and_shown(analyzer: Analyzer, expression: str) -> None:
    """The line is named; with "warn" a run hears nothing of calls, and the one who writes sees them."""
    code = (
        "import ctypes, marshal, os, pickle, requests, subprocess, sys, yaml\n"
        "import subprocess as sp\nfrom subprocess import run\n\n"
        f"def f(text, data, error, name, url):\n    return {expression}\n"
    )
    refusal = await told(analyzer, code, code_policy="block")
    assert "Line 6" in refusal[0], refusal
    assert [] == await told(analyzer, code, code_policy="warn")

    policy = CodePolicy(rules_of(Settings(code_policy="warn")), analyzer)
    shown = policy.shown(await analyzer.analyze(code, "3.12", infer=False))
    assert [6] == sorted({each.line for each in shown.findings if each.code == "risk" or each.code[0] == "S"})


@pytest.mark.parametrize(
    "code",
    [
        PLAIN,
        "import pandas as pd\n\ndef f(t: pd.DataFrame) -> pd.DataFrame:\n    return t.eval('a = b').query('a > 1')\n",
        "import re\n\ndef f(text: str) -> bool:\n    return bool(re.compile('x').match(text))\n",
        "import logging, os\n\ndef f(n: int) -> str:\n    logging.info('x')\n    return os.path.join('a', os.environ['B'])\n",
        "def f(model, rows: list) -> list:\n    return model.fit(rows).predict(rows)\n",
    ],
)
async def test_ordinary_code_is_left_alone(analyzer: Analyzer, code: str) -> None:
    """Nobody is told of what nobody has to think about."""
    assert [] == await told(analyzer, code, code_policy="block")


async def test_off_looks_at_nothing(analyzer: Analyzer) -> None:
    """No finding, no hint, no refusal."""
    code = "import subprocess\n\ndef f() -> None:\n    eval('1')\n"
    assert [] == await told(analyzer, code, code_policy="off", imports_deny="subprocess")
    policy = CodePolicy(rules_of(Settings(code_policy="off")), analyzer)
    shown = policy.shown(await analyzer.analyze(code, "3.12", infer=False))

    assert not [each for each in shown.findings if each.code in {"risk", "S307", "import_refused"}]


async def test_a_workflow_may_have_its_own_rules(analyzer: Analyzer, tmp_path: Path) -> None:
    """What its table does not say is as for all others."""
    file = tmp_path / "rules.toml"
    file.write_text('[workflows.free]\nmode = "off"\n[workflows."a b"]\ndeny = []\nallow = ["json"]\n')
    given = {"code_policy": "block", "imports_deny": "json", "code_policy_file": file}

    assert "refused" in (await told(analyzer, PLAIN, "other", **given))[0]
    assert [] == await told(analyzer, PLAIN, "free", **given)
    assert [] == await told(analyzer, PLAIN, "a b", **given)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[workflows", "no TOML"),
        ("[other]\n", "other is not known"),
        ('[workflows.x]\nmode = "no"\n', "off, warn or block"),
        ('[workflows.x]\nallow = "json"\n', "of another kind"),
        ("[workflows.x]\ndeny = [1]\n", "texts alone"),
        ("[workflows.x]\ncolour = 1\n", "colour is not known"),
        ("workflows = 1\n", "workflows is not known"),
    ],
)
def test_a_file_that_is_not_right_stops_the_start(tmp_path: Path, text: str, says: str) -> None:
    """A runner that cannot read its rules would run what they refuse."""
    file = tmp_path / "rules.toml"
    file.write_text(text)

    with pytest.raises(PolicyFileInvalid, match=says):
        rules_of(Settings(code_policy_file=file))


def test_a_file_that_is_missing_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(PolicyFileInvalid, match="cannot be read"):
        rules_of(Settings(code_policy_file=tmp_path / "none.toml"))


def test_a_module_has_a_name() -> None:
    """A list that cannot mean anything is refused with the variable's name."""
    with pytest.raises(ValidationError, match="name of a module"):
        Settings(imports_deny="os; rm")


async def test_code_that_hides_is_refused_where_nobody_can_read_it(analyzer: Analyzer) -> None:
    """What no parser takes is no way past the rules: it does not run either."""
    heard = await told(analyzer, "x = " + "(" * 5000, code_policy="block", imports_allow="json")

    assert isinstance(heard, list)


async def test_the_run_is_refused_with_its_line(tmp_path: Path) -> None:
    """Over HTTP it is a problem of the category policy; and analysis says the same before anybody runs it."""
    code = "import json\nimport subprocess\n\ndef f(n: int) -> int:\n    return n\n"
    async with running(FakeBackend(), tmp_path, code_policy="block", imports_deny="subprocess") as client:
        await client.until_ready()
        status, problem = await client.run(code)
        assert (422, "policy", "code_refused") == (status, problem["category"], problem["code"])
        assert "Line 2: subprocess may not be imported" in problem["detail"]

        status, analysis = await client.call("POST", "/v1/analyze", json={"code": code})
        refused = [each for each in analysis["findings"] if each["code"] == "import_refused"]
        assert [("error", 2)] == [(each["severity"], each["line"]) for each in refused]
