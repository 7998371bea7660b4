"""Checks a workflow: analyses its nodes, judges every link between Qflow nodes, and suggests what would fit."""

import asyncio
import re
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from qflow_runner.analysis import Analysis, Analyzer, Finding, to_infer
from qflow_runner.workflows.graph import Graph, Link, Node, Workflow
from qflow_runner.workflows.judge import Verdict, judge_link
from qflow_runner.workflows.nodes import Port, code_of, port_of, requirements_of
from qflow_runner.workflows.saved import Resolve, follow

MAX_SUGGESTIONS = 5
REMEMBERED_LINKS = 20_000
INFER_S = 0.7
"""How long a check waits for types that no annotation gives."""

FindPackages = Callable[[Sequence[str], str], Path | None]
"""Where the packages of requirements are installed for a Python, if they are; installs nothing and raises nothing."""
_VERSION = re.compile(r"3\.[0-9]{1,2}")


@dataclass(frozen=True)
class CheckedLink:
    link: Link
    from_id: str
    to_id: str
    verdict: Verdict

    @property
    def sentence(self) -> str:
        """What a person reads of a link that is refused."""
        about = self.verdict
        takes = f"'{about.parameter}: {about.target}'" if about.parameter else about.target
        return (
            f"'{self.link.source}' gives {about.source}, but '{self.link.target}' takes {takes}: "
            f"{about.judgement.reason}."
        )


@dataclass(frozen=True)
class CheckedNode:
    name: str
    id: str
    signature: str
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class Suggestion:
    """A function of the workflow that the source's items would fit."""

    source: str
    node: str
    function: str
    signature: str


@dataclass(frozen=True)
class Check:
    links: tuple[CheckedLink, ...]
    nodes: tuple[CheckedNode, ...]
    suggestions: tuple[Suggestion, ...]

    @property
    def refused(self) -> list[CheckedLink]:
        return [each for each in self.links if each.verdict.judgement.verdict == "incompatible"]

    @property
    def ok(self) -> bool:
        return not self.refused


class Checker:
    """Remembers verdicts by what they follow from, so that a change of one node costs that node's links."""

    def __init__(
        self,
        analyzer: Analyzer,
        python: str,
        resolve: Resolve | None = None,
        find_packages: FindPackages | None = None,
    ) -> None:
        """`resolve` finds saved definitions; without it nodes that name one are not checked.

        `find_packages` finds what types are inferred from; without it packages are not looked into.
        """
        self._analyzer = analyzer
        self._resolve = resolve
        self._find_packages = find_packages
        self._python = python
        self._verdicts: OrderedDict[tuple[object, ...], Verdict] = OrderedDict()
        self._judging = asyncio.Lock()

    async def check(self, workflow: Workflow) -> Check:
        graph = Graph.of(workflow)
        ports = await self._ports(graph)
        async with self._judging:
            # Types can be large on purpose: judging them must not hold up the runs of others.
            links, suggestions = await asyncio.to_thread(self._judged, graph, ports)
        nodes = tuple(
            CheckedNode(
                port.node.name,
                port.node.id,
                port.function.signature if port.function else "",
                ()
                if port.missing
                else tuple(each for each in port.analysis.findings if each.severity == "error"),
            )
            for port in ports.values()
        )
        return Check(links, nodes, suggestions)

    def _judged(
        self, graph: Graph, ports: dict[str, Port]
    ) -> tuple[tuple[CheckedLink, ...], tuple[Suggestion, ...]]:
        links = tuple(self._checked(link, ports) for link in graph.links())
        return links, tuple(self._suggestions(links, ports))

    async def _ports(self, graph: Graph) -> dict[str, Port]:
        nodes, missing = await follow(graph.qflow_nodes, self._resolve)
        wanted = {_asked(node) for node in nodes}
        analysed = await asyncio.gather(*(self._analysed(*each) for each in wanted))
        by_asked = dict(zip(wanted, analysed, strict=True))
        return {
            node.name: port_of(node, by_asked[_asked(node)], missing.get(node.name, "")) for node in nodes
        }

    async def _analysed(self, code: str, python: str, listed: tuple[str, ...]) -> Analysis:
        """An outline; with what is inferred, where something is to be and it comes in time."""
        # What the instance does not have is for the run to say; its code is read as any other.
        python = python if _VERSION.fullmatch(python) else self._python
        outline = await self._analyzer.outline(code, python)
        if outline.script or not to_infer(outline.functions):
            return outline
        packages = None
        if self._find_packages is not None:
            needed = listed or [each.requirement for each in outline.requirements]
            packages = self._find_packages(needed, python)
        try:
            async with asyncio.timeout(INFER_S):
                return await self._analyzer.analyze(code, python, packages=packages)
        except TimeoutError:
            # It goes on, and the next check finds it. Until then nothing is known of what is not annotated.
            return outline

    def _checked(self, link: Link, ports: dict[str, Port]) -> CheckedLink:
        source, target = ports[link.source], ports[link.target]
        verdict = self._verdict(source, target)
        if link.output > 0 and source.node.on_error == "continueErrorOutput":
            judgement = replace(
                verdict.judgement, verdict="unchecked", reason="the error output gives the failed input items"
            )
            verdict = replace(verdict, judgement=judgement)
        return CheckedLink(link, source.node.id, target.node.id, verdict)

    def _verdict(self, source: Port, target: Port) -> Verdict:
        key = (_identity(source), _identity(target), target.mode, target.validation, repr(target.mapped))
        verdict = self._verdicts.get(key)
        if verdict is None:
            verdict = self._verdicts[key] = judge_link(source, target)
            if len(self._verdicts) > REMEMBERED_LINKS:
                self._verdicts.popitem(last=False)
        return verdict

    def _suggestions(self, links: tuple[CheckedLink, ...], ports: dict[str, Port]) -> list[Suggestion]:
        found: list[Suggestion] = []
        refused = {each.link.source for each in links if each.verdict.judgement.verdict == "incompatible"}
        for name in sorted(refused):
            fitting = [
                Suggestion(name, port.node.name, function.name, function.signature)
                for port in ports.values()
                if port.node.name != name
                for function in port.analysis.functions
                if function.parameters and _fits(self._verdict(ports[name], replace(port, function=function)))
            ]
            found.extend(fitting[:MAX_SUGGESTIONS])
        return found


def _asked(node: Node) -> tuple[str, str, tuple[str, ...]]:
    return *code_of(node), requirements_of(node)


def _fits(verdict: Verdict) -> bool:
    return verdict.judgement.verdict in {"assignable", "convertible"} and verdict.target not in {
        "",
        "Any",
        "object",
    }


def _identity(port: Port) -> tuple[object, ...]:
    code, python = code_of(port.node)
    # The signature holds what was inferred, which may come later than the code; without one the reason has the name.
    said = (port.function.signature,) if port.function else (port.node.name, port.missing)
    return code, python, said
