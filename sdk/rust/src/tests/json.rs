// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

//! As much of JSON as `abi/testdata` uses, and values of columns as they are written there.

use crate::{Decimal, EventTime, List, Row, Timestamp, Value};
use std::iter::Peekable;
use std::str::Chars;

#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

impl Json {
    /// Reads a file of `abi/testdata`.
    pub fn golden(name: &str) -> Json {
        let text = String::from_utf8(golden(name)).expect("JSON is UTF-8");
        parse(&mut text.chars().peekable())
    }

    /// The member of an object, null where it has none of that name.
    pub fn get(&self, name: &str) -> &Json {
        let Json::Object(members) = self else { panic!("{self:?} has no members") };
        members.iter().find(|(key, _)| key == name).map_or(&Json::Null, |(_, value)| value)
    }

    pub fn list(&self) -> &[Json] {
        match self {
            Json::List(items) => items,
            Json::Null => &[],
            other => panic!("{other:?} is no list"),
        }
    }
}

/// The bytes of a file of `abi/testdata`.
pub fn golden(name: &str) -> Vec<u8> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../abi/testdata").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn parse(text: &mut Peekable<Chars>) -> Json {
    skip(text);
    match *text.peek().expect("a value") {
        '{' => Json::Object(items(text, '}', |text| {
            skip(text);
            let key = string(text);
            skip(text);
            assert_eq!(text.next(), Some(':'));
            (key, parse(text))
        })),
        '[' => Json::List(items(text, ']', parse)),
        '"' => Json::Text(string(text)),
        _ => {
            let mut word = String::new();
            while let Some(c) = text.next_if(|c| c.is_ascii_alphanumeric() || "+-.".contains(*c)) {
                word.push(c);
            }
            match word.as_str() {
                "null" => Json::Null,
                "true" => Json::Bool(true),
                "false" => Json::Bool(false),
                number => Json::Number(number.parse().expect("a number")),
            }
        }
    }
}

fn items<T>(text: &mut Peekable<Chars>, close: char, item: impl Fn(&mut Peekable<Chars>) -> T) -> Vec<T> {
    text.next();
    let mut all = Vec::new();
    loop {
        skip(text);
        if text.next_if_eq(&close).is_some() {
            return all;
        }
        if !all.is_empty() {
            assert_eq!(text.next(), Some(','));
        }
        all.push(item(text));
    }
}

fn string(text: &mut Peekable<Chars>) -> String {
    assert_eq!(text.next(), Some('"'));
    let mut out = String::new();
    loop {
        match text.next().expect("the end of a string") {
            '"' => return out,
            '\\' => match text.next().expect("an escape") {
                'u' => {
                    let digits: String = text.take(4).collect();
                    let code = u32::from_str_radix(&digits, 16).expect("four digits");
                    out.push(char::from_u32(code).expect("no surrogates are used"));
                }
                c => out.push(c),
            },
            c => out.push(c),
        }
    }
}

fn skip(text: &mut Peekable<Chars>) {
    while text.next_if(|c| c.is_ascii_whitespace()).is_some() {}
}

/// A value as `abi/testdata/README.md` says that it is written.
pub trait ToJson {
    fn json(&self) -> Json;
}

impl ToJson for bool {
    fn json(&self) -> Json {
        Json::Bool(*self)
    }
}

impl ToJson for i32 {
    fn json(&self) -> Json {
        Json::Number(f64::from(*self))
    }
}

impl ToJson for f64 {
    fn json(&self) -> Json {
        match *self {
            x if x.is_nan() => Json::Text("NaN".into()),
            f64::INFINITY => Json::Text("Infinity".into()),
            f64::NEG_INFINITY => Json::Text("-Infinity".into()),
            x if x == 0.0 && x.is_sign_negative() => Json::Text("-0".into()),
            x => Json::Number(x),
        }
    }
}

macro_rules! digits {
    ($($type:ty: $value:ident => $number:expr),*) => { $(
        impl ToJson for $type {
            fn json(&self) -> Json {
                let $value = self;
                Json::Text($number.to_string())
            }
        }
    )* };
}
digits!(i64: n => n, Timestamp: t => t.0, EventTime: t => t.0, Decimal<2>: d => d.unscaled, &str: s => s, String: s => s);

impl ToJson for &[u8] {
    fn json(&self) -> Json {
        Json::Text(self.iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

impl<T: ToJson> ToJson for Option<T> {
    fn json(&self) -> Json {
        self.as_ref().map_or(Json::Null, ToJson::json)
    }
}

impl<T: ToJson> ToJson for Vec<T> {
    fn json(&self) -> Json {
        Json::List(self.iter().map(ToJson::json).collect())
    }
}

impl<'a, T: Value<Of<'a>: ToJson>> ToJson for List<'a, T> {
    fn json(&self) -> Json {
        Json::List(self.iter().map(|item| item.json()).collect())
    }
}

/// Writes a struct as an object.
macro_rules! object {
    ($row:expr, $($field:ident),*) => {
        crate::tests::json::Json::Object(
            [$((stringify!($field).into(), crate::tests::json::ToJson::json(&$row.$field))),*].into()
        )
    };
}
pub(crate) use object;

/// Compares rows with those of a golden file.
pub fn assert_rows<R: Row>(rows: &[R], write: impl Fn(&R) -> Json, golden: &Json) {
    let rows: Vec<Json> = rows.iter().map(write).collect();
    assert_eq!(rows, golden.get("rows").list());
}
