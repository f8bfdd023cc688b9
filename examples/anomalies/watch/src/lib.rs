// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

//! The operator `watch`: what is out of the ordinary at an airport.

use wasmill::{
    EventTime, EventTimers, MapState, Output, Process, Result, Timer, Timestamp, ValueState, bail,
};

const HOUR: i64 = 3_600_000_000;

wasmill::row! {
    pub struct Airport<'a> {
        origin: &'a str,
    }
}

wasmill::row! {
    pub struct Flight<'a> {
        /// Code of the airport it left
        origin: &'a str,
        /// When it departed
        date: Timestamp,
        /// Minutes late at arrival
        delay: i64,
    }
}

wasmill::row! {
    /// A flight that is much later than those before it.
    pub struct Late<'a> {
        origin: &'a str,
        date: Timestamp,
        delay: i64,
        /// How late flights of the airport are
        usual: f64,
    }
}

wasmill::row! {
    /// An airport that no flight has left for long.
    pub struct Silent<'a> {
        origin: &'a str,
        /// When the last one departed
        since: Timestamp,
    }
}

wasmill::row! {
    pub struct Config {
        /// How many standard deviations later than usual a flight is out of the ordinary
        deviations: f64 = 4.0,
        /// Flights of an airport before what is usual there is known
        flights: i64 = 50,
        /// How much the latest flight counts in what is usual
        weight: f64 = 0.05,
        /// Hours without a departure after which an airport is silent
        silence: i64 = 24,
    }
}

wasmill::row! {
    /// Mean and variance of the delays of an airport, in which older flights count ever less.
    #[derive(Default)]
    pub struct Usual { flights: i64, mean: f64, variance: f64 }
}

wasmill::states! {
    pub struct State {
        /// how late flights are
        usual: ValueState<Usual>,
        /// departures of the last hours
        departures: MapState<Timestamp, bool>,
        silence: EventTimers,
    }
}

wasmill::outputs! {
    pub struct Out {
        late: Output<Late<'static>>,
        silent: Output<Silent<'static>>,
    }
}

pub struct Watch(Config);

impl Process for Watch {
    const NAME: &'static str = "watch";
    const DOC: &'static str =
        "Flights that are much later than usual at their airport, and airports that nobody leaves.";
    type Config = Config;
    type Key = Airport<'static>;
    type Input = Flight<'static>;
    type State = State;
    type Outputs = Out;

    fn open(config: Config) -> Result<Self> {
        if !(0.0..=1.0).contains(&config.weight) || config.silence < 1 {
            bail!("weight must be from 0 to 1, and silence an hour or more");
        }
        Ok(Watch(config))
    }

    fn process(&mut self, flight: Flight, state: &mut State, out: &mut Out) -> Result {
        let Flight {
            origin,
            date,
            delay,
        } = flight;
        let Config {
            deviations,
            flights,
            weight,
            silence,
        } = self.0;
        let usual = state.usual.update();
        if usual.flights == 0 {
            usual.mean = delay as f64;
        }
        let more = delay as f64 - usual.mean;
        let threshold = deviations * deviations * usual.variance;
        if usual.flights >= flights && more > 0.0 && more * more > threshold {
            out.late.emit(Late {
                origin,
                date,
                delay,
                usual: usual.mean,
            });
        }
        usual.flights += 1;
        usual.mean += weight * more;
        usual.variance = (1.0 - weight) * (usual.variance + weight * more * more);

        // A departure may become known after later ones: each has a timer, which looks whether there is another
        // one behind it.
        state.departures.put(date, true);
        state.silence.set(EventTime(date.0 + silence * HOUR));
        Ok(())
    }

    fn on_timer(&mut self, timer: Timer, key: Airport, state: &mut State, out: &mut Out) -> Result {
        let (since, until) = (timer.time.0 - self.0.silence * HOUR, timer.time.0);
        if state
            .departures
            .range(Timestamp(since + 1)..Timestamp(until))
            .next()
            .is_none()
        {
            out.silent.emit(Silent {
                origin: key.origin,
                since: Timestamp(since),
            });
        }
        state.departures.remove(Timestamp(since));
        Ok(())
    }
}

wasmill::module!(Watch);

#[cfg(test)]
mod tests {
    use super::*;
    use wasmill::testing::open;

    fn config() -> Config {
        Config {
            deviations: 3.0,
            flights: 4,
            weight: 0.5,
            silence: 2,
        }
    }

    fn flight(origin: &str, hour: i64, delay: i64) -> Flight<'_> {
        Flight {
            origin,
            date: Timestamp(hour * HOUR),
            delay,
        }
    }

    #[test]
    fn a_flight_is_late_that_is_much_later_than_those_before() {
        let mut watch = open::<Watch>(config()).unwrap();
        let delays = [10, 12, 10, 12, 300, 300];
        let flights: Vec<Flight> = delays
            .iter()
            .map(|&delay| flight("JFK", 0, delay))
            .collect();
        let run = watch.process(&flights);
        let late = run.rows(|out| &out.late);
        assert_eq!(
            late.len(),
            1,
            "the second one is not that far from what is usual by then"
        );
        assert_eq!((late[0].delay, late[0].usual), (300, 11.25));
    }

    #[test]
    fn what_is_usual_is_known_by_airport_and_after_some_flights() {
        let mut watch = open::<Watch>(config()).unwrap();
        let run = watch.process(&[
            flight("JFK", 0, 1),
            flight("JFK", 0, 1),
            flight("JFK", 0, 1),
            flight("LAX", 0, 300),
            flight("JFK", 0, 300),
        ]);
        assert_eq!(run.rows(|out| &out.late), []);
    }

    #[test]
    fn an_airport_is_silent_that_no_flight_leaves_for_hours() {
        let mut watch = open::<Watch>(config()).unwrap();
        watch.process(&[
            flight("JFK", 5, 0),
            flight("JFK", 1, 0),
            flight("JFK", 2, 0),
        ]);
        let silent = |origin, hour| Silent {
            origin,
            since: Timestamp(hour * HOUR),
        };
        let run = watch.advance_watermark(EventTime(4 * HOUR));
        assert_eq!(
            run.rows(|out| &out.silent),
            [silent("JFK", 2)],
            "though a later departure is known"
        );
        let run = watch.advance_watermark(EventTime(7 * HOUR));
        assert_eq!(run.rows(|out| &out.silent), [silent("JFK", 5)]);
    }

    #[test]
    fn a_configuration_that_makes_no_sense_is_refused() {
        assert!(
            open::<Watch>(Config {
                weight: 1.5,
                ..config()
            })
            .is_err()
        );
        assert!(
            open::<Watch>(Config {
                silence: 0,
                ..config()
            })
            .is_err()
        );
    }
}
