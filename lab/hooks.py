"""The files that let n8n check links, written as `qflow n8n-files` does, and what makes n8n load them."""

from pathlib import Path

from lab.runner import Runner
from qflow_runner.n8n_files import EXTENSION_URL, HOOKS, write_files


def with_hooks(folder: Path, runner: Runner) -> dict[str, str]:
    """Write them into `folder`, for `runner`; the environment with which n8n must be started."""
    write_files(folder, runner.url, runner.token)
    return {"EXTERNAL_HOOK_FILES": str(folder / HOOKS), "EXTERNAL_FRONTEND_HOOKS_URLS": EXTENSION_URL}
