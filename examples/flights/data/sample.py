#!/usr/bin/env python3
# Copyright The wasmill Authors
# SPDX-License-Identifier: Apache-2.0
"""Makes flights.json.gz and airports.csv again, byte for byte, and prints what README.md counts.

    npm pack vega-datasets@3.2.1 && tar xzf vega-datasets-3.2.1.tgz
    pip install pyarrow
    python3 sample.py package/data [--days 14] [--order reported|source]

It takes the flights of the first DAYS days of 2001 from flights-3m.parquet, which is sorted by
date, and writes them one JSON object a line. Rows are not changed; only their order is:

    reported  by date + max(delay, 0) minutes, rows that tie in the order of the source: a flight
              that was an hour late reaches the stream an hour later (the default)
    source    as they come
"""

import argparse
import datetime
import gzip
import json
import pathlib
import shutil

HERE = pathlib.Path(__file__).parent
START = datetime.datetime(2001, 1, 1)
COLUMNS = ["date", "delay", "distance", "origin", "destination"]


def read(parquet, days):
    import pyarrow.parquet

    end = START + datetime.timedelta(days=days)
    table = pyarrow.parquet.read_table(parquet, filters=[("date", "<", end)])
    return list(zip(*[table[column].to_pylist() for column in COLUMNS]))


def reported(row):
    return row[0] + datetime.timedelta(minutes=max(row[1], 0))


def write(rows, path):
    """Writes gzip without a time stamp or a name, so that the same rows give the same bytes."""
    with open(path, "wb") as file, gzip.GzipFile(filename="", mode="wb", fileobj=file, compresslevel=9, mtime=0) as out:
        for row in rows:
            fields = dict(zip(COLUMNS, row), date=row[0].strftime("%Y/%m/%d %H:%M"))
            out.write(json.dumps(fields, separators=(",", ":")).encode() + b"\n")


def count(rows):
    behind = []
    newest = rows[0][0]
    for row in rows:
        if row[0] < newest:
            behind.append((newest - row[0]) // datetime.timedelta(minutes=1))
        newest = max(newest, row[0])
    behind.sort()
    print(f"rows {len(rows)}, {rows[0][0]} first, {newest} newest")
    print(f"repeated rows {len(rows) - len(set(rows))}")
    print(f"nulls {sum(value is None for row in rows for value in row)}")
    print(f"origins {len({row[3] for row in rows})}, destinations {len({row[4] for row in rows})}")
    print(f"delay {min(row[1] for row in rows)} to {max(row[1] for row in rows)} minutes")
    print(f"distance {min(row[2] for row in rows)} to {max(row[2] for row in rows)} miles")
    print(f"out of order {len(behind)}", end="")
    if behind:
        quantiles = ", ".join(f"{int(len(behind) * q) and behind[int(len(behind) * q)]} ({q:.1%})" for q in (0.5, 0.9, 0.99, 0.999))
        print(f", minutes behind: {quantiles}, {behind[-1]} (most)", end="")
        print(f"; over 60: {sum(b > 60 for b in behind)}, over 240: {sum(b > 240 for b in behind)}", end="")
    print()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=pathlib.Path, help="the folder data/ of the unpacked npm package")
    parser.add_argument("--days", type=int, default=14)
    parser.add_argument("--order", choices=["reported", "source"], default="reported")
    args = parser.parse_args()

    rows = read(args.source / "flights-3m.parquet", args.days)
    if args.order == "reported":
        rows.sort(key=reported)
    write(rows, HERE / "flights.json.gz")
    shutil.copyfile(args.source / "airports.csv", HERE / "airports.csv")
    count(rows)


main()
