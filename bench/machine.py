"""What the machine is."""

import os
import re

FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile", "amx_bf16", "amx_int8")


def facts():
    with open("/proc/cpuinfo") as f:
        cpu = f.read()
    with open("/proc/meminfo") as f:
        memory = int(re.search(r"MemTotal:\s+(\d+)", f.read())[1])
    family = {name: re.search(rf"^{name}\s*:\s*(.*)$", cpu, re.M) for name in ("model name", "cpu family", "model")}
    flags = set(re.search(r"^flags\s*:\s*(.*)$", cpu, re.M)[1].split())
    return {
        "cpu": ", ".join(f"{k} {m[1]}".removeprefix("model name ") for k, m in family.items() if m),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(memory / 2**20, 1),
        "flags": [f for f in FLAGS if f in flags],
        "missing_flags": [f for f in FLAGS if f not in flags],
        "system": " ".join(os.uname()[i] for i in (0, 2, 4)),
    }
