"""tally.py RESULTS NAME=CODE...: adds up JUnit files and step results.

Prints the failed cases and, as the last line, "N passed, N failed". The exit code is 0 if nothing failed.
"""

import pathlib
import sys
import xml.etree.ElementTree as ElementTree


def cases(file):
    """(name, "passed" | "failed" | "skipped") for each case of a JUnit file, whoever wrote it."""
    for case in ElementTree.parse(file).iter("testcase"):
        name = ".".join(part for part in (case.get("classname"), case.get("name")) if part)
        if case.find("failure") is not None or case.find("error") is not None:
            yield name, "failed"
        elif case.find("skipped") is not None or case.get("status") in ("notrun", "disabled"):
            yield name, "skipped"
        elif case.get("result") in ("skipped", "suppressed"):
            yield name, "skipped"
        else:
            yield name, "passed"


def programs_without_results(folder):
    """Programs that ctest saw fail and that left no results: they crashed or ran out of time."""
    for name, outcome in cases(folder / "ctest.xml"):
        program = name.split(".")[-1]
        if outcome != "passed" and not (folder / "gtest" / f"{program}.xml").exists():
            yield f"{program} (crashed, or ran out of time)"


def read(folder):
    """(passed, skipped, failed names) of one folder of results."""
    passed, skipped, failed = 0, 0, []
    files = sorted((folder / "gtest").glob("*.xml")) if (folder / "gtest").is_dir() else sorted(folder.glob("*.xml"))
    for file in files:
        for name, outcome in cases(file):
            if outcome == "passed":
                passed += 1
            elif outcome == "skipped":
                skipped += 1
            else:
                failed.append(name)
    if (folder / "ctest.xml").exists():
        failed += programs_without_results(folder)
    return passed, skipped, failed


def main():
    results, steps = pathlib.Path(sys.argv[1]), dict(argument.rsplit("=", 1) for argument in sys.argv[2:])
    passed, failed = 0, []
    for folder in sorted(path for path in results.iterdir() if path.is_dir()):
        try:
            good, skipped, bad = read(folder)
        except ElementTree.ParseError as error:
            good, skipped, bad = 0, 0, [f"unreadable results: {error}"]
        print(f"   {folder.name}: {good} passed, {len(bad)} failed, {skipped} skipped")
        passed += good
        failed += [f"{folder.name}: {name}" for name in bad]
    named = {name.split(":")[0] for name in failed}
    for name, code in steps.items():
        if code == "0":
            passed += 1
        elif name not in named:
            failed.append(f"step {name}")
    for name in failed:
        print(f"   FAILED {name}")
    print(f"{passed} passed, {len(failed)} failed")
    return 1 if failed else 0


sys.exit(main())
