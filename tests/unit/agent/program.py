"""Runs cases with the agent, in whatever Python starts it: JSON in by stdin, JSON out by stdout. Python 3.8."""

import gc
import json
import sys


def main():
    sys.path[:0] = sys.argv[1:]
    from qflow_agent import codec, wire
    from qflow_agent.call import call
    from qflow_agent.definition import load
    from qflow_agent.problem import Problem

    # A case may leave a coroutine that nobody awaits. Where the collector finds it within an import, Python before 3.12
    # imports `warnings` there, and the outer import fails with a KeyError (CPython gh-106176).
    gc.disable()
    answers = []
    reply, sys.stdout = sys.stdout, sys.stderr  # what a case prints is not the reply
    for number, case in enumerate(json.load(sys.stdin)):
        options = case.get("options", {})
        define = wire.Define(
            "case{}".format(number),
            case["code"],
            options.get("function", ""),
            options.get("mode", "auto"),
            "auto",
            options.get("validation", "strict"),
        )
        whole = options.get("whole", False)
        items = [item if whole else {"json": item} for item in case.get("items", [{}])]
        body = {"items": items, "args": case.get("args", [])}
        try:
            loaded = load(define, "My node")
            outcome = call(
                loaded,
                bytearray(json.dumps(body).encode()),
                "My node",
                options.get("on_error", "stop"),
                workflow="workflow-7",
                execution="execution-9",
            )
        except Problem as problem:
            answers.append({"problem": problem.document()})
        else:
            answers.append(
                {"items": json.loads(outcome.payload), "hints": outcome.hints, "errors": outcome.errors}
            )
    json.dump({"fast": codec.FAST, "answers": answers}, reply)


main()
