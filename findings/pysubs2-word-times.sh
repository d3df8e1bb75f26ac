#!/usr/bin/env bash
# What: pysubs2 reads YouTube's automatic captions (WebVTT with a time before each word) wrongly. It takes each line with
#   exactly two times for the start of a cue. A line of three words holds two word times: its words are lost, its cue is
#   empty, and one more empty cue stands between those two times. Any other line keeps its word times as text.
# Version: pysubs2 1.8.1.
# Why a good engineer would not guess it: the file is valid WebVTT (the W3C text calls these times cue timestamps), cue
#   times have an arrow and word times have none, and other tags (<c>) are taken out as expected. Nothing warns. The
#   lost words come back in the 10 ms cue that YouTube puts after each line, so the text looks almost right.
# Instead: take the word times out before (re.sub(r"<\d+:\d+:\d+\.\d+>", "", text)), or read with webvtt-py.
# Source: W3C WebVTT for the format; the rest was seen by running.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv --without-pip "$work/venv"
python3 -m pip --python "$work/venv/bin/python" install -q --disable-pip-version-check pysubs2==1.8.1
"$work/venv/bin/python" - <<'EOF'
import re
from importlib.metadata import version

import pysubs2

CAPTIONS = """WEBVTT
Kind: captions
Language: en

00:00:01.000 --> 00:00:03.000
one<00:00:01.500><c> two</c><00:00:02.000><c> three</c>

00:00:04.000 --> 00:00:06.000
four<00:00:04.500><c> five</c>
"""


def cues(text):
    return [(cue.start, cue.end, cue.plaintext) for cue in pysubs2.SSAFile.from_string(text, format_="vtt")]


expected = [(1000, 3000, "one two three"), (4000, 6000, "four five")]
seen = cues(CAPTIONS)
print("pysubs2", version("pysubs2"))
print("expected:", expected)
print("seen:    ", seen)
assert seen == [(1000, 3000, ""), (1500, 2000, ""), (4000, 6000, "four<00:00:04.500> five")], "the behaviour changed"
assert cues(re.sub(r"<\d+:\d+:\d+\.\d+>", "", CAPTIONS)) == expected, "the remedy no longer works"
EOF
