"""The same network here and in PyTorch: equal outputs, then both timed in turns.

    python3 bench/peers/pytorch_step.py best.json [--program build/bench/network_step] [--batch 64]

Builds the network of an architecture file in PyTorch (channels-last, the same number of threads),
gives it the weights that bench/network_step exports, checks that both compute the same logits, and
times one training step (forward, loss, backward, SGD with Nesterov momentum) and one evaluation
(inference of one batch) of both, in turns. Ours is timed by Google Benchmark in bench/network_step,
started anew in each turn, PyTorch here by its own torch.utils.benchmark. Prints medians and the ratio
PyTorch / ours: above 1, ours is faster. On a GPU, ours replays a recorded step; PyTorch does with
--compile reduce-overhead. Needs: pip install -r bench/peers/requirements.txt
"""

import argparse
import json
import statistics
import struct
import subprocess
import sys
import tempfile

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils import benchmark

ACTIVATIONS = {
    "none": lambda x: x,
    "relu": F.relu,
    "silu": F.silu,
    "hard_swish": F.hardswish,
    "hard_sigmoid": F.hardsigmoid,
}


class ConvNorm(nn.Module):
    """Convolution, batch norm (or a bias), activation; named as in our exports."""

    def __init__(self, name, inputs, outputs, kernel, stride, activation, depthwise=False, norm=True):
        super().__init__()
        self.name = name
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2,
                              groups=inputs if depthwise else 1, bias=not norm)
        self.norm = nn.BatchNorm2d(outputs) if norm else nn.Identity()
        self.activation = ACTIVATIONS[activation]

    def forward(self, x):
        return self.activation(self.norm(self.conv(x)))


class SqueezeExcite(nn.Module):
    def __init__(self, name, channels):
        super().__init__()
        narrow = max(8, (channels // 4 + 7) // 8 * 8)
        self.squeeze = ConvNorm(name + "squeeze", channels, narrow, 1, 1, "relu", norm=False)
        self.excite = ConvNorm(name + "excite", narrow, channels, 1, 1, "hard_sigmoid", norm=False)

    def forward(self, x):
        return x * self.excite(self.squeeze(x.mean((2, 3), keepdim=True)))


class Block(nn.Module):
    """`earlier` is the (channels, reduced) of the value that joins, or None."""

    def __init__(self, name, spec, inputs, width, stride, activation, earlier, stage_stride):
        super().__init__()
        self.residual, self.join = spec["residual"], spec["join"]
        self.shape_join = None
        if earlier is not None:
            channels, reduced = earlier
            if channels != inputs or not reduced:
                self.shape_join = ConvNorm(name + "join", channels, inputs, 1, stage_stride, "none")
            if self.join == "concat":
                inputs *= 2
        kernel, layers = spec["kernel"], []
        if spec["kind"] == "dense":
            layers.append(ConvNorm(name + "dense", inputs, width, kernel, stride, activation))
        elif spec["kind"] == "separable":
            layers.append(ConvNorm(name + "depthwise", inputs, inputs, kernel, stride, activation, True))
            layers.append(ConvNorm(name + "pointwise", inputs, width, 1, 1, activation))
        elif spec["kind"] == "projection":
            layers.append(ConvNorm(name + "project", inputs, width, 1, stride, "none"))
        else:
            wide = spec["expansion"] * (inputs if spec.get("expands_input") else width)
            layers.append(ConvNorm(name + "expand", inputs, wide, 1, 1, activation))
            layers.append(ConvNorm(name + "depthwise", wide, wide, kernel, stride, activation, True))
            if spec["squeeze_excite"]:
                layers.append(SqueezeExcite(name, wide))
            layers.append(ConvNorm(name + "project", wide, width, 1, 1, "none"))
        self.body = nn.Sequential(*layers)

    def forward(self, x, earlier):
        y = x
        if self.join != "none":
            other = earlier if self.shape_join is None else self.shape_join(earlier)
            y = x + other if self.join == "add" else torch.cat([x, other], 1)
        y = self.body(y)
        return y + x if self.residual else y


class Network(nn.Module):
    def __init__(self, architecture, classes):
        super().__init__()
        activation = architecture["activation"]
        width = architecture["stem"]["width"]
        self.stem = ConvNorm("stem", 3, width, 3, architecture["stem"]["stride"], activation)
        self.stages, self.sources = nn.ModuleList(), []
        for s, stage in enumerate(architecture["stages"]):
            # Channels of the stage's values, and whether each has the stage's output resolution.
            values = [(width, stage["stride"] == 1)]
            blocks, sources = nn.ModuleList(), []
            for b, spec in enumerate(stage["blocks"]):
                earlier = values[spec["from"]] if spec["join"] != "none" else None
                blocks.append(Block(f"stage{s}.block{b}.", spec, values[-1][0], stage["width"],
                                    stage["stride"] if b == 0 else 1, activation, earlier,
                                    stage["stride"]))
                sources.append(spec["from"])
                values.append((stage["width"], True))
            self.stages.append(blocks)
            self.sources.append(sources)
            width = stage["width"]
        head = architecture["head"]["width"]
        self.head = ConvNorm("head", width, head, 1, 1, activation) if head else nn.Identity()
        self.classifier = nn.Linear(head or width, classes)

    def forward(self, x):
        x = self.stem(x)
        for blocks, sources in zip(self.stages, self.sources):
            values = [x]
            for block, source in zip(blocks, sources):
                values.append(block(values[-1], values[source]))
            x = values[-1]
        return self.classifier(self.head(x).mean((2, 3)))


def read_safetensors(path):
    with open(path, "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        data = file.read()
    arrays = {}
    for name, entry in header.items():
        if name != "__metadata__":
            begin, end = entry["data_offsets"]
            arrays[name] = torch.from_numpy(
                np.frombuffer(data[begin:end], "<f4").reshape(entry["shape"]).copy())
    return arrays


def load_weights(network, arrays):
    """Copies our export in; kernels come as (out, k, k, in)."""
    taken = {"images", "logits"}

    def take(name):
        taken.add(name)
        return arrays[name]

    with torch.no_grad():
        for module in network.modules():
            if not isinstance(module, ConvNorm):
                continue
            module.conv.weight.copy_(take(module.name + ".kernel").permute(0, 3, 1, 2))
            if isinstance(module.norm, nn.Identity):
                module.conv.bias.copy_(take(module.name + ".bias"))
            else:
                module.norm.weight.copy_(take(module.name + ".scale"))
                module.norm.bias.copy_(take(module.name + ".shift"))
                module.norm.running_mean.copy_(take(module.name + ".mean"))
                module.norm.running_var.copy_(take(module.name + ".var"))
        network.classifier.weight.copy_(take("classifier.weight"))
        network.classifier.bias.copy_(take("classifier.bias"))
    left = set(arrays) - taken
    assert not left, f"tensors that the PyTorch network lacks: {sorted(left)}"


class Ours:
    """bench/network_step, which is run once in each turn."""

    def __init__(self, options, dump):
        self.command = [options.program, options.architecture, "--device", options.device, "--batch",
                        str(options.batch), "--image", str(options.image), "--threads", str(options.threads),
                        "--precision", options.precision, "--engine", options.engine,
                        "--benchmark_format=json"]
        context = self.run("--dump", dump, "--benchmark_filter=^train", "--benchmark_min_time=0.01")["context"]
        self.facts = {key: context[key] for key in ("device", "architecture", "parameters", "multiply-accumulates")}

    def run(self, *arguments):
        answer = subprocess.run([*self.command, *arguments], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                check=False)
        if answer.returncode != 0:
            sys.exit(f"{self.command[0]} ended with {answer.returncode}")
        return json.loads(answer.stdout)

    def time(self, what, seconds):
        """Mean seconds of a step, timed for about as long."""
        found = self.run(f"--benchmark_filter=^{what}", f"--benchmark_min_time={seconds}")
        return found["benchmarks"][0]["real_time"] * 1e-3


class Peer:
    def __init__(self, network, images, labels, bf16, threads):
        self.network, self.images, self.labels = network, images, labels
        self.bf16, self.threads = bf16, threads
        self.optimizer = torch.optim.SGD(network.parameters(), 0.01, 0.9, nesterov=True)

    def train(self):
        self.network.train()
        self.optimizer.zero_grad()
        with self.precision():
            loss = F.cross_entropy(self.network(self.images), self.labels)
        loss.backward()
        self.optimizer.step()

    def evaluate(self):
        self.network.eval()
        with torch.inference_mode(), self.precision():
            self.network(self.images)

    def precision(self):
        return torch.autocast(self.images.device.type, torch.bfloat16, enabled=self.bf16)

    def time(self, what, seconds):
        """As above."""
        timer = benchmark.Timer("step()", globals={"step": getattr(self, what)}, num_threads=self.threads)
        return timer.blocked_autorange(min_run_time=seconds).mean


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("architecture")
    parser.add_argument("--program", default="build/bench/network_step")
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--precision", default="f32", choices=["f32", "tf32", "bf16"],
                        help="of our products")
    parser.add_argument("--engine", default="hand", choices=["hand", "vendor", "auto"], help="ours")
    parser.add_argument("--peer-precision", choices=["f32", "tf32", "bf16"],
                        help="of PyTorch (bf16: autocast); default: ours")
    parser.add_argument("--compile", nargs="?", const="default",
                        choices=["default", "reduce-overhead", "max-autotune"],
                        help="PyTorch compiled, in this mode")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--image", type=int, default=32)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=0.5, help="per round and side")
    parser.add_argument("--json", help="write the figures here as well")
    options = parser.parse_args()
    peer_precision = options.peer_precision or options.precision
    torch.set_num_threads(options.threads)
    torch.backends.cudnn.allow_tf32 = False  # f32 is f32 on both sides
    torch.backends.cudnn.benchmark = True  # one shape: let cuDNN find its fastest

    with tempfile.TemporaryDirectory() as folder:
        ours = Ours(options, folder + "/dump.safetensors")
        arrays = read_safetensors(folder + "/dump.safetensors")
    classes = arrays["logits"].shape[1]
    network = Network(json.load(open(options.architecture)), classes)
    load_weights(network, arrays)
    network = network.to(options.device, memory_format=torch.channels_last)
    images = arrays["images"].permute(0, 3, 1, 2).to(options.device)  # NHWC storage: channels-last
    network.eval()
    with torch.inference_mode():
        difference = (network(images).cpu() - arrays["logits"]).abs().max().item()
    largest = arrays["logits"].abs().max().item()
    print(f"max abs difference of the logits {difference:.2e} (largest logit {largest:.2f})")
    # PyTorch's are f32 here. Ours carry the rounding of their operands through all layers.
    tolerance = {"f32": 1e-4, "tf32": 1e-2 * largest, "bf16": 1e-1 * largest}[options.precision]
    if not difference <= tolerance:
        sys.exit("the two networks differ")

    torch.backends.cuda.matmul.allow_tf32 = peer_precision == "tf32"
    torch.backends.cudnn.allow_tf32 = peer_precision == "tf32"
    if options.compile:
        network = torch.compile(network, mode=options.compile)
    labels = torch.arange(options.batch, device=options.device) % classes
    peer = Peer(network, images, labels, peer_precision == "bf16", options.threads)
    report = {"torch": torch.__version__, "torch_precision": peer_precision,
              "torch_compiled": options.compile, "precision": options.precision, "engine": options.engine,
              "threads": options.threads, "batch": options.batch, "max_abs_difference": difference, **ours.facts}
    for what in ("train", "evaluate"):
        peer.time(what, options.seconds)  # warm-up; ours does that itself
        rounds = {"ours": [], "pytorch": []}
        for _ in range(options.rounds):  # in turns: both meet the same noise
            rounds["ours"].append(ours.time(what, options.seconds))
            rounds["pytorch"].append(peer.time(what, options.seconds))
        mine, theirs = (statistics.median(rounds[side]) for side in ("ours", "pytorch"))
        ratios = sorted(t / m for m, t in zip(rounds["ours"], rounds["pytorch"]))
        ratio = statistics.median(ratios)
        report[what] = {"ours_ms": mine * 1e3, "pytorch_ms": theirs * 1e3, "ratio": ratio,
                        "ratio_low": ratios[0], "ratio_high": ratios[-1]}
        print(f"{what:9} ours {mine * 1e3:7.2f} ms, PyTorch {theirs * 1e3:7.2f} ms: "
              f"{ratio:.2f}x ({ratios[0]:.2f} to {ratios[-1]:.2f})")
    if options.json:
        with open(options.json, "w") as file:
            json.dump(report, file, indent=2)


if __name__ == "__main__":
    main()
