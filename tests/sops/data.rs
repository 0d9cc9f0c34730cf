//! Data to compare with: JSON whose maps keep their order.
#![allow(clippy::unwrap_used)]

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use tieline::sops;

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Data {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Str(String),
    List(Vec<Data>),
    Map(Vec<(String, Data)>),
}

impl Data {
    pub(crate) fn of_json(text: &str) -> Self {
        serde_json::from_str(text).unwrap()
    }

    pub(crate) fn of_map(map: &sops::Map) -> Self {
        Self::Map(map.iter().map(|(key, value)| (key.to_owned(), Self::of(value))).collect())
    }

    pub(crate) fn of(value: &sops::Value) -> Self {
        match value {
            sops::Value::Null => Self::Null,
            sops::Value::Bool(bool) => Self::Bool(*bool.expose()),
            sops::Value::Int(int) => Self::Int(*int.expose()),
            sops::Value::Float(float) => Self::Float(*float.expose()),
            sops::Value::Str(text) | sops::Value::Time(text) => Self::Str(text.expose().clone()),
            sops::Value::Bytes(bytes) => Self::Str(String::from_utf8_lossy(bytes.expose()).into_owned()),
            sops::Value::List(list) => Self::List(list.iter().map(Self::of).collect()),
            sops::Value::Map(map) => Self::of_map(map),
        }
    }

    /// Equal, where JSON prints a whole float as an integer.
    pub(crate) fn matches(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Int(a), Self::Float(b)) | (Self::Float(b), Self::Int(a)) => *a as f64 == *b,
            (Self::Float(a), Self::Float(b)) => a == b || a.is_nan() && b.is_nan(),
            (Self::List(a), Self::List(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.matches(b)),
            (Self::Map(a), Self::Map(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|((k, a), (l, b))| k == l && a.matches(b))
            }
            _ => self == other,
        }
    }
}

impl<'de> Deserialize<'de> for Data {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Data;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Data, E> {
        Ok(Data::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Data, E> {
        Ok(Data::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Data, E> {
        Ok(Data::Int(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Data, E> {
        Ok(i64::try_from(value).map_or(Data::Float(value as f64), Data::Int))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Data, E> {
        Ok(Data::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Data, E> {
        Ok(Data::Str(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Data, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = seq.next_element()? {
            list.push(item);
        }
        Ok(Data::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Data, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            map.push(entry);
        }
        Ok(Data::Map(map))
    }
}
