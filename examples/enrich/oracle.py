#!/usr/bin/env python3
# Copyright The wasmill Authors
# SPDX-License-Identifier: Apache-2.0
"""Computes what both pipelines of the enrich example must find, with nothing but Python's standard
library.

    python3 oracle.py

Results come by day, then by state.
"""

import collections
import csv
import datetime
import gzip
import json
import pathlib

DATA = pathlib.Path(__file__).parent.parent / "flights" / "data"


def main():
    with open(DATA / "airports.csv", encoding="utf-8", newline="") as file:
        states = {row["iata"]: row["state"] for row in csv.DictReader(file)}
    days = collections.defaultdict(lambda: [0, 0])
    with gzip.open(DATA / "flights.json.gz", "rt", encoding="utf-8") as file:
        for row in map(json.loads, file):
            result = days[row["date"][:10], states[row["origin"]]]
            result[0] += 1
            result[1] += row["delay"]
    for (day, state), (flights, delay) in sorted(days.items()):
        start = datetime.datetime.strptime(day, "%Y/%m/%d")
        result = {"state": state, "flights": flights, "delay": delay}
        for name, time in (("start", start), ("end", start + datetime.timedelta(days=1))):
            result[f"window_{name}"] = time.strftime("%Y-%m-%dT%H:%M:%SZ")
        print(json.dumps(result))


main()
