"""Memory of a command and of everything it starts, the embedded server included, read from /proc."""

import os
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

EVERY_SECONDS = 0.5


@dataclass(frozen=True)
class Measured:
    """Wall time, and the largest sum over all processes of PSS: pages shared by several are counted once."""

    seconds: float
    peak_mb: float
    output: str


def measure(command: Sequence[str], home: Path, environment: Mapping[str, str]) -> Measured:
    """Run `command` to its end beside the processes of its YT_HOME. Raises RuntimeError when it fails."""
    begun = time.monotonic()
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        said: list[str] = []
        assert process.stdout
        reader = threading.Thread(target=said.extend, args=(process.stdout,))
        reader.start()
        peak = 0
        while process.poll() is None:
            peak = max(peak, sum(map(pss_kb, family(process.pid, home))))
            time.sleep(EVERY_SECONDS)
        reader.join()
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}:\n{''.join(said[-20:])}")
    return Measured(time.monotonic() - begun, peak / 1024, "".join(said))


def family(pid: int, home: Path) -> set[int]:
    """The process, its descendants, and the server of `home` with its keeper: these are nobody's children."""
    roots = [pid, *(found.pid for found in psutil.process_iter() if _names(found, home))]
    members = set(roots)
    for root in roots:
        try:
            members |= {child.pid for child in psutil.Process(root).children(recursive=True)}
        except psutil.NoSuchProcess:
            continue
    return members - {os.getpid()}


def _names(process: psutil.Process, home: Path) -> bool:
    try:
        arguments = process.cmdline()
    except psutil.NoSuchProcess:
        return False
    # of the server, the path of its configuration: in the home, as that is open to the account it runs under
    return any(str(home / "postgres") in argument for argument in arguments)


def pss_kb(pid: int) -> int:
    """PSS of a process, 0 once it has ended."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)
