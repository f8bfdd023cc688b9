// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// movements turns each flight into a departure and an arrival.

import { MapOperator, refuse } from "wasmill";

export * from "wasmill/exports";

const movements = new MapOperator("movements", "Turns each flight into a departure and an arrival.");

const flights = movements.input;
const origin = flights.required.string("origin", "Code of the airport it left");
const destination = flights.required.string("destination", "Code of the airport it reached");
const delay = flights.int64("delay", "Minutes late at arrival");
const distance = flights.int64("distance", "Miles flown");

const lateAfter = movements.config.byDefault("15").int64("late_after", "Minutes of delay from which a flight is late");

const main = movements.output();
const airport = main.string("airport", "Code of the airport");
const movement = main.string("movement", "departure or arrival");
const late = main.bool("late", "Whether the flight was late; null where that is not known");

const longHaul = movements.output("long_haul").forwarded();
const band = longHaul.string("band", "long or very long");

const flown = movements.counter("flights");

movements.onOpen((): void => {
  if (lateAfter.value < 0) refuse(`late_after must not be negative, got ${lateAfter.value}`);
});

movements.onRows((rows: i32): void => {
  let count = 0;
  for (let row = 0; row < rows; row++) {
    if (origin.equals(row, destination, row)) {
      movements.failRow(row, `flight from ${origin.get(row)} to itself`);
      continue;
    }
    airport.copy(origin, row);
    movement.set("departure");
    if (!delay.isNull(row)) late.set(delay.get(row) >= lateAfter.value);
    main.emit(row);

    airport.copy(destination, row);
    movement.set("arrival");
    if (!delay.isNull(row)) late.set(delay.get(row) >= lateAfter.value);
    main.emit(row);

    if (!distance.isNull(row) && distance.get(row) >= 1500) {
      band.set(distance.get(row) < 2500 ? "long" : "very long");
      longHaul.emit(row);
    }
    count++;
  }
  flown.add(count);
});
