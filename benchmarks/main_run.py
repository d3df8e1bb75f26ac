"""Time and peak memory of `yt-platform run`: the first on a new home, and the second, which finds nothing to make.

.venv/bin/python benchmarks/main_run.py [--history PATH] [--repetitions 3]
"""

import argparse
import os
import statistics
import sys
import tempfile
from pathlib import Path

from processes import Measured, measure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--history", type=Path, help="snapshots to import instead of the built-in sample")
    parser.add_argument("--repetitions", type=int, default=3, help="new homes to measure in")
    arguments = parser.parse_args()
    repetitions = [first_and_second(arguments.history) for _ in range(arguments.repetitions)]
    print(f"| run | median of {arguments.repetitions}, s | min to max, s | peak memory, MB |\n|---|---:|---:|---:|")
    for name, runs in zip(("first", "second"), zip(*repetitions, strict=True), strict=True):
        seconds = [run.seconds for run in runs]
        print(
            f"| {name} | {statistics.median(seconds):.1f} | {min(seconds):.1f} to {max(seconds):.1f} "
            f"| {statistics.median(run.peak_mb for run in runs):,.0f} |"
        )


def first_and_second(history: Path | None) -> tuple[Measured, Measured]:
    command = [sys.executable, "-m", "yt_platform.cli", "run"]
    if history:
        command += ["--history", str(history.resolve())]
    with tempfile.TemporaryDirectory(prefix="yt-benchmark-") as folder:
        Path(folder).chmod(0o755)  # root's server runs under an account of its own
        home = Path(folder) / "home"
        environment = {**os.environ, "YT_HOME": str(home)}
        return measure(command, home, environment), measure(command, home, environment)


if __name__ == "__main__":
    main()
