#!/usr/bin/env python3
# Copyright The wasmill Authors
# SPDX-License-Identifier: Apache-2.0
"""Computes what the generator example must find in bids, with nothing but Python's standard library.

    python3 oracle.py BIDS.json

Results come by second, and the channels of a second in the order in which the bids first have them.
"""

import collections
import datetime
import json
import sys


def main():
    seconds = collections.defaultdict(lambda: collections.defaultdict(list))
    with open(sys.argv[1], encoding="utf-8") as file:
        for row in map(json.loads, file):
            seconds[row["at"][:19]][row["channel"]].append(row["price"])
    for start, channels in sorted(seconds.items()):
        end = datetime.datetime.fromisoformat(start) + datetime.timedelta(seconds=1)
        for channel, prices in channels.items():
            result = {"channel": channel, "window_start": start + "Z", "window_end": end.isoformat() + "Z"}
            print(json.dumps(result | {"bids": len(prices), "highest": max(prices), "total": sum(prices)}, separators=(",", ":")))


main()
