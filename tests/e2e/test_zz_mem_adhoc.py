from tests.e2e.test_files import *
async def test_mem(parts):
    make = """
        from qflow import File
        def make(size: int) -> File:
            block = bytes(1 << 20)
            with open("/tmp/large_adhoc.bin", "wb") as out:
                for _ in range(size >> 20): out.write(block)
            return File.from_path("/tmp/large_adhoc.bin")
    """
    measure = """
        from qflow import File
        def measure(data: File) -> dict:
            return {"size": data.size}
    """
    pid = parts.n8n.process.pid
    for size in (1, 200, 200, 800, 800, 200):
        before = memory(pid, "VmRSS"); forget_peak(pid)
        ex = await run(parts, [qflow("Make", make)], [{"size": size * MB}])
        down = memory(pid, "VmHWM")
        mid = memory(pid, "VmRSS"); forget_peak(pid)
        ex = await run(parts, [qflow("Make", make), qflow("Measure", measure)], [{"size": size * MB}])
        print(size, "before", before//MB, "down peak", down//MB, "| mid", mid//MB, "both peak", memory(pid, "VmHWM")//MB, ex.status)
