"""Requirement lines: what is read, what is the same, what is refused and with which words."""

import pytest

from qflow_runner.errors import RequirementInvalid, RequirementRefused
from qflow_runner.layers.lines import read_lines

DIGEST = "a" * 64


def test_order_case_and_spaces_make_no_difference() -> None:
    """The same requirements are the same lock."""
    one = read_lines(["Pandas >= 2, <3", "python_dateutil", "requests[socks,Security]"])
    two = read_lines(["requests[security,socks]\npython-dateutil", "pandas<3,>=2"])

    assert one.requirements == two.requirements
    assert ("Pandas >= 2, <3", "python_dateutil", "requests[socks,Security]") == one.lines


def test_a_requirements_file_is_read_whole() -> None:
    """Comments, blank lines, continuations, hashes, markers and carriage returns."""
    text = (
        "# made by pip-compile\r\n--require-hashes\n\n"
        f"six==1.17.0 \\\r\n    --hash=sha256:{DIGEST} \\\n    --hash=sha256:{'B' * 64}\n    # via pandas\n"
        'tomli>=2 ; python_version < "3.11"  # backport\n'
    )
    asked = read_lines([text])

    assert ("six==1.17.0", 'tomli>=2 ; python_version < "3.11"') == asked.requirements
    assert {"six": frozenset({f"sha256:{DIGEST}", f"sha256:{'b' * 64}"})} == dict(asked.hashes)


@pytest.mark.parametrize(
    "text",
    [
        '[project]\nname = "x"\ndependencies = ["pandas>=2", "six"]\n[tool.ruff]\nline-length = 1\n',
        'dependencies = [\n  "pandas>=2",\n  "six",\n]',
        '# /// script\n# requires-python = ">=3.11"\n# dependencies = ["pandas>=2", "six"]\n# ///\nimport six\n',
        "\"pandas>=2\",\n'six',\n",
        "pandas>=2\nsix",
    ],
)
def test_what_people_paste_is_understood(text: str) -> None:
    """A pyproject, its dependencies, a script's header, or the list's inside."""
    assert ("pandas>=2", "six") == read_lines([text]).requirements


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("-e .", "is not taken"),
        ("--editable=/srv/x", "is not taken"),
        ("-r other.txt", "is not taken"),
        ("-rother.txt", "is not taken"),
        ("-c bounds.txt", "is not taken"),
        ("--index-url https://evil.example/simple", "is not taken"),
        ("-i https://evil.example/simple", "is not taken"),
        ("--extra-index-url=https://evil.example", "is not taken"),
        ("--find-links /srv", "is not taken"),
        ("six --config-settings=x=y", "is not taken"),
        ("six --index-url https://evil.example", "is not taken"),
        ("--no-binary :all:", "is not taken"),
        ("--whatever", "is an option of pip"),
        ("./thing", "is a path"),
        ("../thing.whl", "is a path"),
        ("/etc/passwd", "is a path"),
        ("~/thing", "is a path"),
        ("C:\\thing", "is a path"),
        ("thing-1.0-py3-none-any.whl", "is a path"),
        ("file:///etc/passwd", "is a path"),
        ("six @ file:///srv/six.whl", "is a path"),
        ("six @ /srv/six.whl", "is a path"),
        ("git+https://example.com/six.git", "repository"),
        ("six @ git+ssh://git@example.com/six.git", "repository"),
        ("hg+http://example.com/six", "repository"),
        ("https://example.com/six-1.0-py3-none-any.whl", "is a URL"),
        ("six @ https://example.com/six-1.0-py3-none-any.whl", "is a URL"),
    ],
)
def test_what_would_reach_the_runner_is_refused(line: str, words: str) -> None:
    """Files, code, other indexes: each with a sentence that quotes the line, and what to do."""
    with pytest.raises(RequirementRefused) as caught:
        read_lines(["pandas", line])

    assert words in caught.value.detail
    assert line.split(maxsplit=1)[0][:10] in caught.value.detail
    assert caught.value.hint


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("pandas=>2", "no requirement"),
        ("pandas numpy", "no requirement"),
        ("pip install pandas", "a command"),
        ("!pip install pandas", "a command"),
        ("uv add pandas", "a command"),
        ("six ; python_vers < '3'", "no requirement"),
        ("six --hash=md5:abc", "no sha256"),
        ("[tool.poetry.dependencies]\npandas = '^2'", "Poetry"),
        ("dependencies = [", "TOML"),
        ("[project]\nname = 'x'", "no list"),
        ("dependencies = [1]", "no list of texts"),
        ("\x1b[31msix\x00", "no requirement"),
        ("x" * 3_000_000, "characters"),
        ("\n".join(f"a{n}" for n in range(501)), "at most 500"),
    ],
)
def test_what_is_no_requirement_says_so(line: str, words: str) -> None:
    """With the line, shortened and without control characters."""
    with pytest.raises(RequirementInvalid) as caught:
        read_lines([line])

    assert words in caught.value.detail
    assert caught.value.detail.isprintable() or "TOML" in caught.value.detail
    assert len(caught.value.detail) < 400


def test_an_administrator_can_allow_urls_of_wheels() -> None:
    """Those alone: no repository, no path, no source, no variable of the environment."""
    line = "six @ https://example.com/six-1.0-py3-none-any.whl"

    assert (line,) == read_lines([line], urls=True).requirements
    for other in (
        "six @ https://example.com/six-1.0.tar.gz",
        "six @ git+https://example.com/six.git",
        "six @ file:///six-1.0-py3-none-any.whl",
        "six @ https://${TOKEN}@example.com/six-1.0-py3-none-any.whl",
    ):
        with pytest.raises(RequirementRefused):
            read_lines([other], urls=True)


def test_a_password_in_a_line_is_not_repeated() -> None:
    """An error is shown and logged."""
    with pytest.raises(RequirementRefused) as caught:
        read_lines(["--index-url https://me:hunter2@example.com/simple"])

    assert "hunter2" not in str(caught.value.document())
