#!/usr/bin/env python3
"""What a network's evaluation batch and training step would take on a named GPU: a model, nothing is measured.

    bench/gpu_model/model.py PROGRAM COUNTS.json [--gpu H100 ...] [--by kernel|operator] [--floor]

COUNTS.json is made by kernel_counts (tests/cuda/ptx/kernel_counts.cpp), which executes the PTX of PROGRAM; registers
and shared memory come from PROGRAM's machine code (resources.py), the GPUs from gpus.json. `make gpu-model` does all
of it. README.md in this folder says how the time of a launch is made of its counts, and what the model leaves out.
"""
import argparse
import collections
import json
import math
from pathlib import Path

from resources import resources

HERE = Path(__file__).resolve().parent

# Machine instructions that a PTX instruction becomes, on average; f64 and mma have pipes of their own besides.
MACHINE_INSTRUCTIONS = {"move": 0.15, "integer": 0.9, "wide": 1.6, "division": 22, "floating": 1, "special": 8,
                        "doubles": 1, "matrix": 1, "global": 1, "shared": 1, "async": 1, "control": 0.8, "exchange": 1.2,
                        "ordering": 1}

# What is assumed of hardware and code that nobody has run: shares of ceilings that are reached, the start and the end
# of a launch inside a graph (seconds), cycles of a trip to memory, trips of a warp that overlap, and the share of the
# second longest part of a launch that the longest does not hide.
MOODS = {"likely": dict(dram=0.85, l2=0.7, issue=0.70, shared=0.8, ramp=3.0e-6, trip=700, overlap=4, unhidden=0.15),
         "optimistic": dict(dram=0.92, l2=0.85, issue=0.95, shared=0.9, ramp=2.0e-6, trip=550, overlap=8, unhidden=0)}


def blocks_an_sm(gpu, launch, registers, shared):
    threads = launch["threads"]
    granted = -(-max(registers, 16) // 8) * 8
    return max(1, min(gpu["blocks"], gpu["threads"] // threads, 65536 // (granted * threads),
                      int(gpu["shared"] * 1024 // (shared + 1024))))


def dram_bytes(gpu, operator, launch):
    """What a launch asks of memory: what its operator must move at least, and of what blocks read again the part that
    the second-level cache has lost meanwhile."""
    asked = 32 * launch["block_sectors"]
    least = min(asked, operator["bytes"])
    again = asked - least
    columns = launch["grid"][1] if launch["kernel"].startswith("tile_product") else 1
    lost = columns > 1 and operator["bytes"] > 0.5e6 * gpu["l2_mb"]  # rows vary fastest: columns come much later
    return least + again * (1 if lost else 0.15)


def instructions_of(executed):
    return sum(MACHINE_INSTRUCTIONS[kind] * n for kind, n in executed.items())


def cycles_of_a_warp(mood, executed, warps):
    """Its trips to memory, of which fences and atomics overlap with none, and two cycles an instruction."""
    trips = (executed.get("global", 0) + executed.get("async", 0)) / mood["overlap"] + executed.get("ordering", 0)
    return (trips * mood["trip"] + 2 * instructions_of(executed)) / warps


def parts_of(gpu, mood, operator, launch, resource):
    """Seconds of each thing that could bound the launch."""
    hertz, sms = gpu["clock"] * 1e9, gpu["sms"]
    executed = launch["executed"]
    blocks = math.prod(launch["grid"])
    warps = blocks * -(-launch["threads"] // 32)
    slots = sms * blocks_an_sm(gpu, launch, resource["registers"], launch["shared"])
    rounds = -(-blocks // slots)
    wave = rounds * slots / blocks if blocks > slots else 1.0  # the last wave fills no GPU
    wave = wave if rounds < 5 else 1.0
    busy = min(1.0, blocks / sms)  # few blocks leave SMs idle
    instructions = instructions_of(executed)
    chain = rounds * cycles_of_a_warp(mood, executed, warps)
    peak = gpu["tf32"] if "tile_product<1," in launch["kernel"] else gpu["bf16"]
    mma_flops = 16 * 8 * (8 if peak == gpu["tf32"] else 16) * 2 * executed.get("matrix", 0)
    return {"memory": dram_bytes(gpu, operator, launch) / (gpu["dram"] * 1e12 * mood["dram"]),
            "cache": 32 * launch["block_sectors"] / (gpu["l2"] * 1e12 * mood["l2"]),
            "issue": instructions * wave / (sms * busy * 4 * hertz * mood["issue"]),
            "f32": executed.get("floating", 0) * 32 * wave / (sms * busy * gpu["f32"] * hertz),
            "shared": (launch["bank_rounds"] + launch["sectors"] / 4) * wave / (sms * busy * hertz * mood["shared"]),
            "f64": executed.get("doubles", 0) * 32 * wave / (sms * busy * gpu["f64"] * hertz),
            "tensor": mma_flops * wave / (peak * 1e12 * gpu["mma"]),
            "latency": chain / hertz}


def launch_time(gpu, mood, operator, launch, resource):
    if launch["kernel"] == "memory":
        parts = {"memory": 2 * launch["bytes"] / (gpu["dram"] * 1e12 * mood["dram"])}
    elif launch["kernel"] == "upload":
        parts = {"host": launch["bytes"] / (gpu["host"] * 1e12 * mood["dram"])}
    else:
        parts = parts_of(gpu, mood, operator, launch, resource)
    bound = max(parts, key=parts.get)
    second = sorted(parts.values())[-2] if len(parts) > 1 else 0
    # The last block's own work, behind all others: nothing hides it.
    tail = cycles_of_a_warp(mood, launch.get("tail", {}), -(-launch.get("threads", 32) // 32)) / (gpu["clock"] * 1e9)
    return parts[bound] + mood["unhidden"] * second + mood["ramp"] + tail, bound


def title(operator, launch, by):
    if by == "operator":
        return operator["operator"]
    return launch["kernel"]


def model_step(gpu, operators, resource, by):
    """Rows by kernel or operator: launches, seconds by mood, what bounds most of it, bytes; and the totals."""
    rows = collections.defaultdict(lambda: dict(launches=0, likely=0.0, optimistic=0.0, bytes=0.0,
                                                bounds=collections.Counter()))
    for operator in operators:
        for launch in operator["launches"]:
            row = rows[title(operator, launch, by)]
            row["launches"] += 1
            row["bytes"] += launch.get("bytes", 0) or dram_bytes(gpu, operator, launch)
            for name, mood in MOODS.items():
                seconds, bound = launch_time(gpu, mood, operator, launch, resource.get(launch.get("symbol")))
                row[name] += seconds
                if name == "likely":
                    row["bounds"][bound] += seconds
    return rows


def floor(gpu, operators):
    """Seconds in which the operators' bytes, each once, and their products could be done."""
    return sum(max(o["bytes"] / (gpu["dram"] * 1e12), o["flops"] / (gpu["bf16"] * 1e12)) for o in operators)


def print_step(name, step, operators, rows, gpu):
    total = {mood: sum(row[mood] for row in rows.values()) for mood in MOODS}
    launches = sum(row["launches"] for row in rows.values())
    print(f"\n### {name}: {step}\n")
    print(f"{1e3 * total['optimistic']:.2f} to {1e3 * total['likely']:.2f} ms (optimistic, likely), modelled; "
          f"{launches} launches; {sum(row['bytes'] for row in rows.values()) / 1e9:.2f} GB; operands moved once and "
          f"products at the peak: {1e3 * floor(gpu, operators):.2f} ms\n")
    print("| launches | likely ms | optimistic ms | GB | bound by | |\n|---:|---:|---:|---:|---|---|")
    shown = sorted(rows.items(), key=lambda item: -item[1]["likely"])
    for kernel, row in shown:
        if row["likely"] < 0.004 * total["likely"]:
            continue
        print(f"| {row['launches']} | {1e3 * row['likely']:.3f} | {1e3 * row['optimistic']:.3f} | "
              f"{row['bytes'] / 1e9:.2f} | {row['bounds'].most_common(1)[0][0]} | `{kernel}` |")
    return total, launches


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("program")
    parser.add_argument("counts")
    parser.add_argument("--gpu", nargs="*", default=["H100", "H200", "A100", "RTX4090"])
    parser.add_argument("--by", choices=["kernel", "operator"], default="kernel")
    parser.add_argument("--summary", action="store_true", help="totals only")
    options = parser.parse_args()
    gpus = json.loads((HERE / "gpus.json").read_text())
    counts = json.loads(Path(options.counts).read_text())
    print(f"Modelled, not measured: {Path(counts['architecture']).name}, batch {counts['batch']}, "
          f"{counts['precision']}; {counts['blocks']} blocks of each launch counted.")
    summary = []
    machine = {}
    for name in options.gpu:
        gpu = gpus[name]
        if gpu["architecture"] not in machine:
            machine[gpu["architecture"]] = resources(options.program, gpu["architecture"])
        for step, operators in counts["steps"].items():
            rows = model_step(gpu, operators, machine[gpu["architecture"]], options.by)
            if options.summary:
                total = {mood: sum(row[mood] for row in rows.values()) for mood in MOODS}
                launches = sum(row["launches"] for row in rows.values())
            else:
                total, launches = print_step(name, step, operators, rows, gpu)
            summary.append((name, step, total, launches, floor(gpu, operators)))
    print("\n| GPU | step | optimistic ms | likely ms | launches | least ms |\n|---|---|---:|---:|---:|---:|")
    for name, step, total, launches, least in summary:
        print(f"| {name} | {step} | {1e3 * total['optimistic']:.2f} | {1e3 * total['likely']:.2f} | {launches} | "
              f"{1e3 * least:.2f} |")
    for name in options.gpu:
        seconds = {step: total for gpu, step, total, _, _ in summary if gpu == name}
        print(candidates_a_minute(name, seconds, counts))


def candidates_a_minute(name, seconds, counts):
    """5,000 images in 20 batches of 250, and a share of a prediction of many networks, where it was counted."""
    scores = {mood: 20 * 250 / counts["batch"] * (seconds["loading"][mood] + seconds["evaluation"][mood])
              for mood in MOODS}
    predicted = seconds.get("prediction")
    share = lambda mood: predicted[mood] / counts["predicted"] if predicted else 0
    rates = [60 / (scores[mood] + share(mood)) for mood in ("likely", "optimistic")]
    what = "their prediction included" if predicted else "without their prediction"
    return f"{name}: {rates[0]:.0f} to {rates[1]:.0f} candidates a minute on 5,000 images, {what}, modelled"


if __name__ == "__main__":
    main()
