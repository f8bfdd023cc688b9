#!/usr/bin/env python3
# Copyright The wasmill Authors
# SPDX-License-Identifier: Apache-2.0
"""Computes what the percentiles example must find, with nothing but Python's standard library: by
sorting the delays, which the example never does.

    python3 oracle.py [--step 5]

Results come by day, and the airports of a day in the order in which the file first has them.
"""

import argparse
import collections
import datetime
import gzip
import json
import pathlib

FLIGHTS = pathlib.Path(__file__).parent.parent / "flights" / "data" / "flights.json.gz"
LEAST, MOST = -60, 600


def percentile(delays, percent):
    """Returns the nearest-rank percentile of sorted delays."""
    return delays[-(-len(delays) * percent // 100) - 1]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--step", type=int, default=5, help="minutes that delays are rounded up to")
    args = parser.parse_args()

    days = collections.defaultdict(lambda: collections.defaultdict(list))
    with gzip.open(FLIGHTS, "rt", encoding="utf-8") as file:
        for row in map(json.loads, file):
            delay = -(-row["delay"] // args.step) * args.step
            days[row["date"][:10]][row["destination"]].append(min(max(delay, LEAST), MOST))
    for day, airports in sorted(days.items()):
        start = datetime.datetime.strptime(day, "%Y/%m/%d")
        end = start + datetime.timedelta(days=1)
        for airport, delays in airports.items():
            delays.sort()
            result = {"destination": airport}
            result |= {f"window_{name}": time.strftime("%Y-%m-%dT%H:%M:%SZ") for name, time in (("start", start), ("end", end))}
            result |= {"flights": len(delays), "delay": {"p50": percentile(delays, 50), "p95": percentile(delays, 95)}}
            print(json.dumps(result, separators=(",", ":")))


main()
