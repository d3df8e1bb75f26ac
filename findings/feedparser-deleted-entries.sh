#!/usr/bin/env bash
# What: feedparser reads a notice with two deleted videos (at:deleted-entry of RFC 6721, the form of YouTube's push)
#   as a feed without entries. Only the last deletion is kept, as one dict of the feed. The link of the deleted video
#   becomes the link of the feed, and `bozo` says that all is well.
# Version: feedparser 6.0.14.
# Why a good engineer would not guess it: feedparser collects repeated elements elsewhere (links, authors, tags), keeps
#   unknown elements under their names, and `feed.link` is where the feed's own page stands. A test with one
#   deletion looks right; of two deletions one is lost.
# Instead: read at:deleted-entry with an XML parser (xml.etree, defusedxml) before feedparser sees the body.
# Source: RFC 6721 for the format; the rest was seen by running.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv --without-pip "$work/venv"
python3 -m pip --python "$work/venv/bin/python" install -q --disable-pip-version-check feedparser==6.0.14
"$work/venv/bin/python" - <<'EOF'
import xml.etree.ElementTree as ET
from importlib.metadata import version

import feedparser

NOTICE = """<feed xmlns="http://www.w3.org/2005/Atom" xmlns:at="http://purl.org/atompub/tombstones/1.0">
<title>YouTube video feed</title>
<link rel="alternate" href="https://example.org/channel"/>
<at:deleted-entry ref="yt:video:first" when="2026-01-02T03:04:05+00:00">
  <link href="https://example.org/watch?v=first"/></at:deleted-entry>
<at:deleted-entry ref="yt:video:second" when="2026-01-02T03:04:06+00:00">
  <link href="https://example.org/watch?v=second"/></at:deleted-entry>
</feed>"""

parsed = feedparser.parse(NOTICE)
TOMBSTONE = "{http://purl.org/atompub/tombstones/1.0}deleted-entry"
in_it = [element.get("ref") for element in ET.fromstring(NOTICE).iter(TOMBSTONE)]
print("feedparser", version("feedparser"))
print("expected: deletions", in_it, "and the feed's link https://example.org/channel")
print("seen:     deletion", parsed.feed["at_deleted-entry"], "and the feed's link", parsed.feed.link)
assert in_it == ["yt:video:first", "yt:video:second"]
assert (parsed.bozo, parsed.entries) == (False, []), "the behaviour changed"
assert parsed.feed["at_deleted-entry"] == {"ref": "yt:video:second", "when": "2026-01-02T03:04:06+00:00"}
assert parsed.feed.link == "https://example.org/watch?v=second", "the behaviour changed"
EOF
