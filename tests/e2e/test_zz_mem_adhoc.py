from tests.e2e import test_files as tf
MB = 1 << 20
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
    for size in (1, 200, 200, 800, 200):
        before = tf.memory(pid, "VmRSS"); tf.forget_peak(pid)
        await tf.run(parts, [tf.qflow("Make", make)], [{"size": size * MB}])
        down = tf.memory(pid, "VmHWM")
        mid = tf.memory(pid, "VmRSS"); tf.forget_peak(pid)
        ex = await tf.run(parts, [tf.qflow("Make", make), tf.qflow("Measure", measure)], [{"size": size * MB}])
        print(size, "before", before//MB, "down peak", down//MB, "| mid", mid//MB, "both peak", tf.memory(pid, "VmHWM")//MB, ex.status, flush=True)
