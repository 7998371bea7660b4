"""For MkDocs: links that leave docs/ lead to the repository, and headings get the anchors that GitHub gives them."""

import posixpath
import re
from typing import Any

LINK = re.compile(r"(\]\()([^)#\s]+)((?:#[^)\s]*)?\))")


def on_config(config: Any) -> Any:
    config["mdx_configs"].setdefault("toc", {})["slugify"] = slug
    return config


def on_page_markdown(markdown: str, page: Any, config: Any, **_: Any) -> str:
    folder = posixpath.dirname(page.file.src_uri)

    def outside(found: re.Match[str]) -> str:
        target = found[2]
        if "://" in target or target.startswith(("/", "mailto:")):
            return found[0]
        whole = posixpath.normpath(posixpath.join("docs", folder, target))
        if whole.startswith("docs/"):
            return found[0]
        return f"{found[1]}{config['repo_url'].rstrip('/')}/blob/main/{whole}{found[3]}"

    return LINK.sub(outside, markdown)


def slug(title: str, separator: str) -> str:
    """As GitHub makes it: lower case, without punctuation, each space a hyphen."""
    kept = re.sub(r"[^\w\- ]", "", title.strip().lower())
    return kept.replace(" ", separator)
