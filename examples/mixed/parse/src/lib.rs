// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

//! The operator `parse`: lines of a log of flights into columns.
//!
//! A line has exactly this form, with a day that there is, whole numbers that an `int64` holds,
//! and airports of three letters or digits:
//!
//!     {"date":"2001/01/01 00:01","delay":-13,"distance":2345,"origin":"ANC","destination":"LAX"}

use wasmill::{Map, Output, Result, Timestamp, bail};

wasmill::row! {
    pub struct Line<'a> {
        /// A line of the log.
        line: &'a str,
    }
}

wasmill::row! {
    pub struct Flight<'a> {
        /// When it departed.
        date: Timestamp,
        /// Minutes late on arrival; negative is early.
        delay: i64,
        /// Miles between the airports.
        distance: i64,
        /// The airport that it left.
        origin: &'a str,
        /// The airport that it went to.
        destination: &'a str,
    }
}

pub struct Parse;

impl Map for Parse {
    const NAME: &'static str = "parse";
    const DOC: &'static str = "Lines of a log of flights into columns.";
    type Config = ();
    type Input = Line<'static>;
    type Outputs = Output<Flight<'static>>;

    fn open(_: ()) -> Result<Self> {
        Ok(Parse)
    }

    fn process(&mut self, row: Line, out: &mut Self::Outputs) -> Result {
        let mut text = Text(row.line);
        text.expect(r#"{"date":""#)?;
        let date = date(text.until('"'))?;
        text.expect(r#"","delay":"#)?;
        let delay = number(text.until(','))?;
        text.expect(r#","distance":"#)?;
        let distance = number(text.until(','))?;
        text.expect(r#","origin":""#)?;
        let origin = airport(text.until('"'))?;
        text.expect(r#"","destination":""#)?;
        let destination = airport(text.until('"'))?;
        text.expect(r#""}"#)?;
        if !text.0.is_empty() {
            bail!("{:?} follows the flight", text.0);
        }
        out.emit(Flight {
            date,
            delay,
            distance,
            origin,
            destination,
        });
        Ok(())
    }
}

/// What is still to be read of a line.
struct Text<'a>(&'a str);

impl<'a> Text<'a> {
    fn expect(&mut self, token: &str) -> Result {
        match self.0.strip_prefix(token) {
            Some(rest) => self.0 = rest,
            None => bail!("expected {token}, not {:?}", self.0),
        }
        Ok(())
    }

    fn until(&mut self, end: char) -> &'a str {
        let (value, rest) = self.0.split_at(self.0.find(end).unwrap_or(self.0.len()));
        self.0 = rest;
        value
    }
}

fn number(text: &str) -> Result<i64> {
    match text.parse() {
        Ok(number) if !text.starts_with('+') => Ok(number),
        _ => bail!("{text:?} is no whole number of 64 bits"),
    }
}

fn airport(text: &str) -> Result<&str> {
    let coded = |c: u8| c.is_ascii_uppercase() || c.is_ascii_digit();
    if text.len() != 3 || !text.bytes().all(coded) {
        bail!("{text:?} is no airport");
    }
    Ok(text)
}

/// Reads `2001/01/31 23:59`.
fn date(text: &str) -> Result<Timestamp> {
    let form = |(i, c): (usize, u8)| match i {
        4 | 7 => c == b'/',
        10 => c == b' ',
        13 => c == b':',
        _ => c.is_ascii_digit(),
    };
    if text.len() != 16 || !text.bytes().enumerate().all(form) {
        bail!("{text:?} is no date like 2001/01/31 23:59");
    }
    let part = |from: usize, to: usize| {
        text[from..to]
            .bytes()
            .fold(0, |n, c| n * 10 + i64::from(c - b'0'))
    };
    let (year, month, day) = (part(0, 4), part(5, 7), part(8, 10));
    let (hour, minute) = (part(11, 13), part(14, 16));
    if !(1..=12).contains(&month)
        || day < 1
        || day > days_in(year, month)
        || hour > 23
        || minute > 59
    {
        bail!("there is no {text}");
    }
    let days = (1..month).map(|month| days_in(year, month)).sum::<i64>() + day - 1;
    let minutes = ((days_before(year) - days_before(1970) + days) * 24 + hour) * 60 + minute;
    Ok(Timestamp(minutes * 60_000_000))
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 => 28 + i64::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// The days from the beginning of year 1 to that of another year, in the Gregorian calendar.
fn days_before(year: i64) -> i64 {
    let past = year - 1;
    past * 365 + past.div_euclid(4) - past.div_euclid(100) + past.div_euclid(400)
}

wasmill::module!(Parse);

#[cfg(test)]
mod tests {
    use super::*;
    use wasmill::testing;

    fn line(date: &str, delay: &str, origin: &str) -> String {
        format!(
            r#"{{"date":"{date}","delay":{delay},"distance":2345,"origin":"{origin}","destination":"LAX"}}"#
        )
    }

    fn run(lines: &[String]) -> testing::Run<Parse> {
        let rows: Vec<_> = lines.iter().map(|line| Line { line }).collect();
        testing::run((), &rows).expect("it opens")
    }

    #[test]
    fn a_line_becomes_a_flight() {
        let run = run(&[line("2001/01/01 00:01", "-13", "ANC")]);
        let want = Flight {
            date: Timestamp(978_307_260_000_000),
            delay: -13,
            distance: 2345,
            origin: "ANC",
            destination: "LAX",
        };
        assert_eq!(run.rows(|out| out), [want]);
    }

    #[test]
    fn dates_are_counted_from_1970() {
        for (text, seconds) in [
            ("1970/01/01 00:00", 0),
            ("1969/12/31 23:59", -60),
            ("2000/02/29 12:30", 951_827_400),
            ("2100/03/01 00:00", 4_107_542_400),
            ("0001/01/01 00:00", -62_135_596_800),
        ] {
            assert_eq!(
                date(text).expect(text),
                Timestamp(seconds * 1_000_000),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_flight_fails_with_the_reason() {
        let good = line("2001/01/01 00:01", "-13", "ANC");
        let mut more = good.clone();
        more.push(' ');
        for (line, reason) in [
            (String::new(), r#"expected {"date":", not """#),
            (good[..38].to_string(), r#"expected ,"distance":, not """#),
            (more, r#"" " follows the flight"#),
            (
                line("2001/02/29 00:01", "0", "ANC"),
                "there is no 2001/02/29 00:01",
            ),
            (
                line("2001/01/01 24:00", "0", "ANC"),
                "there is no 2001/01/01 24:00",
            ),
            (
                line("2001-01-01 00:01", "0", "ANC"),
                r#""2001-01-01 00:01" is no date like 2001/01/31 23:59"#,
            ),
            (
                line("2001/01/01 00:01", "1.5", "ANC"),
                r#""1.5" is no whole number of 64 bits"#,
            ),
            (
                line("2001/01/01 00:01", "9223372036854775808", "ANC"),
                r#""9223372036854775808" is no whole number of 64 bits"#,
            ),
            (
                line("2001/01/01 00:01", "0", "anc"),
                r#""anc" is no airport"#,
            ),
        ] {
            assert_eq!(run(&[line]).failures(), [(0, reason.to_string())]);
        }
    }
}
