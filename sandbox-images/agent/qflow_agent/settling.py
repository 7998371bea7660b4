"""What a call comes to, where it gives something that has to be awaited."""

from typing import Any, Callable, Coroutine, List


def finish(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine that never waits, without the cost of an event loop and without one running."""
    try:
        coroutine.send(None)
    except StopIteration:
        return
    raise RuntimeError("waited without an event loop")


def settle(result: Any, element: "Callable[[int, Any], Any]") -> Any:
    """What a function that is not async returned; a coroutine among it is awaited in a loop of its own."""
    if hasattr(type(result), "__await__") or hasattr(type(result), "__aiter__"):
        import asyncio

        return asyncio.run(value_of(result, element))
    return result


async def value_of(result: Any, element: "Callable[[int, Any], Any]") -> Any:
    """What `result` comes to; each element of an async iterator goes through `element` when it comes."""
    if hasattr(type(result), "__await__"):
        result = await result
    if hasattr(type(result), "__aiter__"):
        values: List[Any] = []
        async for value in result:
            values.append(element(len(values), value))
        return values
    return result
