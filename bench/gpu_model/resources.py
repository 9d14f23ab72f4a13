"""What ptxas gave each kernel, read from the machine code inside a program that nvcc built.

A program holds fat binaries (section .nv_fatbin): entries of PTX and of ELF files for one architecture each. In such
an ELF the section .nv.info has, by symbol, a kernel's registers and its frame on the stack (spills, local arrays);
.nv.shared.KERNEL is as large as its static shared memory. The build does not compress entries (--no-compress).
"""
import struct
import sys

FAT_MAGIC, ELF_ENTRY = 0xBA55ED50, 2
REGISTERS, FRAME = 0x2F, 0x11  # attributes of .nv.info


def sections(elf):
    """Name, content, and the header's `link` of each section of a 64-bit ELF file."""
    offset, = struct.unpack_from("<Q", elf, 0x28)
    size, count, names = struct.unpack_from("<HHH", elf, 0x3A)
    headers = [struct.unpack_from("<IIQQQQIIQQ", elf, offset + i * size) for i in range(count)]
    text = headers[names][4]

    def name(at):
        return elf[text + at:elf.index(b"\0", text + at)].decode()

    return [(name(h[0]), b"" if h[1] == 8 else elf[h[4]:h[4] + h[5]], h[5], h[6]) for h in headers]


def attributes(info):
    """(kind, symbol, value) of the entries of .nv.info that tell one number of one symbol."""
    at = 0
    while at + 4 <= len(info):
        form, kind, size = struct.unpack_from("<BBH", info, at)
        if form == 4:
            if size == 8:
                yield kind, *struct.unpack_from("<II", info, at + 4)
            at += 4 + size
        else:
            at += 4


def kernels_of(elf):
    parts = sections(elf)
    info = next((content for name, content, _, _ in parts if name == ".nv.info"), b"")
    symbols, strings = next((content, parts[link][1]) for name, content, _, link in parts if name == ".symtab")
    names = {}
    for i in range(len(symbols) // 24):
        start, = struct.unpack_from("<I", symbols, i * 24)
        names[i] = strings[start:strings.index(b"\0", start)].decode()
    shared = {name[len(".nv.shared."):]: size for name, _, size, _ in parts if name.startswith(".nv.shared.")}
    found = {}
    for kind, symbol, value in attributes(info):
        if kind in (REGISTERS, FRAME):
            own = found.setdefault(names[symbol], {"registers": 0, "frame": 0})
            own["registers" if kind == REGISTERS else "frame"] = value
    for name, own in found.items():
        own["shared"] = shared.get(name, 0)
    return found


def resources(program, architecture):
    """{kernel's symbol: {registers, frame, shared}} of a program's machine code for sm_`architecture`, or, told on
    stderr, for the newest that there is."""
    with open(program, "rb") as file:
        data = file.read()
    found, at = {}, data.find(struct.pack("<I", FAT_MAGIC))
    while at >= 0:
        header, = struct.unpack_from("<H", data, at + 6)
        size, = struct.unpack_from("<Q", data, at + 8)
        entry, end = at + header, at + header + size
        while entry < end:
            kind, _, head, length = struct.unpack_from("<HHIQ", data, entry)
            own, = struct.unpack_from("<I", data, entry + 28)
            if kind == ELF_ENTRY:
                found.setdefault(own, {}).update(kernels_of(data[entry + head:entry + head + length]))
            entry += head + length
        at = data.find(struct.pack("<I", FAT_MAGIC), at + 4)
    if not found:
        raise SystemExit(f"error: [gpu-model] no machine code in {program}, expected a program that nvcc built")
    if architecture not in found:
        print(f"no machine code for sm_{architecture} in {program}: registers are those of sm_{max(found)}",
              file=sys.stderr)
    return found.get(architecture, found[max(found)])
