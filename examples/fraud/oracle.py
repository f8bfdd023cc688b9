#!/usr/bin/env python3
# Copyright The wasmill Authors
# SPDX-License-Identifier: Apache-2.0
"""Computes what the fraud example must find, with nothing but Python's standard library: by looking back from
each large charge.

    python3 oracle.py

A large charge is an alert if the last small one of its card is less than a minute before it. Of charges
of one second the smaller come first, which is how the pipeline orders them. Results come by time.
"""

import collections
import datetime
import gzip
import json
import pathlib

CHARGES = pathlib.Path(__file__).parent / "charges.json.gz"
SMALL, LARGE, WITHIN = 100, 50_000, 60


def main():
    cards = collections.defaultdict(list)
    with gzip.open(CHARGES, "rt", encoding="utf-8") as file:
        for row in map(json.loads, file):
            at = datetime.datetime.strptime(row["at"], "%Y-%m-%dT%H:%M:%SZ")
            cards[row["card"]].append((at, row["amount"], row["at"]))
    alerts = []
    for card, charges in cards.items():
        charges.sort()
        for i, (at, amount, text) in enumerate(charges):
            before = next(((a, small) for a, small, _ in reversed(charges[:i]) if small < SMALL), None)
            if amount >= LARGE and before and (at - before[0]).total_seconds() < WITHIN:
                alerts.append({"card": card, "at": text, "small": before[1], "large": amount})
    for row in sorted(alerts, key=lambda row: (row["at"], row["card"])):
        print(json.dumps(row, separators=(",", ":")))


main()
