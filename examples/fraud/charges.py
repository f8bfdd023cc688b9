#!/usr/bin/env python3
# Copyright The wasmill Authors
# SPDX-License-Identifier: Apache-2.0
"""Makes charges.json.gz up: a day of charges of 300 cards, in the order in which they would be heard of, up to
20 seconds late. Some cards are stolen on the way.

    python3 charges.py
"""

import datetime
import gzip
import json
import pathlib
import random

CHARGES = 8_000


def main():
    r = random.Random(2026)
    day = datetime.datetime(2026, 3, 1, tzinfo=datetime.timezone.utc)
    charges = []  # when it is heard of, when it was, card, amount
    for _ in range(CHARGES):
        card, second = f"card-{r.randrange(300):03}", r.randrange(86400)
        amount = r.choice([r.randrange(20, 100), r.randrange(100, 50_000), r.randrange(100, 50_000), r.randrange(50_000, 90_000)])
        burst = [(second, amount)]
        if r.random() < 0.05:
            burst += [(second + r.randrange(1, 100), r.randrange(45_000, 99_000)) for _ in range(r.randrange(1, 3))]
        for second, amount in burst:
            charges.append((second + r.randrange(20), second, card, amount))
    charges.sort()
    lines = []
    for _, second, card, amount in charges:
        at = (day + datetime.timedelta(seconds=second)).strftime("%Y-%m-%dT%H:%M:%SZ")
        lines.append(json.dumps({"card": card, "amount": amount, "at": at}, separators=(",", ":")) + "\n")
    path = pathlib.Path(__file__).parent / "charges.json.gz"
    path.write_bytes(gzip.compress("".join(lines).encode(), mtime=0))


main()
