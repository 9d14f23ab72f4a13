#!/usr/bin/env python3
"""The networks of NAS-Bench-Macro as bench/ranking reads them: a line each, in the order of their codes.

    bench/nas_bench_macro/networks.py TABLE.json > networks.jsonl

Codes that differ only in where identities stand are one network; its code has them last (arms.canonical).
"""
import json
import sys

from arms import canonical


def block(digit, first):
    """First: of its stage, where a projection stands for an identity, and nothing can be left out."""
    if digit == "0":
        return {"kind": "projection", "kernel": 1, "expansion": 1, "residual": False} if first else None
    kernel, expansion = (3, 3) if digit == "1" else (5, 6)
    return {"kind": "inverted_residual", "kernel": kernel, "expansion": expansion, "expands_input": True,
            "residual": not first}


def architecture(code):
    stages = []
    for width, digits in ((64, code[:2]), (128, code[2:5]), (256, code[5:])):
        blocks = [block(digit, at == 0) for at, digit in enumerate(digits)]
        stages.append({"width": width, "stride": 2,
                       "blocks": [{"squeeze_excite": False, "join": "none", "from": 0, **b} for b in blocks if b]})
    return {"version": 1, "stem": {"width": 32, "stride": 1}, "activation": "relu", "head": {"width": 1280},
            "stages": stages}


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    table = json.load(open(sys.argv[1]))
    for number, code in enumerate(sorted({canonical(code) for code in table})):
        print(json.dumps({"network": number, "group": "all", "code": code, "params": table[code]["params"],
                          "macs": table[code]["flops"], "architecture": architecture(code)}))
