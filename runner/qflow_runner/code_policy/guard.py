"""Judges a definition's code by the rules of the workflow that runs it, once."""

from collections import OrderedDict
from dataclasses import replace

import structlog

from qflow_runner.analysis import Analysis, Analyzer, Finding
from qflow_runner.code_policy.rules import Rules, RulesBook
from qflow_runner.errors import CodeRefused

log = structlog.get_logger()

KEPT = 10_000
"""Judgements that are remembered."""
SHOWN = 5
CHECKED_IN_VAIN = frozenset({"analysis_busy", "analysis_timeout", "analysis_failed", "checks_skipped"})


class CodePolicy:
    def __init__(self, book: RulesBook, analyzer: Analyzer) -> None:
        self._book = book
        self._analyzer = analyzer
        self._known: OrderedDict[tuple[str, Rules], tuple[str, ...]] = OrderedDict()

    async def check(self, definition: str, code: str, python: str, workflow: str) -> list[str]:
        """Hints for the one who runs it. Raises CodeRefused where the rules block what the code does."""
        rules = self._book.of(workflow)
        if rules.mode == "off":
            return []
        wrong = self._known.get((definition, rules))
        if wrong is None:
            wrong = await self._judge(definition, code, python, rules)
        if not wrong:
            return []
        told = f"{' '.join(wrong[:SHOWN])}{f' And {len(wrong) - SHOWN} more.' if len(wrong) > SHOWN else ''}"
        if rules.mode == "warn":
            return [f"This runner's policy: {told}"]
        log.warning("policy.refused", workflow=workflow, definition=definition, reason=told)
        raise CodeRefused(f"This runner's policy refuses the code. {told}")

    def shown(self, analysis: Analysis, workflow: str = "") -> Analysis:
        """The analysis with what the rules say as findings, for whoever writes the code."""
        rules = self._book.of(workflow)
        if rules.mode == "off":
            return replace(analysis, risks=())
        findings = [*analysis.findings, *imports_refused(analysis, rules)]
        severity = "error" if rules.mode == "block" else "warning"
        findings += [replace(each, severity=severity) for each in analysis.risks]
        order = {"error": 0, "warning": 1, "info": 2}
        findings.sort(key=lambda each: (order[each.severity], each.line, each.column))
        return replace(analysis, findings=tuple(findings), risks=())

    async def _judge(self, definition: str, code: str, python: str, rules: Rules) -> tuple[str, ...]:
        """Where the code was not read in time it is refused if the rules block: nobody knows what it does."""
        analysis = await self._analyzer.analyze(code, python, infer=False)
        findings = imports_refused(analysis, rules)
        if rules.mode == "block":
            findings += analysis.risks
            findings += [each for each in analysis.findings if each.code in CHECKED_IN_VAIN]
        wrong = tuple(dict.fromkeys(f"Line {each.line}: {each.message}" for each in findings))
        if not any(each.code in CHECKED_IN_VAIN for each in analysis.findings):
            self._known[definition, rules] = wrong
            if len(self._known) > KEPT:
                self._known.popitem(last=False)
        return wrong


def imports_refused(analysis: Analysis, rules: Rules) -> list[Finding]:
    found: list[Finding] = []
    for use in analysis.uses:
        why = rules.refuses(use.name) if use.kind == "import" else ""
        if why:
            message = f"{use.name} may not be imported: {why}."
            hint = "Use another module, or ask the administrator of the runner."
            severity = "error" if rules.mode == "block" else "warning"
            found.append(Finding(severity, "import_refused", message, hint, use.line, use.column, use.source))
    return found
