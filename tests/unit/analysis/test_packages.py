"""Types that nobody wrote, of functions that use packages: read from a directory, of which nothing is executed."""

import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from qflow_runner.analysis import Analysis, Analyzer
from qflow_runner.analysis import analyzer as timing
from qflow_runner.types import parse, show

DEADLINE_S = timing.DEADLINE_S
"""Before a test changes it."""

FILES = {
    # In the places of the real one: the checker has stubs of its own for its __init__, which lead there.
    "pandas/__init__.py": "from pandas.core.api import DataFrame, Series\n",
    "pandas/core/__init__.py": "",
    "pandas/core/api.py": "from pandas.core.frame import DataFrame as DataFrame\n"
    "from pandas.core.series import Series as Series\n",
    "pandas/core/series.py": "class Series:\n    def __init__(self, rows=None): ...\n",
    "pandas/core/frame.py": """
class DataFrame:
    def __init__(self, rows=None): ...
""",
    "pandas/other.py": """
from typing import List, Union
class DataFrame: ...
class Path: ...
class Outer:
    class Inner: ...
Text = Union[int, bytes]
def odd() -> List[Text]: return []
def wrong() -> DataFrame: return DataFrame()
def path() -> Path: return Path()
def inner() -> Outer.Inner: return Outer.Inner()
""",
    "numpy/__init__.py": """
from typing import Generic, TypeVar
S = TypeVar("S"); D = TypeVar("D")
class dtype(Generic[D]): ...
class ndarray(Generic[S, D]): ...
class bool: ...
bool_ = bool
def zeros(n) -> ndarray[tuple[int], dtype[float]]: return ndarray()
def true() -> bool: return bool()
""",
    "polars/__init__.py": "from polars.dataframe.frame import DataFrame\nfrom polars.series.series import Series\n",
    "polars/dataframe/__init__.py": "",
    "polars/dataframe/frame.py": "class DataFrame: ...\n",
    "polars/series/__init__.py": "",
    "polars/series/series.py": "class Series: ...\n",
    "pyarrow/__init__.py": "from pyarrow.lib import Table\ndef table() -> Table: return Table()\n",
    "pyarrow/lib.pyi": "class Table: ...\n",
    "PIL/__init__.py": "",
    "PIL/Image.py": "class Image: ...\ndef open(path) -> Image: return Image()\n",
    "matplotlib/__init__.py": "",
    "matplotlib/figure.py": "class Figure: ...\n",
    "matplotlib/pyplot.py": "from matplotlib.figure import Figure\ndef figure() -> Figure: return Figure()\n",
    "anything.py": "from typing import Generic, TypeVar\nT = TypeVar('T')\nclass _Rare: ...\nclass thing(Generic[T]): ...\n"
    "def rare(): return _Rare()\ndef some() -> thing[int]: return thing()\nclass Counter: ...\n",
    "loud.py": "open('/tmp/qflow-was-executed', 'w').close()\nclass Loud: ...\n",
}


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory as that of a layer."""
    directory = tmp_path_factory.mktemp("layer")
    for name, text in FILES.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(text)
    return directory


@pytest.fixture(scope="module", name="patient")
async def _patient() -> AsyncIterator[Analyzer]:
    """An analyzer with time enough on a busy machine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(timing, "DEADLINE_S", 60.0)
        analyzer = Analyzer()
        await analyzer.open()
        yield analyzer
        await analyzer.close()


RETURNS = {
    # code, the text on the wire, what it means
    "import pandas as pd\ndef f(x):\n    return pd.DataFrame(x)": ("DataFrame", "pandas.DataFrame"),
    "from pandas import DataFrame\ndef f(x):\n    return DataFrame(x)": ("DataFrame", "pandas.DataFrame"),
    "import pandas as pd\ndef f(x):\n    return pd.Series(x)": ("Series", "pandas.Series"),
    "import pandas as pd\ndef f(x):\n    return pd.DataFrame": ("type[DataFrame]", "type[pandas.DataFrame]"),
    "import pandas as pd\nasync def f(x):\n    return [pd.DataFrame(x)]": (
        "list[DataFrame]",
        "list[pandas.DataFrame]",
    ),
    "import pandas as pd\ndef f(x):\n    yield pd.DataFrame(x)": (
        "Generator[DataFrame, None, None]",
        "Generator[pandas.DataFrame, None, None]",
    ),
    "import numpy as np\ndef f(n):\n    return {'a': np.zeros(n)}": (
        "dict[str, ndarray]",
        "dict[str, numpy.ndarray]",
    ),
    "import numpy as np\ndef f():\n    return np.true()": ("bool_", "numpy.bool_"),
    "import polars as pl\ndef f():\n    return pl.DataFrame()": ("polars.DataFrame",) * 2,
    "import polars as pl\ndef f():\n    return pl.Series()": ("polars.Series",) * 2,
    "import pyarrow as pa\ndef f():\n    return pa.table()": ("Table", "pyarrow.Table"),
    "from PIL import Image\ndef f(p):\n    return Image.open(p)": ("PIL.Image.Image",) * 2,
    "import PIL.Image as I\ndef f(p):\n    return I.open(p)": ("Image", "PIL.Image.Image"),
    "import matplotlib.pyplot as plt\ndef f():\n    return plt.figure()": (
        "Figure",
        "matplotlib.figure.Figure",
    ),
    # Two packages, one name.
    "import pandas as pd, polars as pl\ndef f(x):\n    return pd.DataFrame() if x else pl.DataFrame()": (
        "polars.DataFrame | DataFrame",
        "polars.DataFrame | pandas.DataFrame",
    ),
    # The code's own class has the name.
    "import pandas\nclass DataFrame: ...\ndef f():\n    return [DataFrame()]": ("list[DataFrame]",) * 2,
    "import pandas\nclass DataFrame: ...\ndef f():\n    return pandas.DataFrame()": ("pandas.DataFrame",) * 2,
    "import pandas\ndef f():\n    class DataFrame: ...\n    return DataFrame()": ("", "Any"),
    # Another module's name hides the package's.
    "import numpy as pandas\nimport pandas.core.frame as c\nclass DataFrame: ...\ndef f():\n    return c.DataFrame()": (
        "",
        "Any",
    ),
    # A class with a known name that is another one.
    "import pandas.other\ndef f():\n    return pandas.other.wrong()": ("pandas.other.DataFrame",) * 2,
    "import pandas.other\ndef f():\n    return pandas.other.path()": ("pandas.other.Path",) * 2,
    "import anything\ndef f():\n    return anything.Counter()": ("anything.Counter",) * 2,
    # What the code does not name, and the checker has to be asked for again.
    "import anything\ndef f():\n    return anything.rare()": ("_Rare", "anything._Rare"),
    "import anything\ndef f():\n    return anything.some()": ("thing", "anything.thing"),
    # An alias has no module.
    "import pandas.other\ndef f():\n    return pandas.other.odd()": ("list[Any]",) * 2,
    "import loud\ndef f():\n    return loud.Loud()": ("Loud", "loud.Loud"),
    "import datetime\nimport pandas\ndef f():\n    return datetime.datetime.now()": (
        "datetime.datetime",
        "datetime",
    ),
    "import missing\ndef f():\n    return missing.DataFrame()": ("", "Any"),
}


@pytest.mark.parametrize(("code", "expected"), RETURNS.items())
async def test_classes_of_packages(
    patient: Analyzer, packages: Path, code: str, expected: tuple[str, str]
) -> None:
    """The name on the wire, and what it means in the code's scope; never another class of that name."""
    analysis = await patient.analyze(code, packages=packages)

    assert not [finding for finding in analysis.findings if finding.code == "types_skipped"]
    assert expected == (analysis.functions[0].returns, _meaning(analysis))
    assert not os.path.exists("/tmp/qflow-was-executed")  # noqa: ASYNC240, PTH110 - nothing is read


async def test_a_default_of_a_package(patient: Analyzer, packages: Path) -> None:
    """Parameters too."""
    code = "import pandas as pd\ndef f(rows=pd.DataFrame(), n=1) -> int:\n    return n"
    (function,) = (await patient.analyze(code, packages=packages)).functions

    assert "f(rows: DataFrame = pd.DataFrame(), n: int = 1) -> int" == function.signature


async def test_the_directory_is_a_part_of_the_question(patient: Analyzer, packages: Path) -> None:
    """The same code is answered anew when its packages are there, and without them nothing is known of them."""
    code = "import pandas as pd\ndef f(x):\n    return pd.DataFrame(x)"
    before = await patient.analyze(code)
    gone = await patient.analyze(code, packages=packages / "gone")
    after = await patient.analyze(code, packages=packages)

    assert ["", "", "DataFrame"] == [each.functions[0].returns for each in (before, gone, after)]
    assert after is await patient.analyze(code, packages=packages)
    assert before is await patient.analyze(code)


@pytest.mark.parametrize("trap", ["fifo", "endless", "loop", "deep"])
async def test_a_hostile_package_holds_up_nothing(
    tmp_path: Path, trap: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer comes within its time, without the types at worst."""
    monkeypatch.setattr(timing, "DEADLINE_S", DEADLINE_S)
    module = tmp_path / "trap.py"
    if trap == "fifo":
        os.mkfifo(module)
    elif trap == "endless":
        module.symlink_to("/dev/zero")
    elif trap == "loop":
        module.write_text(
            "from trap import *\nfrom trap import f as f\nclass A(A): ...\ndef f(): return f()\n"
        )
    else:
        module.write_text("def f(): return " + "[" * 50_000 + "]" * 50_000 + "\n")
    analyzer = Analyzer()
    await analyzer.open()
    try:
        began = time.monotonic()
        analysis = await analyzer.analyze("import trap\ndef f():\n    return trap.f()", packages=tmp_path)
        took = time.monotonic() - began
    finally:
        await analyzer.close()

    assert took < DEADLINE_S + 1
    assert ["f"] == [function.name for function in analysis.functions]


def _meaning(analysis: Analysis) -> str:
    return show(parse(analysis.functions[0].returns, analysis.scope))
