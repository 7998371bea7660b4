"""What a guest says and people will read: held to its form, shortened, and printable."""


def checked_logs(logs: list[list[str]]) -> list[dict[str, str]]:
    """Captured output as the API shows it; whatever does not look like output is left out."""
    return [
        {"stream": entry[0], "text": printable(entry[1])}
        for entry in logs
        if isinstance(entry, list)  # pyright: ignore[reportUnnecessaryIsInstance] - a guest sent it
        and len(entry) == 2
        and entry[0] in {"stdout", "stderr"}
        and isinstance(entry[1], str)  # pyright: ignore[reportUnnecessaryIsInstance]
    ]


def checked_hints(hints: list[str]) -> list[str]:
    return [printable(hint)[:2_000] for hint in hints[:20] if isinstance(hint, str)]  # pyright: ignore[reportUnnecessaryIsInstance]


def checked_text(text: str) -> str:
    return printable(text)[:1_000]


def printable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
