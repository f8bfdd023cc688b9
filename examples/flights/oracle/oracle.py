#!/usr/bin/env python3
# Copyright The wasmill Authors
# SPDX-License-Identifier: Apache-2.0
"""Computes what the flights examples must find, with nothing but Python's standard library.

    python3 oracle.py hours                     flights of each hour
    python3 oracle.py origins                   flights and their delay by origin and hour
    python3 oracle.py busiest [--n 3]           the N airports with the most movements of each hour
    python3 oracle.py late --bound 60           the rows that come too late, with their line number
    python3 oracle.py updates --bound 60        `hours` in the order in which results and corrections come
    python3 oracle.py movements                 what the operator movements makes of each flight
    python3 oracle.py long-hauls                its side output
    python3 oracle.py failures                  the rows that it fails, with their line number

Options: --file FILE, --bound MINUTES, --lateness MINUTES, --window MINUTES, --ndjson.

Semantics, by which an engine's answer can be compared row by row:

Event time  `date`, read as UTC. Repeated rows count each time that they occur.
Window      tumbling, aligned to 1970-01-01T00:00:00Z, [start, end): 07:00 belongs to the window
            that starts at 07:00. Only windows with rows give a result.
Movement    a flight is a departure at its origin and an arrival at its destination, both at its
            event time.
Average     the sum of the delays as an integer, divided once: float64(sum) / float64(count).
Busiest     by movements, most first; airports that tie by their code, A first.
Order       results by window start, then origin.

Lateness    The file is read in order, as one split. Before a row is looked at, the watermark is
            the newest event time of the rows before it, minus BOUND; it never goes back. The row
            is late, and counts nowhere but in `late`, if window end + LATENESS <= watermark.
            Without --bound no row is late. Results are the final ones: a row that comes within the
            allowed lateness has corrected its window.

Updates     A window gives its result once its end <= watermark, windows that are due at once by
            their start. A row within the allowed lateness gives the corrected result at once.
            At the end of the file all windows that have not given theirs do.

Movements   are late if the delay is known and LATE_AFTER minutes or more. A flight of 1500 miles or
            more is a long haul, of 2500 or more a very long one. A flight from an airport to
            itself fails: it is no movement and no long haul.
"""

import argparse
import collections
import csv
import datetime
import gzip
import json
import pathlib
import sys

UTC = datetime.timezone.utc
FLIGHTS = pathlib.Path(__file__).parent.parent / "data" / "flights.json.gz"


def read(path):
    """Yields each row with `minute`, its event time in minutes since 1970."""
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as file:
        for row in map(json.loads, file):
            date = datetime.datetime.strptime(row["date"], "%Y/%m/%d %H:%M").replace(tzinfo=UTC)
            row["minute"] = int(date.timestamp()) // 60
            yield row


def split_late(rows, args):
    """Returns the rows in time, each with its window's `start` in minutes, and those too late."""
    in_time, late = [], []
    newest = watermark = None
    for number, row in enumerate(rows, 1):
        row["line"] = number
        row["start"] = row["minute"] - row["minute"] % args.window
        too_late = watermark is not None and row["start"] + args.window + args.lateness <= watermark
        (late if too_late else in_time).append(row)
        newest = row["minute"] if newest is None else max(newest, row["minute"])
        if args.bound is not None:
            watermark = newest - args.bound
    return in_time, late


def updates(rows, args):
    """Yields results in the order in which a stream processor gives them."""
    open_windows, fired = collections.defaultdict(list), set()
    newest = watermark = -sys.maxsize

    def due():
        for start in sorted(open_windows.keys() - fired):
            if start + args.window <= watermark:
                fired.add(start)
                yield window(start, args) | aggregate(open_windows[start])

    for row in rows:
        start = row["minute"] - row["minute"] % args.window
        newest = max(newest, row["minute"])
        if start + args.window + args.lateness > watermark:
            open_windows[start].append(row)
            if start + args.window <= watermark:
                fired.add(start)
                yield window(start, args) | aggregate(open_windows[start])
        watermark = newest - args.bound
        yield from due()
    watermark = sys.maxsize
    yield from due()


def stamp(minute):
    return datetime.datetime.fromtimestamp(minute * 60, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def window(start, args):
    return {"window_start": stamp(start), "window_end": stamp(start + args.window)}


def aggregate(rows):
    delays = [row["delay"] for row in rows]
    return {
        "flights": len(delays),
        "delay_sum": sum(delays),
        "delay_avg": sum(delays) / len(delays),
        "delay_max": max(delays),
    }


def group(rows, *keys):
    groups = collections.defaultdict(list)
    for row in rows:
        groups[tuple(row[key] for key in keys)].append(row)
    return sorted(groups.items())


def hours(in_time, late, args):
    for (start,), rows in group(in_time, "start"):
        yield window(start, args) | aggregate(rows)


def origins(in_time, late, args):
    for (start, origin), rows in group(in_time, "start", "origin"):
        yield {"origin": origin} | window(start, args) | aggregate(rows)


def busiest(in_time, late, args):
    for (start,), rows in group(in_time, "start"):
        counts = collections.Counter(row[end] for row in rows for end in ("origin", "destination"))
        top = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[: args.n]
        yield window(start, args) | {"busiest": [{"movements": n, "airport": airport} for airport, n in top]}


def late_rows(in_time, late, args):
    for row in late:
        yield {"line": row["line"]} | columns(row)


def columns(row):
    names = ("delay", "distance", "origin", "destination")
    return {"date": stamp(row["minute"])} | {name: row.get(name) for name in names}


def flies(row):
    return row["origin"] != row["destination"]


def movements(in_time, late, args):
    for row in filter(flies, in_time):
        for end, movement in (("origin", "departure"), ("destination", "arrival")):
            is_late = None if row.get("delay") is None else row["delay"] >= args.late_after
            yield {"airport": row[end], "movement": movement, "late": is_late}


def long_hauls(in_time, late, args):
    for row in filter(flies, in_time):
        if (row.get("distance") or 0) >= 1500:
            yield columns(row) | {"band": "very long" if row["distance"] >= 2500 else "long"}


def failures(in_time, late, args):
    for row in in_time:
        if not flies(row):
            yield {"line": row["line"], "reason": f"flight from {row['origin']} to itself"} | columns(row)


QUERIES = {
    "hours": hours,
    "origins": origins,
    "busiest": busiest,
    "late": late_rows,
    "movements": movements,
    "long-hauls": long_hauls,
    "failures": failures,
}


def write(results, ndjson):
    writer = None
    for result in results:
        if ndjson:
            print(json.dumps(result, separators=(",", ":")))
            continue
        if writer is None:
            writer = csv.DictWriter(sys.stdout, result.keys(), lineterminator="\n")
            writer.writeheader()
        writer.writerow(result)


def at_least(least):
    def parse(text):
        value = int(text)
        if value < least:
            raise argparse.ArgumentTypeError(f"must be at least {least}")
        return value

    return parse


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("query", choices=[*QUERIES, "updates"])
    parser.add_argument("--file", type=pathlib.Path, default=FLIGHTS)
    parser.add_argument("--window", type=at_least(1), default=60, help="minutes")
    parser.add_argument("--bound", type=at_least(0), help="out-of-orderness that is waited for, in minutes")
    parser.add_argument("--lateness", type=at_least(0), default=0, help="allowed lateness in minutes")
    parser.add_argument("--late-after", type=at_least(0), default=15, help="delay of a late movement in minutes")
    parser.add_argument("--n", type=at_least(1), default=3, help="length of `busiest`")
    parser.add_argument("--ndjson", action="store_true", help="NDJSON in place of CSV")
    args = parser.parse_args()
    if args.query == "updates":
        if args.bound is None:
            parser.error("updates needs --bound")
        write(updates(read(args.file), args), args.ndjson)
        return
    in_time, late = split_late(read(args.file), args)
    write(QUERIES[args.query](in_time, late, args), args.ndjson)


if __name__ == "__main__":
    main()
