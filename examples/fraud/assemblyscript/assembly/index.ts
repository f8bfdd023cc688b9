// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// fraud finds stolen cards, which are tried with a small charge, then used for a large one.

import { ProcessOperator, refuse } from "wasmill";

export * from "wasmill/exports";

const SECOND: i64 = 1_000_000;

const fraud = new ProcessOperator("fraud", "Large charges that follow a small one.");

const charges = fraud.keyedInput();
const card = charges.key.string("card", "The card that is charged");
const amount = charges.required.int64("amount", "Cents");
const at = charges.required.timestamp("at", "When it was charged");

const small = fraud.config.byDefault("100").int64("small", "Cents below which a charge is small");
const large = fraud.config.byDefault("50000").int64("large", "Cents from which on a charge is large");
const within = fraud.config.byDefault("60").int64("within", "Seconds after a small charge in which a large one is an alert");

/** A small charge, until it is too long ago. */
const trial = fraud.value("trial", "The last small charge");
const trialAt = trial.timestamp("at");
const trialAmount = trial.int64("amount");

const alerts = fraud.output();
const alertCard = alerts.string("card", "The card that was charged");
const alertAt = alerts.timestamp("at", "When it was charged with the large amount");
const alertSmall = alerts.int64("small", "The small charge before, in cents");
const alertLarge = alerts.int64("large", "The large one, in cents");

const alerted = fraud.counter("alerts");

fraud.onOpen((): void => {
  if (small.value > large.value || within.value < 1) refuse("small must not be more than large, and within be a second or more");
});

/** When a large charge is no alert any more. */
function end(key: i32): i64 {
  return trialAt.get(key) + within.value * SECOND;
}

charges.onRow((row: i32, key: i32): void => {
  if (trial.has(key) && amount.get(row) >= large.value && at.get(row) < end(key)) {
    alertCard.copy(card, row);
    alertAt.set(at.get(row));
    alertSmall.set(trialAmount.get(key));
    alertLarge.set(amount.get(row));
    alerts.emit(row);
    alerted.add(1);
  }
  if (amount.get(row) < small.value) {
    if (trial.has(key)) fraud.eventTimers.delete(key, end(key));
    trialAt.set(key, at.get(row));
    trialAmount.set(key, amount.get(row));
    fraud.eventTimers.set(key, end(key));
  }
});

fraud.onTimer((_timer: i32, key: i32): void => trial.clear(key));
