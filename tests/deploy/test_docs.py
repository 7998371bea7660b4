"""The docs hang together: every link leads somewhere, every page can be reached, and the site builds without a warning."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from lab.cache import ROOT
from lab.docs_site import slug

IGNORED = {"node_modules", ".venv", "build", "dist", ".git", ".pytest_cache"}
PAGES = sorted(
    path for path in ROOT.rglob("*.md") if not IGNORED & set(path.relative_to(ROOT).parts) and path.is_file()
)
LINK = re.compile(r"!?\[(?:[^\]\[]|\[[^\]]*\])*\]\(<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\)")
HEADING = re.compile(r"^#{1,6}\s+(.*?)\s*#*$", re.MULTILINE)


def prose(path: Path) -> str:
    """Without code, in which brackets are no links."""
    text = re.sub(r"^(```|~~~).*?^\1", "", path.read_text(), flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"`[^`\n]*`", "", text)


def links(path: Path) -> list[str]:
    return [each for each in LINK.findall(prose(path)) if not re.match(r"[a-z]+:", each)]


def anchors(path: Path) -> set[str]:
    found: set[str] = set()
    text = re.sub(r"^(```|~~~).*?^\1", "", path.read_text(), flags=re.MULTILINE | re.DOTALL)
    for title in HEADING.findall(text):
        shown = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title)
        name = slug(shown, "-")
        number = 0
        while (name if not number else f"{name}-{number}") in found:
            number += 1
        found.add(name if not number else f"{name}-{number}")
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """To a file of the repository, and to a heading in it."""
    lost: list[str] = []
    for link in links(page):
        target, _, anchor = link.partition("#")
        path = (page.parent / target).resolve() if target else page
        if (
            not path.exists()
            or not path.is_relative_to(ROOT)
            or (anchor and (path.suffix != ".md" or anchor not in anchors(path)))
        ):
            lost.append(link)

    assert lost == []


def test_every_page_can_be_reached() -> None:
    """From docs/README.md, by links alone."""
    docs = ROOT / "docs"
    seen: set[Path] = set()
    ahead = [docs / "README.md"]
    while ahead:
        page = ahead.pop()
        if page in seen:
            continue
        seen.add(page)
        for link in links(page):
            path = (page.parent / link.partition("#")[0]).resolve()
            if path.suffix == ".md" and path.is_relative_to(docs) and path.exists():
                ahead.append(path)

    assert sorted(set(docs.rglob("*.md")) - seen) == []


def test_the_readme_leads_to_the_docs() -> None:
    assert "docs/README.md" in links(ROOT / "README.md")


def test_the_site_builds(tmp_path: Path) -> None:
    """Strictly: a page that is in no menu, and a link or heading that is not there, are errors."""
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )

    assert done.returncode == 0, done.stderr[-3000:]
    assert (tmp_path / "install" / "docker-compose.html").exists()
    for page in tmp_path.rglob("*.html"):
        assert not re.search(r'<(script|link)[^>]+(src|href)="https?://', page.read_text()), page


def test_install_pages_say_what_was_tried() -> None:
    """A stranger should know before copying a command."""
    for page in (ROOT / "docs" / "install").glob("*.md"):
        if page.name != "README.md":
            assert re.search(r"^\*\*Tried", page.read_text()[:600], re.MULTILINE), page.name
