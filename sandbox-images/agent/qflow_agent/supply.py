"""Gives parameters what does not stand in an item's JSON: the item's files, the run's context, secrets."""

from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple

from qflow import Context, Files, Secrets
from qflow._context import Teller
from qflow_agent.binding import ABSENT
from qflow_agent.body import Facts, Json, Whole
from qflow_agent.exchange import Exchange, RunnerGone
from qflow_agent.files import Outbox, file_of, is_file
from qflow_agent.inbox import Inbox
from qflow_agent.masking import Mask, unmasked
from qflow_agent.needs import DICT, LIST, ONE, Need
from qflow_agent.problem import Problem, listed, nearest

_caches: Dict[Tuple[str, str], Dict[Any, Any]] = {}


class Supply:
    """Of one run. `number` is the item that is being called for; None where one call takes all."""

    def __init__(
        self,
        facts: Facts,
        outbox: Outbox,
        *,
        exchange: Optional[Exchange] = None,
        binaries: Sequence[Any] = (),
        secrets: Optional[Mapping[str, str]] = None,
        mask: Mask = unmasked,
    ) -> None:
        self._mask = mask
        self._facts = facts
        self._exchange = exchange
        self._inbox = Inbox(exchange, binaries)
        self._secrets = Secrets(secrets or {})
        self._files = Files(outbox.add)
        self._teller = Teller(self._tell)
        self.has_files = len(binaries) > 0
        self.number: Optional[int] = None

    def give(self, parameter: Any, parameters: Sequence[Any], mapped: Json, json: Json) -> Any:
        """The parameter's value, or ABSENT. Raises Problem (argument_missing, argument_type, file_gone)."""
        need: Need = parameter.need
        if need.role == "context":
            _unmapped(parameter, mapped, "the run's context")
            return self._context()
        if need.role == "secret":
            _unmapped(parameter, mapped, "the secret of its name")
            return self._secret(parameter)
        given = self._live(parameter, mapped, json)
        return self._file(parameter, parameters, mapped, json) if given is ABSENT else given

    def _file(self, parameter: Any, parameters: Sequence[Any], mapped: Json, json: Json) -> Any:
        need: Need = parameter.need
        if parameter.name in mapped:
            return self._chosen(parameter, mapped[parameter.name]) if need.only else ABSENT
        if need.shape == LIST:
            return self._several(parameter, json)
        binary = self._inbox.of(self.number or 0)
        if need.shape == DICT:
            return {key: self._made(parameter, key, binary[key]) for key in binary}
        key = self._key(parameter, parameters, mapped, json, binary)
        if key is not None:
            return self._made(parameter, key, binary[key])
        if not need.only:
            return ABSENT
        if not parameter.required:
            return parameter.default
        if need.optional:
            return None
        raise _missing(parameter, list(binary))

    def _context(self) -> Context:
        facts = self._facts
        place = (facts.workflow, facts.execution)
        if place not in _caches:
            _caches.clear()  # a session serves one execution after the other
            _caches[place] = {}
        return Context(
            execution=facts.execution,
            workflow=facts.workflow,
            node=facts.node,
            item=self.number,
            secrets=self._secrets,
            cache=_caches[place],
            files=self._files,
            tell=self._teller,
        )

    def _secret(self, parameter: Any) -> Any:
        if parameter.name in self._secrets:
            return self._secrets[parameter.name]
        if not parameter.required:
            return parameter.default
        if parameter.need.optional:
            return None
        names = list(self._secrets)
        raise Problem(
            "argument_missing",
            "Parameter '%s' has no value: the node has no secret of that name." % parameter.name,
            hint="%sThe node has %s. Add one in its credential."
            % (nearest(parameter.name, names), "the secrets " + listed(names) if names else "no secrets"),
            parameter=parameter.name,
        )

    def _tell(self, fraction: float, text: str) -> None:
        if self._exchange is not None:
            try:
                self._exchange.progress(fraction, self._mask(text))
            except RunnerGone:
                pass  # nobody watches, or this is a process that the code forked: neither is a reason to fail

    def _live(self, parameter: Any, mapped: Json, json: Json) -> Any:
        """An object that an earlier node made, and that this node takes by reference."""
        need: Need = parameter.need
        if not need.only or need.shape != ONE:
            return ABSENT
        whole = json.object if type(json) is Whole else json.get("value") if len(json) == 1 else None
        places = (mapped.get(parameter.name), json.get(parameter.name), whole)
        value = next((each for each in places if each is not None and is_file(each)), None)
        if value is None:
            return ABSENT
        return _converted(parameter, lambda: need.make(file_of(value, parameter.name)))

    def _chosen(self, parameter: Any, value: Any) -> Any:
        """A text that is mapped to a file's parameter is the name of the item's file."""
        binary = self._inbox.of(self.number or 0)
        if value is None and parameter.need.optional:
            return None
        if type(value) is not str or value not in binary:
            raise _missing(parameter, list(binary), value)
        made = self._made(parameter, value, binary[value])
        if parameter.need.shape == LIST:
            return parameter.need.gather([made])
        return {value: made} if parameter.need.shape == DICT else made

    def _several(self, parameter: Any, json: Json) -> Any:
        need: Need = parameter.need
        numbers = range(self._inbox.items) if self.number is None else [self.number]
        found = [each for number in numbers for each in self._inbox.of(number).items()]
        if not need.only and (not found or parameter.name in json):
            return ABSENT
        if not found and not parameter.required:
            return parameter.default
        return need.gather([self._made(parameter, key, told) for key, told in found])

    def _key(
        self, parameter: Any, parameters: Sequence[Any], mapped: Json, json: Json, binary: Json
    ) -> Optional[str]:
        """Which of the item's files the parameter takes: that of its name; else the only one, or n8n's ``data``."""
        need: Need = parameter.need
        if parameter.name in binary:
            return None if parameter.name in json and not need.only and not need.claims else parameter.name
        if not binary or not need.claims or (not need.only and parameter.name in json):
            return None
        claimant = next(
            each
            for each in parameters
            if each.need is not None
            and each.need.role == "file"
            and each.need.claims
            and each.name not in mapped
            and each.name not in binary
            and (each.need.only or each.name not in json)
        )
        if claimant is not parameter:
            return None
        if len(binary) == 1:
            return next(iter(binary))
        return "data" if "data" in binary else None

    def _made(self, parameter: Any, key: str, told: Any) -> Any:
        file = self._inbox.file(key, told, parameter.name)
        return _converted(parameter, lambda: parameter.need.make(file))


def _converted(parameter: Any, make: Callable[[], Any]) -> Any:
    try:
        return make()
    except (ValueError, ImportError, OSError) as error:
        raise Problem(
            "argument_type",
            "Parameter '%s' (%s) cannot take the file: %s." % (parameter.name, parameter.written, error),
            hint="Give it another file, or annotate it with File to have it as it is.",
            parameter=parameter.name,
        ) from None


def _unmapped(parameter: Any, mapped: Json, what: str) -> None:
    if parameter.name in mapped:
        raise Problem(
            "argument_unknown",
            "A value is mapped to the parameter '%s', which gets %s." % (parameter.name, what),
            hint="Remove the value in the node.",
            parameter=parameter.name,
        )


def _missing(parameter: Any, names: List[str], chosen: Any = ABSENT) -> Problem:
    has = "The item has %s." % ("the files " + listed(names) if names else "no files")
    if chosen is ABSENT:
        why = "the item has several, and none has its name" if len(names) > 1 else "the item has none left"
        why = why if names else "the item has no files"
    elif type(chosen) is str:
        why = "the item has no file '%s'" % (chosen if len(chosen) <= 60 else chosen[:57] + "…")
    else:
        why = "what is mapped to it is no file's name"
    return Problem(
        "argument_missing",
        "Parameter '%s' (%s) takes a file, and %s." % (parameter.name, parameter.written, why),
        hint="%s%s Name the parameter as the file, or map the file's name to it."
        % (nearest(chosen if type(chosen) is str else parameter.name, names), has),
        parameter=parameter.name,
    )
