// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// score says how likely the passengers of a flight miss the next one, in points from 0 to 100, all
// whole numbers, each part rounded down:
//
//     half of the minutes that it is late, 60 at most
//   + a point for each 200 miles, 20 at most: after a long flight there are fewer others to take
//   + 20 where it leaves or reaches an airport in the north, where winter grounds the next one too

import { MapOperator, refuse } from "wasmill";

export * from "wasmill/exports";

const score = new MapOperator("score", "How likely the passengers of a flight miss the next one.");

const flights = score.input;
const delay = flights.required.int64("delay", "Minutes late on arrival");
const distance = flights.required.int64("distance", "Miles between the airports");
const from = flights.required.float64("origin_latitude", "Degrees");
const to = flights.required.float64("destination_latitude", "Degrees");

const atLeast = score.config.byDefault("0").int64("at_least", "Flights with fewer points are dropped");
const north = score.config.byDefault("40").float64("north", "Degrees of latitude from which an airport lies in the north");

const output = score.output().forwarded();
const risk = output.int64("risk", "Points from 0 to 100");

score.onOpen((): void => {
  if (atLeast.value > 100) refuse(`at_least must be 100 at most, got ${atLeast.value}`);
});

score.onRow((row: i32): void => {
  if (distance.get(row) < 0) {
    score.failRow(row, `a distance of ${distance.get(row)} miles`);
    return;
  }
  let points = min<i64>(max<i64>(delay.get(row), 0), 120) / 2;
  points += min<i64>(distance.get(row) / 200, 20);
  if (from.get(row) >= north.value || to.get(row) >= north.value) points += 20;
  if (points < atLeast.value) return;
  risk.set(points);
  output.emit(row);
});
