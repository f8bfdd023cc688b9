#!/usr/bin/env python3
# Copyright The wasmill Authors
# SPDX-License-Identifier: Apache-2.0
"""Computes what the anomalies example must find, with nothing but Python's standard library.

    python3 oracle.py late        flights that are much later than those before them, in the order of the file
    python3 oracle.py silent      airports without a departure for a day, by airport

Both take --deviations 6, --flights 50, --weight 0.05, --silence 24. Mean and variance are those of the
weighted sums over all flights before, step by step in the order of the file, so that they are the same to the last bit.
"""

import argparse
import collections
import datetime
import gzip
import json
import pathlib

FLIGHTS = pathlib.Path(__file__).parent.parent / "flights" / "data" / "flights.json.gz"


def text(time):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("late", "silent"))
    parser.add_argument("--deviations", type=float, default=6)
    parser.add_argument("--flights", type=int, default=50)
    parser.add_argument("--weight", type=float, default=0.05)
    parser.add_argument("--silence", type=int, default=24, help="hours")
    args = parser.parse_args()

    airports = collections.defaultdict(list)
    usual = {}  # how many, mean, variance
    with gzip.open(FLIGHTS, "rt", encoding="utf-8") as file:
        for row in map(json.loads, file):
            origin, delay = row["origin"], row["delay"]
            date = datetime.datetime.strptime(row["date"], "%Y/%m/%d %H:%M")
            airports[origin].append(date)
            flights, mean, variance = usual.get(origin, (0, float(delay), 0.0))
            more = delay - mean
            if args.what == "late" and flights >= args.flights and more > 0 and more * more > args.deviations * args.deviations * variance:
                print(json.dumps({"origin": origin, "date": text(date), "delay": delay, "usual": mean}, separators=(",", ":")))
            weight = args.weight
            usual[origin] = (flights + 1, mean + weight * more, (1 - weight) * (variance + weight * more * more))
    if args.what == "silent":
        for origin, dates in sorted(airports.items()):
            dates = sorted(set(dates))
            for date, following in zip(dates, dates[1:] + [None]):
                if following is None or following - date >= datetime.timedelta(hours=args.silence):
                    print(json.dumps({"origin": origin, "since": text(date)}, separators=(",", ":")))


main()
