#!/usr/bin/env python3
# Copyright The wasmill Authors
# SPDX-License-Identifier: Apache-2.0
"""Computes what the turnarounds example must find, with nothing but Python's standard library.

    python3 oracle.py

Results come by day, then by airport. The day of a pair is that of the departure, the later of both.
"""

import bisect
import collections
import datetime
import gzip
import json
import pathlib

FLIGHTS = pathlib.Path(__file__).parent.parent / "flights" / "data" / "flights.json.gz"
UTC = datetime.timezone.utc
FROM, TO = 30, 90
SPEED, GROUND = 8, 30


def main():
    departures = collections.defaultdict(list)  # in minutes since 1970, by origin and destination
    landings = collections.defaultdict(list)
    with gzip.open(FLIGHTS, "rt", encoding="utf-8") as file:
        for row in map(json.loads, file):
            date = datetime.datetime.strptime(row["date"], "%Y/%m/%d %H:%M").replace(tzinfo=UTC)
            minute = int(date.timestamp()) // 60
            departures[row["origin"], row["destination"]].append(minute)
            landings[row["origin"], row["destination"]].append(minute + GROUND + row["distance"] // SPEED)
    days = collections.defaultdict(lambda: [0, set()])
    for (origin, destination), landed in landings.items():
        back = sorted(departures[destination, origin])
        for time in landed:
            for minute in back[bisect.bisect_left(back, time + FROM) : bisect.bisect_right(back, time + TO)]:
                day = days[minute // 1440, destination]
                day[0] += 1
                day[1].add(time)
    for (day, airport), (turnarounds, planes) in sorted(days.items()):
        start, end = (
            datetime.datetime.fromtimestamp(d * 86400, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") for d in (day, day + 1)
        )
        row = {"airport": airport, "window_start": start, "window_end": end}
        print(json.dumps(row | {"turnarounds": turnarounds, "landings": len(planes)}))


main()
