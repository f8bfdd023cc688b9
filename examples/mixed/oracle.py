#!/usr/bin/env python3
# Copyright The wasmill Authors
# SPDX-License-Identifier: Apache-2.0
"""Computes what the mixed example must find, with nothing but Python's standard library.

    python3 oracle.py risks [--at-least 90]     the flights with so many points, in the order of the log
    python3 oracle.py bad-lines                 the lines that are no flights, with their number

Options: --file FILE, which may be compressed.
"""

import argparse
import csv
import datetime
import gzip
import json
import pathlib
import re

DATA = pathlib.Path(__file__).parent.parent / "flights" / "data"
LINE = re.compile(
    r'\{"date":"([0-9]{4}/[0-9]{2}/[0-9]{2} [0-9]{2}:[0-9]{2})","delay":(-?[0-9]+),"distance":(-?[0-9]+),'
    r'"origin":"([A-Z0-9]{3})","destination":"([A-Z0-9]{3})"\}'
)


def parse(line):
    """Returns the flight, or None where the line is none."""
    match = LINE.fullmatch(line)
    if match is None:
        return None
    date, delay, distance, origin, destination = match.groups()
    if not all(-(2**63) <= int(number) < 2**63 for number in (delay, distance)):
        return None
    try:
        date = datetime.datetime.strptime(date, "%Y/%m/%d %H:%M")
    except ValueError:
        return None
    date = date.strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"date": date, "delay": int(delay), "distance": int(distance), "origin": origin, "destination": destination}


def airports():
    with open(DATA / "airports.csv", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            place = {"city": row["city"], "state": row["state"]}
            place |= {"latitude": float(row["latitude"]), "longitude": float(row["longitude"])}
            yield row["iata"], place


def risk(flight):
    late = min(max(flight["delay"], 0), 120) // 2
    far = min(flight["distance"] // 200, 20)
    north = flight["origin_latitude"] >= 40 or flight["destination_latitude"] >= 40
    return late + far + (20 if north else 0)


def risks(lines, args):
    places = dict(airports())
    for line in lines:
        flight = parse(line)
        if flight is None:
            continue
        for end in ("origin", "destination"):
            flight |= {f"{end}_{column}": value for column, value in places[flight[end]].items()}
        flight["risk"] = risk(flight)
        if flight["risk"] >= args.at_least:
            yield flight


def bad_lines(lines, args):
    for number, line in enumerate(lines, 1):
        if parse(line) is None:
            yield {"number": number, "line": line}


QUERIES = {"risks": risks, "bad-lines": bad_lines}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("query", choices=QUERIES)
    parser.add_argument("--file", type=pathlib.Path, default=DATA / "flights.json.gz")
    parser.add_argument("--at-least", type=int, default=90)
    args = parser.parse_args()
    opener = gzip.open if args.file.suffix == ".gz" else open
    with opener(args.file, "rt", encoding="utf-8", newline="\n") as file:
        lines = (line.removesuffix("\n").removesuffix("\r") for line in file)
        for result in QUERIES[args.query](lines, args):
            print(json.dumps(result, separators=(",", ":"), ensure_ascii=False))


main()
