import asyncio

async def square(n):
    await asyncio.sleep(0)
    return n * n

results = await asyncio.gather(*[square(item.json.n) for item in _input.all()])
return [{"json": {"square": result}} for result in results]
