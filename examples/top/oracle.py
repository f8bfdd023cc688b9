#!/usr/bin/env python3
# Copyright The wasmill Authors
# SPDX-License-Identifier: Apache-2.0
"""Computes what the top example must find, with nothing but Python's standard library: by going
through all movements of each airport for each full hour.

    python3 oracle.py [--hours 24] [--n 10]

Results come by hour, then by rank.
"""

import argparse
import bisect
import collections
import datetime
import gzip
import json
import pathlib

FLIGHTS = pathlib.Path(__file__).parent.parent / "flights" / "data" / "flights.json.gz"
UTC = datetime.timezone.utc


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=int, default=24, help="hours that count")
    parser.add_argument("--n", type=int, default=10, help="airports of each hour")
    args = parser.parse_args()

    times = collections.defaultdict(list)  # of each airport's movements, in minutes since 1970
    with gzip.open(FLIGHTS, "rt", encoding="utf-8") as file:
        for row in map(json.loads, file):
            date = datetime.datetime.strptime(row["date"], "%Y/%m/%d %H:%M").replace(tzinfo=UTC)
            for airport in (row["origin"], row["destination"]):
                times[airport].append(int(date.timestamp()) // 60)
    for airport in times.values():
        airport.sort()
    first = min(minutes[0] for minutes in times.values()) // 60 + 1
    last = max(minutes[-1] for minutes in times.values()) // 60 + 1
    for hour in range(first, last + args.hours):
        counts = []
        for airport, minutes in times.items():
            begin, end = (hour - args.hours) * 60, hour * 60
            count = bisect.bisect_left(minutes, end) - bisect.bisect_left(minutes, begin)
            if count > 0:
                counts.append((-count, airport))
        at = datetime.datetime.fromtimestamp(hour * 3600, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        for rank, (count, airport) in enumerate(sorted(counts)[: args.n], 1):
            print(json.dumps({"airport": airport, "at": at, "movements": -count, "rank": rank}))


main()
