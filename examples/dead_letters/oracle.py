#!/usr/bin/env python3
# Copyright The wasmill Authors
# SPDX-License-Identifier: Apache-2.0
"""Computes what the dead_letters example must find, with nothing but Python's standard library.

    python3 oracle.py movements     the movements of the flights that are good
    python3 oracle.py rejected      the others: line, who rejects it, and a word that the reason must have
"""

import argparse
import datetime
import json
import pathlib

FLIGHTS = pathlib.Path(__file__).parent / "flights.json"
NUMBERS, STRINGS = ("delay", "distance"), ("origin", "destination")


def decoded(line):
    """Returns the object in a line, or a word of the reason why there is none."""
    try:
        row = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError:
        return "UTF-8"
    except json.JSONDecodeError as error:
        return "ends too early" if error.pos >= len(line.rstrip()) or error.msg.startswith("Unterminated") else "bad JSON"
    return row if isinstance(row, dict) else "object"


def fault(row):
    """Returns who rejects a row and a word of the reason, or None."""
    for name in NUMBERS:
        value = row.get(name)
        if value is not None and (type(value) is not int or not -(2**63) <= value < 2**63):
            return "flights", name
    if row.get("date") is not None:
        try:
            datetime.datetime.strptime(row["date"], "%Y/%m/%d %H:%M")
        except ValueError:
            return "flights", "date"
    else:
        return "flights", "event time"
    for name in STRINGS:
        if row.get(name) is None:
            return "movements", name
    if row["origin"] == row["destination"]:
        return "movements", "itself"
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("query", choices=["movements", "rejected"])
    args = parser.parse_args()

    results = {"movements": [], "rejected": []}
    data = FLIGHTS.read_bytes().removeprefix(b"\xef\xbb\xbf")
    for number, line in enumerate(data.split(b"\n"), 1):
        if not line.strip():
            continue
        row = decoded(line)
        wrong = ("flights", row) if isinstance(row, str) else fault(row)
        if wrong is not None:
            results["rejected"].append({"line": number, "operator": wrong[0], "about": wrong[1]})
            continue
        late = None if row.get("delay") is None else row["delay"] >= 15
        results["movements"].append({"airport": row["origin"], "movement": "departure", "late": late})
        results["movements"].append({"airport": row["destination"], "movement": "arrival", "late": late})
    for result in results[args.query]:
        print(json.dumps(result, separators=(",", ":")))


main()
