"""Files that are generated must be what would be generated now."""

import runpy
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]


def test_the_data_dictionary_is_current() -> None:
    script = REPOSITORY / "scripts" / "data_dictionary.py"
    made = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True, cwd=REPOSITORY).stdout
    assert (REPOSITORY / "docs" / "data-dictionary.md").read_text() == made, "run `make docs`"


def test_the_views_of_reports_are_what_their_contracts_say() -> None:
    files = runpy.run_path(str(REPOSITORY / "scripts" / "report_views.py"))["files"]()
    assert {path.name: path.read_text() for path in files} == {path.name: text for path, text in files.items()}, (
        "run `make docs`"
    )
    shown = {path.name for path in next(iter(files)).parent.glob("*_report_*.sql")}
    assert shown == {path.name for path in files}
