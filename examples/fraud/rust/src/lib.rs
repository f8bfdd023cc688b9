// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

//! The operator `fraud`: stolen cards are tried with a small charge, then used for a large one.

use wasmill::{
    Counter, EventTime, EventTimers, Output, Process, Result, Timer, Timestamp, ValueState, bail,
};

const SECOND: i64 = 1_000_000;

wasmill::row! {
    pub struct Card<'a> {
        /// The card that is charged
        card: &'a str,
    }
}

wasmill::row! {
    pub struct Charge<'a> {
        /// The card that is charged
        card: &'a str,
        /// Cents
        amount: i64,
        /// When it was charged
        at: Timestamp,
    }
}

wasmill::row! {
    /// A large charge that follows a small one.
    pub struct Alert<'a> {
        /// The card that was charged
        card: &'a str,
        /// When it was charged with the large amount
        at: Timestamp,
        /// The small charge before, in cents
        small: i64,
        /// The large one, in cents
        large: i64,
    }
}

wasmill::row! {
    pub struct Config {
        /// Cents below which a charge is small
        small: i64 = 100,
        /// Cents from which on a charge is large
        large: i64 = 50_000,
        /// Seconds after a small charge in which a large one is an alert
        within: i64 = 60,
    }
}

wasmill::row! {
    /// A small charge, until it is too long ago.
    #[derive(Default)]
    pub struct Trial { at: Timestamp, amount: i64 }
}

wasmill::states! {
    pub struct State {
        /// The last small charge
        trial: ValueState<Trial>,
        over: EventTimers,
    }
}

wasmill::outputs! {
    pub struct Out {
        main: Output<Alert<'static>>,
        alerts: Counter,
    }
}

pub struct Fraud(Config);

impl Fraud {
    /// When a large charge is no alert any more.
    fn end(&self, trial: &Trial) -> i64 {
        trial.at.0 + self.0.within * SECOND
    }
}

impl Process for Fraud {
    const NAME: &'static str = "fraud";
    const DOC: &'static str = "Large charges that follow a small one.";
    type Config = Config;
    type Key = Card<'static>;
    type Input = Charge<'static>;
    type State = State;
    type Outputs = Out;

    fn open(config: Config) -> Result<Self> {
        if config.small > config.large || config.within < 1 {
            bail!("small must not be more than large, and within be a second or more");
        }
        Ok(Fraud(config))
    }

    fn process(&mut self, charge: Charge, state: &mut State, out: &mut Out) -> Result {
        let Charge { card, amount, at } = charge;
        let last = state
            .trial
            .get()
            .map(|trial| (self.end(trial), trial.amount));
        match last {
            Some((end, small)) if amount >= self.0.large && at.0 < end => {
                out.main.emit(Alert {
                    card,
                    at,
                    small,
                    large: amount,
                });
                out.alerts.add(1);
            }
            _ => {}
        }
        if amount < self.0.small {
            if let Some((end, _)) = last {
                state.over.delete(EventTime(end));
            }
            let trial = Trial { at, amount };
            state.over.set(EventTime(self.end(&trial)));
            state.trial.set(trial);
        }
        Ok(())
    }

    fn on_timer(&mut self, _: Timer, _: Card, state: &mut State, _: &mut Out) -> Result {
        state.trial.clear();
        Ok(())
    }
}

wasmill::module!(Fraud);

#[cfg(test)]
mod tests {
    use super::*;
    use wasmill::testing::open;

    fn charge(card: &str, amount: i64, second: i64) -> Charge<'_> {
        Charge {
            card,
            amount,
            at: Timestamp(second * SECOND),
        }
    }

    fn alert(card: &str, second: i64, small: i64, large: i64) -> Alert<'_> {
        Alert {
            card,
            at: Timestamp(second * SECOND),
            small,
            large,
        }
    }

    fn config(within: i64) -> Config {
        Config {
            small: 100,
            large: 50_000,
            within,
        }
    }

    #[test]
    fn a_large_charge_within_a_minute_after_a_small_one_is_an_alert() {
        let run = open::<Fraud>(config(60)).unwrap().process(&[
            charge("a", 60000, 0), // nothing before it
            charge("a", 99, 1),
            charge("b", 60000, 2), // another card
            charge("a", 50000, 3),
            charge("a", 49999, 4),
            charge("a", 1, 10),
            charge("a", 70000, 69),
            charge("a", 70000, 70),
        ]);
        assert_eq!(
            run.rows(|out| &out.main),
            [alert("a", 3, 99, 50000), alert("a", 69, 1, 70000)]
        );
        assert_eq!(run.count(|out| &out.alerts), 2);
    }

    #[test]
    fn a_small_charge_is_forgotten_by_the_last_ones_timer() {
        let mut fraud = open::<Fraud>(config(10)).unwrap();
        fraud.process(&[charge("a", 5, 0), charge("a", 7, 5)]);
        fraud.advance_watermark(EventTime(10 * SECOND)); // when the first one would have been
        let run = fraud.process(&[charge("a", 50000, 14)]);
        assert_eq!(run.rows(|out| &out.main), [alert("a", 14, 7, 50000)]);
        fraud.advance_watermark(EventTime(15 * SECOND));
        let run = fraud.process(&[charge("a", 50000, 14)]); // too late
        assert_eq!(run.rows(|out| &out.main), []);
    }

    #[test]
    fn a_configuration_that_makes_no_sense_is_refused() {
        assert!(open::<Fraud>(config(0)).is_err());
        assert!(
            open::<Fraud>(Config {
                small: 2,
                large: 1,
                within: 1
            })
            .is_err()
        );
    }
}
