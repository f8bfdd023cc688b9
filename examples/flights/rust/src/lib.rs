// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

//! The operator `movements`: what flights mean for the airports at both ends.

use wasmill::{Counter, Forward, Map, Output, Result, bail};

wasmill::row! {
    /// A flight as the airline reports it.
    pub struct Flight<'a> {
        /// Code of the airport it left
        origin: &'a str,
        /// Code of the airport it reached
        destination: &'a str,
        /// Minutes late at arrival
        delay: Option<i64>,
        /// Miles flown
        distance: Option<i64>,
    }
}

wasmill::row! {
    pub struct Movement<'a> {
        /// Code of the airport
        airport: &'a str,
        /// departure or arrival
        movement: &'a str,
        /// Whether the flight was late; null where that is not known
        late: Option<bool>,
    }
}

wasmill::row! {
    pub struct LongHaul<'a> {
        /// long or very long
        band: &'a str,
    }
}

wasmill::row! {
    pub struct Config {
        /// Minutes of delay from which a flight is late
        late_after: i64 = 15,
    }
}

wasmill::outputs! {
    pub struct Out {
        movements: Output<Movement<'static>>,
        long_haul: Forward<LongHaul<'static>>,
        flights: Counter,
    }
}

pub struct Movements {
    late_after: i64,
}

impl Map for Movements {
    const NAME: &'static str = "movements";
    const DOC: &'static str = "Turns each flight into a departure and an arrival.";
    type Config = Config;
    type Input = Flight<'static>;
    type Outputs = Out;

    fn open(config: Config) -> Result<Self> {
        if config.late_after < 0 {
            bail!("late_after must not be negative, got {}", config.late_after);
        }
        Ok(Movements {
            late_after: config.late_after,
        })
    }

    fn process(&mut self, flight: Flight, out: &mut Out) -> Result {
        if flight.origin == flight.destination {
            bail!("flight from {} to itself", flight.origin);
        }
        let late = flight.delay.map(|delay| delay >= self.late_after);
        for (airport, movement) in [
            (flight.origin, "departure"),
            (flight.destination, "arrival"),
        ] {
            out.movements.emit(Movement {
                airport,
                movement,
                late,
            });
        }
        if let Some(miles @ 1500..) = flight.distance {
            let band = if miles < 2500 { "long" } else { "very long" };
            out.long_haul.emit(LongHaul { band });
        }
        out.flights.add(1);
        Ok(())
    }
}

wasmill::module!(Movements);

#[cfg(test)]
mod tests {
    use super::*;
    use wasmill::testing;

    fn flight<'a>(
        origin: &'a str,
        destination: &'a str,
        delay: Option<i64>,
        distance: Option<i64>,
    ) -> Flight<'a> {
        Flight {
            origin,
            destination,
            delay,
            distance,
        }
    }

    fn run(rows: &[Flight]) -> testing::Run<Movements> {
        testing::run(Config { late_after: 15 }, rows).expect("it opens")
    }

    #[test]
    fn a_flight_departs_and_arrives() {
        let run = run(&[
            flight("JFK", "LAX", Some(15), None),
            flight("BOS", "SFO", Some(14), None),
            flight("ORD", "DFW", None, None),
        ]);
        let movement = |airport, movement, late| Movement {
            airport,
            movement,
            late,
        };
        assert_eq!(
            run.rows(|out| &out.movements),
            [
                movement("JFK", "departure", Some(true)),
                movement("LAX", "arrival", Some(true)),
                movement("BOS", "departure", Some(false)),
                movement("SFO", "arrival", Some(false)),
                movement("ORD", "departure", None),
                movement("DFW", "arrival", None),
            ]
        );
        assert_eq!(run.count(|out| &out.flights), 3);
    }

    #[test]
    fn long_flights_go_to_the_side_output() {
        let miles = [Some(1499), Some(1500), None, Some(2499), Some(2500)];
        let run = run(&miles.map(|miles| flight("JFK", "LAX", None, miles)));
        let long_haul = run.rows(|out| &out.long_haul);
        let bands: Vec<_> = long_haul.iter().map(|row| row.band).collect();
        assert_eq!(bands, ["long", "long", "very long"]);
        assert_eq!(run.origins(|out| &out.long_haul), [1, 3, 4]);
    }

    #[test]
    fn a_flight_to_itself_fails_alone() {
        let run = run(&[
            flight("JFK", "JFK", None, Some(2000)),
            flight("JFK", "LAX", None, Some(2475)),
        ]);
        assert_eq!(
            run.failures(),
            [(0, "flight from JFK to itself".to_string())]
        );
        assert_eq!(run.rows(|out| &out.movements).len(), 2);
        assert_eq!(run.origins(|out| &out.long_haul), [1]);
        assert_eq!(run.count(|out| &out.flights), 1);
    }

    #[test]
    fn a_negative_limit_is_refused() {
        let refused = testing::run::<Movements>(Config { late_after: -1 }, &[]).err();
        assert_eq!(
            refused.expect("it refuses").message(),
            "late_after must not be negative, got -1"
        );
    }
}
