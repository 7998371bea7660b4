"""Between a definition's request and what is saved of it under a name."""

from collections.abc import Collection, Mapping
from typing import Any

from pydantic import ValidationError

from qflow_runner.analysis import Analysis, Analyzer
from qflow_runner.api.bodies import sentence
from qflow_runner.api.found import found_in
from qflow_runner.definitions import DefinitionRequest, Definitions, check_python, content_of
from qflow_runner.errors import RequestError
from qflow_runner.settings import Settings
from qflow_runner.store import NewVersion, SavedDefinitions, SavedVersion
from qflow_runner.workflows.saved import Resolve, SavedName


async def new_version(
    request: DefinitionRequest, note: str, analyzer: Analyzer, definitions: Definitions, settings: Settings
) -> NewVersion:
    """What is to be saved. Raises as making a definition does."""
    python = check_python(request.python or settings.python, definitions.pythons)
    analysis = await analyzer.analyze(request.code, python)
    definition = definitions.make(request, found_in(analysis, request))
    function, signature = shown(analysis, request)
    # Without defaults, so that a field which is added later makes no other content of the same request.
    content = request.model_dump(mode="json", include=_FIELDS, exclude_defaults=True)
    return NewVersion(content, definition.id, content_of(definition), function, signature, note)


def shown(analysis: Analysis, request: DefinitionRequest) -> tuple[str, str]:
    """Name and signature of the function that a run calls; both are empty where there is none."""
    if analysis.script or request.mode == "script":
        return "", ""
    name = request.function or analysis.entry
    return name, next((each.signature for each in analysis.functions if each.name == name), "")


def request_of(version: SavedVersion, overrides: Mapping[str, Any]) -> DefinitionRequest:
    """What was saved, with what is set otherwise here; an empty value sets nothing. Raises RequestError."""
    saved = {name: value for name, value in version.content.items() if name in _FIELDS}
    given = {name: value for name, value in overrides.items() if value not in ("", None, [])}
    try:
        return DefinitionRequest.model_validate(saved | given)
    except ValidationError as error:
        raise RequestError(
            f"Version {version.version} of '{version.name}' does not fit this runner: {sentence(error)}.",
            hint="Save it again.",
        ) from None


def resolver(saved: SavedDefinitions) -> Resolve:
    """How the check of a workflow finds saved definitions."""

    async def resolve(wanted: Collection[SavedName]) -> Mapping[SavedName, Mapping[str, Any]]:
        return {name: version.content for name, version in (await saved.find(wanted)).items()}

    return resolve


_FIELDS = set(DefinitionRequest.model_fields)
