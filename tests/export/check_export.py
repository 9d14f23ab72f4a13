#!/usr/bin/env python3
"""Do exported networks compute in ONNX Runtime and in PyTorch what they compute here?

    check_export.py [--programs build/apps] [--architectures 10] [--images 100]

For each preset space: random architectures (inspect --space), each with random weights (export
--architecture) as safetensors, ONNX and PyTorch source; the logits of the same PNG files from classify, from
ONNX Runtime and from the module. Prints a line a network; exits with 1 when two logits differ by more than
1e-4. Needs: pip install -r tests/python/requirements.txt
"""
import argparse
import importlib.util
import json
import struct
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from safetensors import safe_open

TOLERANCE = 1e-4
BATCH = 24  # does not divide 100: batches of two sizes, as the batch is free
IMAGE_SIZE = {"tiny": 16, "cifar": 32}


def run(*arguments):
    finished = subprocess.run([str(a) for a in arguments], capture_output=True, text=True)
    if finished.returncode != 0:
        sys.exit(f"{arguments[0]} ended with {finished.returncode}: {finished.stderr}")
    return finished.stdout


def write_png(path, pixels):
    """pixels (height, width, 3), u8."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    height, width, _ = pixels.shape
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
                     + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def batches(images):
    return [images[i:i + BATCH] for i in range(0, len(images), BATCH)]


def logits_of_onnx(path, images):
    onnx.checker.check_model(str(path), full_check=True)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return np.concatenate([session.run(["logits"], {"images": part})[0] for part in batches(images)])


def logits_of_pytorch(source, weights, images):
    spec = importlib.util.spec_from_file_location("network", source)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    network = module.load(weights)
    with torch.inference_mode():
        return np.concatenate([network(torch.from_numpy(part)).numpy() for part in batches(images)])


def check_network(programs, folder, architecture, size, seed, files, images):
    """The largest difference to ONNX Runtime and to PyTorch, and how much our logits vary over the images."""
    (folder / "architecture.json").write_text(json.dumps(architecture))
    weights = folder / "network.safetensors"
    run(programs / "export", "--architecture", folder / "architecture.json", "--image", size, "--seed", seed,
        "--format", "safetensors", "--out", weights)
    for kind, name in (("onnx", "network.onnx"), ("pytorch", "network.py")):
        run(programs / "export", weights, "--format", kind, "--out", folder / name)
    with safe_open(weights, "numpy") as file:
        assert json.loads(file.metadata()["architecture"]) == architecture
        assert file.get_tensor("stem.kernel").shape[1:] == (3, 3, 3)
    ours = np.array([answer["logits"] for answer in json.loads(run(programs / "classify", weights, *files, "--json", "--batch",
                                                               BATCH))],
                    np.float32)
    theirs = [logits_of_onnx(folder / "network.onnx", images),
              logits_of_pytorch(folder / "network.py", weights, images)]
    assert all(other.shape == ours.shape for other in theirs)
    return [np.abs(other - ours).max() for other in theirs], ours.std(0).mean()


def check_space(space, options, folder):
    size = IMAGE_SIZE[space]
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (options.images, size, size, 3), np.uint8)
    files = [folder / f"{space}-{i}.png" for i in range(options.images)]
    for path, image in zip(files, pixels):
        write_png(path, image)
    images = np.ascontiguousarray(pixels.transpose(0, 3, 1, 2), np.float32) / 255
    sample = json.loads(run(options.programs / "inspect", "--space", space, "--image", size, "--json", "--sample",
                            options.architectures))["sample"]
    worst = 0
    for seed, entry in enumerate(sample):
        (by_onnx, by_pytorch), spread = check_network(options.programs, folder, entry["architecture"], size, seed,
                                                      files, images)
        print(f"{space:5} {entry['id']} {entry['params']:8} parameters: ONNX Runtime {by_onnx:.1e}, "
              f"PyTorch {by_pytorch:.1e}; deviation of a logit {spread:.2f}", flush=True)
        worst = max(worst, by_onnx, by_pytorch) if np.isfinite(by_onnx + by_pytorch) else np.inf
        if spread < 0.01:
            sys.exit("error: [export] the logits hardly depend on the images: this would show nothing")
    return worst


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--programs", type=Path, default=Path("build/apps"))
    parser.add_argument("--architectures", type=int, default=10, help="of each space")
    parser.add_argument("--images", type=int, default=100)
    options = parser.parse_args()
    torch.set_num_threads(2)
    with tempfile.TemporaryDirectory() as folder:
        worst = max(check_space(space, options, Path(folder)) for space in IMAGE_SIZE)
    print(f"largest difference {worst:.1e}, allowed {TOLERANCE:.0e}")
    if not worst <= TOLERANCE:
        sys.exit("error: [export] an exported network computes something else")


if __name__ == "__main__":
    main()
