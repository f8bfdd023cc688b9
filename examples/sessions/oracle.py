#!/usr/bin/env python3
# Copyright The wasmill Authors
# SPDX-License-Identifier: Apache-2.0
"""Computes what the sessions example must find, with nothing but Python's standard library: by sorting the
flights of each route.

    python3 oracle.py [--gap 180]

A flight that departs GAP minutes after the one before, or later, begins a session. Results come by begin, then route.
"""

import argparse
import collections
import datetime
import gzip
import json
import pathlib

FLIGHTS = pathlib.Path(__file__).parent.parent / "flights" / "data" / "flights.json.gz"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gap", type=int, default=180, help="minutes without a flight that end a session")
    gap = datetime.timedelta(minutes=parser.parse_args().gap)

    routes = collections.defaultdict(list)
    with gzip.open(FLIGHTS, "rt", encoding="utf-8") as file:
        for row in map(json.loads, file):
            date = datetime.datetime.strptime(row["date"], "%Y/%m/%d %H:%M")
            routes[row["origin"], row["destination"]].append((date, row["delay"]))
    sessions = []
    for route, flights in routes.items():
        flights.sort()
        first = 0
        for i, (date, _) in enumerate(flights):
            if i + 1 == len(flights) or flights[i + 1][0] - date >= gap:
                sessions.append((flights[first][0], route, date + gap, [delay for _, delay in flights[first : i + 1]]))
                first = i + 1
    for start, (origin, destination), end, delays in sorted(sessions):
        row = {"origin": origin, "destination": destination}
        row |= {f"window_{name}": time.strftime("%Y-%m-%dT%H:%M:%SZ") for name, time in (("start", start), ("end", end))}
        print(json.dumps(row | {"flights": len(delays), "delay": max(delays)}, separators=(",", ":")))


main()
