"""What one run calls, and with what: the function of a definition, bound to the items that came in."""

import inspect
from typing import Any, FrozenSet, List, Optional, Sequence, Type

from qflow_agent.binding import Arguments, Binder
from qflow_agent.body import Body, Json, Whole
from qflow_agent.definition import Loaded
from qflow_agent.returns import Returns, returns_of
from qflow_agent.signatures import Signature, signature_of
from qflow_agent.supply import Supply


class FunctionRun:
    """A function with the items of one run. A script's :class:`~qflow_agent.script.ScriptRun` has the same members."""

    def __init__(self, loaded: Loaded, body: Body, supply: Optional[Supply] = None) -> None:
        """Raises Problem (argument_unknown)."""
        self._loaded = loaded
        self._jsons, self._args = body.jsons, body.args
        self.function = loaded.function
        self._live, self._lost, self._shared = body.live, body.lost, body.shared
        self._supply = supply
        binder = self._binder(self._args[0] if self._args else {})
        self.at_once = loaded.mode == "all" or (loaded.mode != "item" and binder.takes_many)
        """Whether one call takes all items."""
        self.as_is = binder.takes_item_as_is and not self._live
        """Whether a call takes its entry, and nothing else."""
        self.looped = inspect.iscoroutinefunction(self.function) or inspect.isasyncgenfunction(self.function)
        """Whether the calls need an event loop."""
        self.entries: Sequence[Any] = self._jsons
        """What there is to call for, one per item."""
        returns = self._returns()
        self.checked = returns.checked
        self.checked_element = returns.checked_element
        self.passing = returns.passing
        """The classes of results that need neither awaiting nor checking."""
        self.hints: List[str] = list(body.hints)
        if self.at_once and len(self._args) > 1 and any(entry != self._args[0] for entry in self._args):
            self.hints.append(
                "The mapped values differ between items; one call for all items gets those of the first."
            )

    def for_all(self) -> Arguments:
        """The arguments of the one call. Raises Problem (argument_missing, argument_type, reference_gone, …)."""
        if self._lost:
            raise self._lost[min(self._lost)]
        mapped = self._args[0] if self._args else {}
        # The code may change its list, which must stay what the results are compared with.
        return self._binder(mapped).all(list(self._jsons), mapped)

    def for_item(self, number: int, json: Json) -> Arguments:
        """The arguments of the call for one item. Raises Problem (argument_missing, argument_type, reference_gone, …)."""
        if number in self._lost:
            raise self._lost[number]
        mapped = self._mapped(number)
        if self._supply is not None:
            self._supply.number = number
        return self._binder(mapped).one(json, mapped)

    def inputs(self) -> Sequence[Json]:
        """What the results are compared with, to know which item each was made from."""
        if not self._live:
            return self._jsons
        return [json.object if type(json) is Whole else json for json in self._jsons]

    def _mapped(self, number: int) -> Json:
        if len(self._args) > 1:
            return self._args[number]
        if not self._args:
            return {}
        mapped = self._args[0]
        if len(self._jsons) > 1 and any(type(value) in (list, dict) for value in mapped.values()):
            from qflow_agent.copies import own_containers

            # One call's changes to a list must not be seen by the next.
            return own_containers(mapped, self._shared)
        return mapped

    def _binder(self, mapped: Json) -> Binder:
        cache = self._loaded.cache
        names: FrozenSet[str] = frozenset(mapped)
        key = (names, self._live)
        binder = cache.get(key)
        if binder is None:
            checked = self._loaded.validation != "off"
            cls = self._binder_class()
            binder = cache[key] = cls(self._signature(), names, self._loaded.name, checked=checked)
        binder.supply = self._supply
        binder.shared = self._shared
        return binder

    def _binder_class(self) -> Type[Binder]:
        if not self._live:
            return Binder
        from qflow_agent.live import LiveBinder

        return LiveBinder

    def _signature(self) -> Signature:
        cache = self._loaded.cache
        if "signature" not in cache:
            lax = self._loaded.validation == "coerce"
            cache["signature"] = signature_of(self._loaded.function, self._loaded.module.__dict__, lax)
        return cache["signature"]

    def _returns(self) -> Returns:
        cache = self._loaded.cache
        if "returns" not in cache:
            signature = self._signature()
            cache["returns"] = returns_of(
                self._loaded.name, signature.returns, signature.scope, self._loaded.validation
            )
        return cache["returns"]
