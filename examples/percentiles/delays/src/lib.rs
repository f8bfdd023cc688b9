// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

//! The aggregate `delays`: percentiles of any number of delays from a few numbers.
//!
//! It does not keep the delays but counts them in steps: a delay of 11 minutes counts as 15 with
//! steps of 5, the next whole step that is not less. A percentile is exact by that: p95 is the least
//! step that at least 95% of the delays, so rounded, do not exceed.

use wasmill::{Aggregate, Output, Result, bail};

wasmill::row! {
    pub struct Arrival {
        /// Minutes late on arrival; negative is early. Null is left out.
        delay: Option<i64>,
    }
}

wasmill::row! {
    pub struct Percentiles {
        /// Half of the delays are not longer; minutes, null where there are none.
        p50: Option<i64>,
        /// 95% of the delays are not longer; minutes, null where there are none.
        p95: Option<i64>,
    }
}

wasmill::row! {
    pub struct Config {
        /// Minutes in a step.
        step: i64 = 5,
        /// Shorter delays count as this one; a whole number of steps, in minutes.
        least: i64 = -60,
        /// Longer delays count as this one; a whole number of steps, in minutes.
        most: i64 = 600,
    }
}

/// The most steps between the least delay and the most: each group has a count for each.
const MOST_STEPS: i64 = 10_000;

pub struct Delays {
    config: Config,
}

impl Aggregate for Delays {
    const NAME: &'static str = "delays";
    const DOC: &'static str = "The median and the 95th percentile of delays, in steps.";
    type Config = Config;
    type Input = Arrival;
    /// How many delays there are of each step, the least one first. Steps behind its end have none.
    type Accumulator = Vec<i64>;
    type Output = Percentiles;

    fn open(config: Config) -> Result<Self> {
        let Config { step, least, most } = config;
        if step < 1 || least % step != 0 || most % step != 0 {
            bail!("least and most must be multiples of step, got {least}, {most} and {step}");
        }
        match most.checked_sub(least) {
            Some(range) if range >= 0 && range / step <= MOST_STEPS => Ok(Delays { config }),
            _ => bail!("from {least} to {most} must be 0 to {MOST_STEPS} steps of {step}"),
        }
    }

    fn add(&mut self, counts: &mut Vec<i64>, arrival: Arrival) -> Result {
        if let Some(delay) = arrival.delay {
            let above = delay.clamp(self.config.least, self.config.most) - self.config.least;
            let step = above / self.config.step + i64::from(above % self.config.step > 0);
            add(counts, step as usize, 1);
        }
        Ok(())
    }

    fn merge(&mut self, counts: &mut Vec<i64>, other: Vec<i64>) {
        for (step, count) in other.into_iter().enumerate() {
            add(counts, step, count);
        }
    }

    fn result(&mut self, counts: Vec<i64>, out: &mut Output<Percentiles>) {
        out.emit(Percentiles {
            p50: self.percentile(&counts, 50),
            p95: self.percentile(&counts, 95),
        });
    }
}

impl Delays {
    /// Returns the nearest-rank percentile: of n delays the one at place ceil(n * percent / 100).
    fn percentile(&self, counts: &[i64], percent: i64) -> Option<i64> {
        let place = (counts.iter().sum::<i64>() * percent + 99) / 100;
        let mut seen = 0;
        let step = counts.iter().position(|count| {
            seen += count;
            seen >= place
        })?;
        Some(self.config.least + step as i64 * self.config.step)
    }
}

fn add(counts: &mut Vec<i64>, step: usize, count: i64) {
    if step >= counts.len() {
        counts.resize(step + 1, 0);
    }
    counts[step] += count;
}

wasmill::module!(Delays);

#[cfg(test)]
mod tests {
    use super::*;
    use wasmill::testing;

    const DEFAULTS: Config = Config {
        step: 5,
        least: -60,
        most: 600,
    };

    fn arrivals(delays: impl IntoIterator<Item = i64>) -> Vec<Arrival> {
        let arrival = |delay| Arrival { delay: Some(delay) };
        delays.into_iter().map(arrival).collect()
    }

    fn of(p50: i64, p95: i64) -> Percentiles {
        Percentiles {
            p50: Some(p50),
            p95: Some(p95),
        }
    }

    #[test]
    fn percentiles_are_the_next_step() {
        for (delays, want) in [
            (arrivals([11]), of(15, 15)),
            (arrivals([10, 11]), of(10, 15)),
            (arrivals([-4, -5, -6]), of(-5, 0)),
            (arrivals(1..=100), of(50, 95)),
            (arrivals(1..=101), of(55, 100)),
            (arrivals([-1000, 5000, 5000]), of(600, 600)),
        ] {
            let run = testing::fold::<Delays>(DEFAULTS, &delays).expect("it opens");
            assert_eq!(run.rows(), std::slice::from_ref(&want));
            let run = testing::fold_merged::<Delays>(DEFAULTS, &delays).expect("it opens");
            assert_eq!(run.rows(), std::slice::from_ref(&want));
        }
    }

    #[test]
    fn nulls_are_left_out() {
        let mut some = arrivals([1]);
        some.push(Arrival { delay: None });
        let run = testing::fold::<Delays>(DEFAULTS, &some).expect("it opens");
        assert_eq!(run.rows(), [of(5, 5)]);
        let run = testing::fold::<Delays>(DEFAULTS, &some[1..]).expect("it opens");
        assert_eq!(
            run.rows(),
            [Percentiles {
                p50: None,
                p95: None
            }]
        );
    }

    #[test]
    fn steps_that_make_no_sense_are_refused() {
        for (config, reason) in [
            (
                Config {
                    step: 7,
                    ..DEFAULTS
                },
                "least and most must be multiples of step, got -60, 600 and 7",
            ),
            (
                Config {
                    most: -65,
                    ..DEFAULTS
                },
                "from -60 to -65 must be 0 to 10000 steps of 5",
            ),
            (
                Config {
                    most: i64::MAX - 2,
                    ..DEFAULTS
                },
                "from -60 to 9223372036854775805 must be 0 to 10000 steps of 5",
            ),
        ] {
            let refused = testing::fold::<Delays>(config, &[])
                .err()
                .expect("it refuses");
            assert_eq!(refused.message(), reason);
        }
    }
}
