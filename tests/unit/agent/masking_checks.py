"""Secrets in what a run prints and fails with, in each Python of Qflow's. Run by test_masking.py."""

import json
import os
import tempfile

from qflow_agent.call import call
from qflow_agent.definition import load
from qflow_agent.masking import MASK, mask_of, masked, unmasked
from qflow_agent.problem import Problem
from qflow_agent.wire import Define

KEY = 's3cr"et/ü+=&\n'.strip() + "-of-the-node"


class Captured:
    """In place of Output: what `call` tells it."""

    mask = staticmethod(unmasked)


def run(code, on_error="stop", secrets=None, items=1):
    loaded = load(Define("d", code, "", "auto", "auto", "strict"))
    body = {"items": [{"json": {"n": n}} for n in range(items)], "secrets": secrets or {"key": KEY}}
    output = Captured()
    try:
        outcome = call(loaded, bytearray(json.dumps(body).encode()), "N", on_error, output=output)
    except Problem as problem:
        return output.mask, masked(problem.document(), output.mask)
    return output.mask, json.loads(outcome.payload)


def check_every_form_is_found():
    import base64
    from urllib.parse import quote, quote_plus

    mask = mask_of([KEY])
    raw = KEY.encode()
    forms = [
        KEY,
        json.dumps(KEY),
        json.dumps(KEY, ensure_ascii=False),
        repr(KEY),
        repr(raw),
        quote(KEY, safe=""),
    ]
    forms += [
        quote_plus(KEY),
        base64.b64encode(raw).decode(),
        base64.urlsafe_b64encode(raw).decode(),
        raw.hex(),
    ]
    for form in forms:
        shown = mask("before " + form + " after")
        assert MASK in shown, form
        assert KEY not in shown, form
        assert shown.startswith("before "), shown
        assert shown.endswith(" after"), shown


def check_lines_of_a_long_secret():
    pem = "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0B\nAQEFAASCBKcwggSj\n-----END KEY-----\n"
    mask = mask_of([pem])
    assert mask("x MIIEvQIBADANBgkqhkiG9w0B y") == "x *** y"
    assert mask(pem.strip()) == MASK
    assert mask("-----BEGIN KEY-----") == "-----BEGIN KEY-----"


def check_short_ones_are_left():
    assert mask_of(["", "abc", "   "]) is unmasked
    assert mask_of(["abcd"])("abcde") == "***e"


def check_the_longest_first():
    assert mask_of(["abcd", "abcdefgh"])("abcdefgh abcd") == "*** ***"


def check_a_problem_is_masked():
    code = "from qflow import Secret\ndef f(n: int, key: Secret) -> int:\n    raise ValueError('no ' + key.reveal())\n"
    _, document = run(code)
    assert document["code"] == "code_raised"
    assert KEY not in json.dumps(document, ensure_ascii=False)
    assert "no ***" in document["detail"]
    assert "no ***" in document["traceback"]


def check_an_items_problem_is_masked():
    code = (
        "from qflow import Secret\n"
        "def f(n: int, key: Secret) -> int:\n"
        "    if n: raise ValueError(key.reveal())\n"
        "    return n\n"
    )
    _, items = run(code, "continue", items=2)
    shown = json.dumps(items, ensure_ascii=False)
    assert KEY not in shown
    assert json.dumps(KEY)[1:-1] not in shown
    assert MASK in shown


def check_results_are_left():
    code = "from qflow import Secret\ndef f(n: int, key: Secret) -> str:\n    return key.reveal()\n"
    _, items = run(code)
    assert items[0]["json"] == {"value": KEY}


def check_what_is_printed():
    import sys

    from qflow_agent.output import Output

    kept = sys.stdout, sys.stderr
    saved = os.dup(1), os.dup(2)
    try:
        output = Output(tempfile.mkdtemp())
        output.mask = mask_of([KEY])
        print("half " + KEY[:5], end="")
        print(KEY[5:])
        os.write(2, KEY.encode())
        logs, _ = output.take()
        print(KEY)
        after, _ = output.take()
    finally:
        sys.stdout, sys.stderr = kept
        for number, descriptor in enumerate(saved, 1):
            os.dup2(descriptor, number)
            os.close(descriptor)
    assert logs == [["stdout", "half ***\n"], ["stderr", MASK]], logs
    assert after == [["stdout", KEY + "\n"]], "the next run has secrets of its own"
