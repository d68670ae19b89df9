"""coverage.py SUMMARY.json SOURCES: line coverage of each folder, from `llvm-cov export -summary-only`."""

import collections
import json
import pathlib
import sys

sources = pathlib.Path(sys.argv[2])
folders = collections.defaultdict(lambda: [0, 0])
for file in json.loads(pathlib.Path(sys.argv[1]).read_text())["data"][0]["files"]:
    path = pathlib.Path(file["filename"])
    if not path.is_relative_to(sources):
        continue
    lines = file["summary"]["lines"]
    for name in (str(path.relative_to(sources).parent), "total"):
        folders[name][0] += lines["covered"]
        folders[name][1] += lines["count"]
for name in sorted(folders, key=lambda name: (name == "total", name)):
    covered, count = folders[name]
    print(f"   {name:24} {100 * covered / count:5.1f} %   {covered} of {count} lines")
