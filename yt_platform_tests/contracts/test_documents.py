"""Documents that are generated must be what would be generated now."""

import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]


def test_the_data_dictionary_is_current() -> None:
    script = REPOSITORY / "scripts" / "data_dictionary.py"
    made = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True, cwd=REPOSITORY).stdout
    assert (REPOSITORY / "docs" / "data-dictionary.md").read_text() == made, "run `make docs`"
