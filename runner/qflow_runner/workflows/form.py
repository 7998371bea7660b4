"""A check as JSON, and as SARIF for code hosts."""

from dataclasses import asdict
from typing import Any

from qflow_runner.workflows.check import Check, CheckedLink

_LEVELS = {"incompatible": "error", "unchecked": "note"}


def check_form(check: Check) -> dict[str, Any]:
    suggested: dict[str, list[dict[str, str]]] = {}
    for each in check.suggestions:
        suggested.setdefault(each.source, []).append(
            {"node": each.node, "function": each.function, "signature": each.signature}
        )
    return {
        "ok": check.ok,
        "links": [_link(each) for each in check.links],
        "nodes": [
            {
                "name": node.name,
                "id": node.id,
                "signature": node.signature,
                "findings": [asdict(each) for each in node.findings],
            }
            for node in check.nodes
        ],
        "suggestions": [{"from": name, "functions": functions} for name, functions in suggested.items()],
    }


def _link(checked: CheckedLink) -> dict[str, Any]:
    link, about = checked.link, checked.verdict
    return {
        "from": link.source,
        "to": link.target,
        "from_id": checked.from_id,
        "to_id": checked.to_id,
        "output": link.output,
        "input": link.input,
        "source": about.source,
        "target": about.target,
        "parameter": about.parameter,
        "verdict": about.judgement.verdict,
        "reason": checked.sentence if about.judgement.verdict == "incompatible" else about.judgement.reason,
        "suggestion": about.judgement.suggestion,
        "path": list(link.path),
    }


def sarif(check: Check, file: str, version: str) -> dict[str, Any]:
    """SARIF 2.1.0, which code hosts show beside a change. A workflow file has no lines worth naming."""
    location = [{"physicalLocation": {"artifactLocation": {"uri": file}, "region": {"startLine": 1}}}]
    results = [
        {
            "ruleId": f"link-{each.verdict.judgement.verdict}",
            "level": _LEVELS[each.verdict.judgement.verdict],
            "message": {"text": f"{each.sentence} {each.verdict.judgement.suggestion}".strip()},
            "locations": location,
        }
        for each in check.links
        if each.verdict.judgement.verdict in _LEVELS
    ]
    results += [
        {
            "ruleId": finding.code,
            "level": "error",
            "message": {"text": f"'{node.name}', line {finding.line}: {finding.message}"},
            "locations": location,
        }
        for node in check.nodes
        for finding in node.findings
    ]
    rules = [{"id": rule} for rule in sorted({str(result["ruleId"]) for result in results})]
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": {"name": "qflow check", "version": version, "rules": rules}},
                "results": results,
            }
        ],
    }
