#!/usr/bin/env python3
"""Plants faults in the device cuda, one at a time, and expects a test on the executor of PTX to fail.

    tests/cuda/ptx/planted_faults.py BUILD_FOLDER [NAME]     # a folder with the device cuda; NAME: a part of names
    JOBS=4 tests/cuda/ptx/planted_faults.py BUILD_FOLDER     # so many at a time; one a core, unless given
    SHARE=0/2 tests/cuda/ptx/planted_faults.py BUILD_FOLDER  # every second of them, from the first

Kernels and inline PTX are compiled by nvcc to PTX alone, host code by g++; the object stands before the libraries
when adwp_ptx_kernel_tests is linked again. The program without a fault has to pass. Exits with 1 when a fault
is not caught, or its text is no longer found.
"""
import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
OPERATORS = "*Operators.Res*/cuda*:*Operators.Gradients*Finite*/cuda*:*Contract*/cuda*:*Fragments*/cuda*:*Ladder*cuda*"
STORAGE = "*Storage*/cuda*"
GRAPHS = "*ReplayTest*/cuda*:*Contract*/cuda*"
KERNELS, RUNTIME = "cuda/kernels/", "cuda/runtime/"
PTX = KERNELS + "ptx.cuh"

# Name, file, the source that is compiled, its text, what stands there instead, tests.
FAULTS = [
    # Kernels.
    ("no barrier before a tile is read", KERNELS + "tile_product.cuh", "gemm.cu",
     "    __syncthreads();\n    load(step + 2);", "    load(step + 2);", OPERATORS),
    ("a norm is applied to copies that have not landed", KERNELS + "tile_product.cuh", "gemm.cu",
     "ptx::cp_async_wait<1>();\n    float* stage = tiles[step % stages];\n"
     "    norm_a.apply(reinterpret_cast<InA*>(stage), begin + step * tile_k);",
     "float* stage = tiles[step % stages];\n    norm_a.apply(reinterpret_cast<InA*>(stage), begin + step * tile_k);\n"
     "    ptx::cp_async_wait<1>();", OPERATORS),
    ("a norm is applied at the border of an image", KERNELS + "depthwise_tile.cuh", "depthwise.cu",
     "        if constexpr (Normed) line.apply(act, values);\n      }",
     "      }\n      if constexpr (Normed) line.apply(act, values);", OPERATORS),
    ("a row of taps too few for the last outputs of a thread", KERNELS + "depthwise_tile.cuh", "depthwise.cu",
     "if (r < 0 || r >= K) continue;", "if (r < 0 || r >= K - p / 3) continue;", OPERATORS),
    ("a column of the tile too far where a thread's pixels begin a new row", KERNELS + "depthwise_tile.cuh",
     "depthwise.cu", "offset += wrap;", "offset += wrap + s.channels;", OPERATORS),
    ("a ticket before what the block has written is fenced", KERNELS + "last_block.cuh", "depthwise.cu",
     "  __threadfence();  // before", "  // before", OPERATORS),
    ("a ticket before all threads of the block have written", KERNELS + "last_block.cuh", "depthwise.cu",
     "  __syncthreads();\n  if (thread_index() == 0)", "  if (thread_index() == 0)", OPERATORS),
    ("the last block reads before a fence", KERNELS + "last_block.cuh", "depthwise.cu",
     "  if (last) __threadfence();", "  ", OPERATORS),
    ("a ticket that is not zero again for the next launch", KERNELS + "last_block.cuh", "depthwise.cu",
     "atomicInc(ticket, static_cast<unsigned>(blocks) - 1)", "atomicInc(ticket, static_cast<unsigned>(blocks))",
     OPERATORS),
    ("groups of tiles share a ticket", KERNELS + "tile_moments.cuh", "depthwise.cu",
     "of_group ? 1 + group : 0", "of_group ? 1 : 0", OPERATORS),
    ("the last group of tiles is taken for a whole one", KERNELS + "tile_moments.cuh", "depthwise.cu",
     "m.pixels_before(of_tiles ? end : m.count)", "m.pixels_before(of_tiles ? begin + m.group : m.count)", OPERATORS),
    ("a tile is read before it has landed", KERNELS + "tile_product.cuh", "gemm.cu",
     "cp_async_wait<1>();", "cp_async_wait<2>();", OPERATORS),
    ("a row more than there are is stored", KERNELS + "tile_store.cuh", "gemm.cu",
     "if (row < m) store_row(", "if (row <= m) store_row(", OPERATORS),
    ("grid of column sums the wrong way round", KERNELS + "column_reduce.cuh", "batch_norm.cu",
     "{ceil_divide(channels, 32), parts}", "{parts, ceil_divide(channels, 32)}", OPERATORS),
    ("no barrier before column sums are added", KERNELS + "column_reduce.cuh", "batch_norm.cu",
     "__syncthreads();\n  const int own = thread_index() % 32;", "const int own = thread_index() % 32;", OPERATORS),
    ("sums of the next tap over those that are read", KERNELS + "part_sums.cuh", "depthwise.cu",
     "= total;\n    }\n    __syncthreads();", "= total;\n    }", OPERATORS),
    ("a product that is to be batch-invariant is split", KERNELS + "product.h", "gemm.cu",
     "if (batch_invariant) return 1;", "", "*PrecisionTest.Rows*/cuda*"),
    ("a product that is to be batch-invariant has a kernel for few rows", KERNELS + "gemm.cu", "gemm.cu",
     "!op.transpose_a && op.transpose_b && !op.batch_invariant", "!op.transpose_a && op.transpose_b",
     "*PrecisionTest.Rows*/cuda*"),
    ("the last row of an entry's list is left out", KERNELS + "hypernetwork.cu", "hypernetwork.cu",
     "if (own < end)", "if (own + 1 < end)", OPERATORS),
    ("sums of warps are added before all are there", KERNELS + "hypernetwork.cu", "hypernetwork.cu",
     "sum);\n  __syncthreads();", "sum);", OPERATORS),
    ("statistics of sums that have not been rounded", KERNELS + "tile_product.cuh", "convolution.cu",
     "sums.at(i, j) = rounded<InC>(sums.at(i, j));", "sums.at(i, j) = sums.at(i, j);", STORAGE),
    ("words of bf16 that stay with their lane", KERNELS + "tile_sums.cuh", "gemm.cu",
     "words[j] = upper ? other : words[j];", "words[j] = words[j];", STORAGE),
    ("the first half of k twice", KERNELS + "tile_sums.cuh", "gemm.cu", "k + lane() / 16 * 8", "k", STORAGE),
    ("halves of eight channels exchanged", KERNELS + "depthwise_tile.cuh", "depthwise.cu",
     "store(low + at, lower);", "store(high + at, lower);", STORAGE),
    ("fragments across k that are not turned", KERNELS + "tile_sums.cuh", "gemm.cu",
     "ldmatrix_x4<!along>", "ldmatrix_x4<false>", STORAGE),
    ("columns of another lane are added to", KERNELS + "tile_sums.cuh", "gemm.cu",
     "if (adds) exchange(words);", "", STORAGE),
    ("sums of a norm's backward before all warps have theirs", KERNELS + "norm_sums.cuh", "gemm.cu",
     "    }\n  }\n  __syncthreads();", "    }\n  }", STORAGE),
    ("sums of a norm's backward without its activation", KERNELS + "norm_sums.cuh", "gemm.cu",
     "derive_all(act, z, g);", "", STORAGE),
    # Inline PTX.
    ("registers 1 and 2 of A exchanged in mma", PTX, "fragments.cu",
     "{%4,%5,%6,%7}, {%8,%9}", "{%4,%6,%5,%7}, {%8,%9}", OPERATORS),
    ("registers of B exchanged in mma", PTX, "fragments.cu", "{%8,%9}", "{%9,%8}", OPERATORS),
    ("the higher of a pair of bf16 twice", PTX, "fragments.cu",
     '"f"(high), "f"(low)', '"f"(high), "f"(high)', OPERATORS),  # exchanged in A and in B they give the same sum
    ("ldmatrix does not transpose", PTX, "fragments.cu", "m8n8.x4.trans.shared", "m8n8.x4.shared", OPERATORS),
    ("a row of ldmatrix 8 bytes further", PTX, "fragments.cu",
     "address = shared_address(row);", "address = shared_address(row) + 8;", OPERATORS),
    ("cp.async reads where nothing is valid", PTX, "gemm.cu", "valid ? Bytes : 0", "Bytes", OPERATORS),
    ("cp.async reads 4 bytes of 16", PTX, "fragments.cu", "valid ? Bytes : 0", "valid ? 4 : 0", OPERATORS),
    ("copies are put into no group", PTX, "gemm.cu", '"cp.async.commit_group;\\n"', '""', OPERATORS),
    # Host code.
    ("staging memory used again without a wait", RUNTIME + "cuda_device.cpp", "cuda_device.cpp",
     "if (staged_ + bytes > staging_bytes) synchronize();", "if (staged_ + bytes > staging_bytes) staged_ = 0;",
     "*/cuda*"),
    ("the host reads without a wait", RUNTIME + "cuda_device.cpp", "cuda_device.cpp",
     '"copy to the host");\n  synchronize();', '"copy to the host");', OPERATORS),
    ("staging memory counts as free before the wait", RUNTIME + "cuda_device.cpp", "cuda_device.cpp",
     "staged_ += bytes;", "staged_ += 0 * bytes;", OPERATORS),
    ("fills on another stream", RUNTIME + "cuda_device.cpp", "cuda_device.cpp",
     "cudaMemsetAsync(device, value, bytes, native(stream_))", "cudaMemsetAsync(device, value, bytes, nullptr)",
     OPERATORS),
    ("copies to the device on another stream", RUNTIME + "cuda_device.cpp", "cuda_device.cpp",
     "cudaMemcpyHostToDevice, native(stream_)", "cudaMemcpyHostToDevice, nullptr", OPERATORS),
    ("kernels on another stream", RUNTIME + "launch.cuh", "elementwise.cu",
     "shared_bytes, static_cast<cudaStream_t>(stream)>>>", "shared_bytes>>>", OPERATORS),
    ("a graph on another stream", RUNTIME + "cuda_device.cpp", "cuda_device.cpp",
     "cudaGraphLaunch(executable_, stream_)", "cudaGraphLaunch(executable_, nullptr)", GRAPHS),
    ("times are read before the wait", RUNTIME + "cuda_device.cpp", "cuda_device.cpp",
     '"an event");\n  synchronize();', '"an event");', "*/cuda*"),
    ("a graph whose memory is no longer free", "framework/backend/backend.cpp", "backend.cpp",
     "graph_ == nullptr || layout_ != arena_.layout()", "graph_ == nullptr", GRAPHS),
]


def link_command(build):
    lines = subprocess.check_output(["ninja", "-C", build, "-t", "commands", "adwp_ptx_kernel_tests"], text=True)
    line = [l for l in lines.splitlines() if "-o tests/cuda/ptx/adwp_ptx_kernel_tests" in l][-1]
    return re.sub(r"^\S*: && | && \S*:?$", "", line.strip())


def compile_mutant(build, own, source):
    flags = ["-std=c++20", "-DADWP_GPU=cuda", f"-I{own}", f"-I{ROOT}", f"-I{build}/generated", "-c", source, "-o",
             own / "mutant.o"]
    if source.suffix == ".cu":
        command = ["nvcc", "-O3", "--expt-relaxed-constexpr", "--no-compress", "-gencode",
                   "arch=compute_80,code=compute_80", "-w", *flags]
    else:
        command = ["g++", "-O1", "-DFMT_SHARED", "-DADWP_HAS_CUDA=1", "-w", "-isystem", cuda_include(), *flags]
    subprocess.run(command, check=True)


def cuda_include():
    return Path(subprocess.check_output(["which", "nvcc"], text=True).strip()).resolve().parents[1] / "include"


def run_tests(program, tests):
    """None when they pass, else what shows the fault first."""
    run = subprocess.run([program, "--gtest_brief=1", "--gtest_fail_fast", f"--gtest_filter={tests}"], text=True,
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300)
    if run.returncode == 0:  # a device whose probe fails is not there: its tests are skipped, and say why
        refused = re.search(r"device cuda is not here: (.*)", run.stdout)
        return refused[1] if "[  PASSED  ] 0 tests." in run.stdout and refused else None
    told = [line for line in run.stdout.splitlines() if line.startswith("ptx: ")]
    failed = re.findall(r"\[  FAILED  \] ([\w/.]+)", run.stdout)
    return re.sub(r"_Z\w+", "KERNEL", told[0])[:110] if told else (failed or ["it ended badly"])[0]


def try_fault(build, link, fault):
    name, path, compiled, text, instead, tests = fault
    original = (ROOT / path).read_text()
    if text not in original:
        return False, "its text is not found"
    with tempfile.TemporaryDirectory() as folder:
        own = Path(folder)
        mutated = own / path
        mutated.parent.mkdir(parents=True)
        mutated.write_text(original.replace(text, instead))
        source = mutated
        if mutated.name != compiled:  # a header, and a kernel that is made of it
            source = own / KERNELS / compiled
            source.parent.mkdir(parents=True, exist_ok=True)
            source.write_text((ROOT / KERNELS / compiled).read_text())
        compile_mutant(build, own, source)
        program = own / "mutant"
        command = link.replace("-o tests/cuda/ptx/adwp_ptx_kernel_tests", f"{own}/mutant.o -o {program}")
        subprocess.run(command, shell=True, cwd=build, check=True)
        seen = run_tests(program, tests)
    return seen is not None, seen or "NOT CAUGHT"


def main():
    build, part = Path(sys.argv[1]).resolve(), sys.argv[2] if len(sys.argv) > 2 else ""
    subprocess.run(["ninja", "-C", build, "adwp_ptx_kernel_tests"], check=True, stdout=subprocess.DEVNULL)
    link = link_command(build)
    first, step = map(int, os.environ.get("SHARE", "0/1").split("/"))
    chosen = [fault for fault in FAULTS if part in fault[0]][first::step]
    caught = 0
    with ThreadPoolExecutor(int(os.environ.get("JOBS", os.cpu_count()))) as pool:
        without = pool.submit(run_tests, build / "tests/cuda/ptx/adwp_ptx_kernel_tests", "*/cuda*")
        for fault, (right, seen) in zip(chosen, pool.map(lambda f: try_fault(build, link, f), chosen)):
            caught += right
            print(f"{fault[0]}: {seen}", flush=True)
        if (seen := without.result()) is not None:
            sys.exit(f"error: [ptx] the program without a fault fails: {seen}")
    print(f"{caught} of {len(chosen)} caught")
    if caught < len(chosen):
        sys.exit(1)


if __name__ == "__main__":
    main()
