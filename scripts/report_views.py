"""Writes the views of owners' reports, `sql/views/9*_report_*.sql`, from the contracts in
`youtube/reporting_api/tables.py`.

`make docs` runs it, a test holds the files current. A column that a table gained stands at the view's end, as
`CREATE OR REPLACE VIEW` takes it nowhere else.
"""

from pathlib import Path

from yt_platform.tables.declaration import Table
from yt_platform.warehouse.migrations import SQL_FOLDER
from yt_platform.youtube.reporting_api.tables import FROM_FILE, REPORTS

SHOWN_OF_FILE = ("account", "reported_at")
TITLES = {"channel_id": "channel.title AS channel_title", "video_id": "video.title"}
NUMBERS = {"report_basic": 91, "report_demographics": 92, "report_traffic_sources": 93, "report_reach": 94}
NUMBERS |= {"report_revenue": 95}
OTHERS = 97
"""Numbers that the files begin with: 96 is that of the retention curves."""


def view(table: Table) -> str:
    end = table.column_names.index("refreshed_at")
    columns: list[str] = []
    for name in table.column_names[:end]:
        if name not in FROM_FILE or name in SHOWN_OF_FILE:
            columns += [f"report.{name}", *([TITLES[name]] if name in TITLES else [])]
    columns.append("report.source = 'synthetic' AS is_synthetic")
    columns += [f"nullif(report.{name}, '') AS {name}" for name in table.column_names[end + 1 :]]
    listed = ",\n    ".join(columns)
    described = table.description.replace("'", "''")
    return (
        f"CREATE OR REPLACE VIEW bi.{table.short_name} AS\nSELECT\n    {listed}\nFROM {table.name} AS report\n"
        "LEFT JOIN metrics.videos AS video USING (video_id)\n"
        "LEFT JOIN metrics.channels AS channel ON channel.channel_id = report.channel_id;\n\n"
        f"COMMENT ON VIEW bi.{table.short_name} IS\n    '{described} These are YouTube''s own; days are those of "
        "Pacific time.';\n"
    )


def files() -> dict[Path, str]:
    """Every view of a report, by its file."""
    numbered = {f"{NUMBERS.get(table.short_name, OTHERS)}_{table.short_name}.sql": view(table) for table in REPORTS}
    return {SQL_FOLDER / "views" / name: text for name, text in numbered.items()}


if __name__ == "__main__":
    for path, text in files().items():
        path.write_text(text)
