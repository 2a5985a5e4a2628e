"""What the benchmarks run on."""
import datetime
import os
import pathlib
import platform
import socket
import subprocess


def describe(root, command):
    """For the head of the page: one line each."""
    cpu = next((line.split(":", 1)[1].strip()
                for line in pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
                if line.startswith("model name")), platform.machine())
    flags = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8")
    simd = [name for name in ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "asimd")
            if f" {name}" in flags]
    commit = subprocess.run(["git", "-C", root, "describe", "--always", "--dirty"], check=False,
                            capture_output=True, text=True).stdout.strip() or "not committed"
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "CPU": f"{cpu}, {os.cpu_count()} cores ({', '.join(simd)})",
        "memory": f"{memory:.0f} GiB",
        "kernel": platform.release(),
        "compiler": subprocess.run(["c++", "--version"], check=False, capture_output=True,
                                   text=True).stdout.split("\n")[0],
        "commit": commit,
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "load before": f"{os.getloadavg()[0]:.1f}",
        "command": f"`{command}`",
    }


def free_port():
    """A port of loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def evict(folders):
    """Makes the next reads come from the disk. Returns how, for the row's detail."""
    os.sync()
    try:
        pathlib.Path("/proc/sys/vm/drop_caches").write_text("3\n", encoding="ascii")
        return "page cache dropped (drop_caches)"
    except OSError:
        pass
    for folder in folders:
        files = [folder] if folder.is_file() else folder.rglob("*")
        for path in files:
            if path.is_file():
                with open(path, "rb") as file:
                    os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    return "not allowed to drop the page cache; only our own files evicted (fadvise)"


def status_kb(pid, field):
    """A field of /proc/<pid>/status in kB."""
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        for line in status:
            if line.startswith(field + ":"):
                return int(line.split()[1])
    return 0


def cpu_seconds(pid):
    """User and system time of a process so far."""
    parts = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(parts[11]) + int(parts[12])) / os.sysconf("SC_CLK_TCK")
