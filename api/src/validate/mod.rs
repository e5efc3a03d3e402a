//! Reading a request body member by member. The first member that breaks a rule ends it; the message names the member,
//! the value and the rule. JSON null counts as absent; members that no rule asks for are ignored.

mod text;

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use serde_json::{Map, Value};

use crate::arn::{Arn, ArnKind};
use crate::error::ApiError;
pub use crate::validate::text::{Charset, TextRule};

/// Characters of a value that a message repeats.
const SHOWN_CHARS_MAX: usize = 64;

/// Tags on one resource.
pub const TAGS_MAX: usize = 50;

/// A string with a fixed set of values.
pub trait Choice: Sized + Copy + 'static {
    /// Every value.
    const ALL: &'static [Self];

    /// The value as the API spells it.
    fn as_str(self) -> &'static str;
}

/// The members of one JSON object of the request.
#[derive(Clone, Debug)]
pub struct Members<'a> {
    path: String,
    map: &'a Map<String, Value>,
}

/// Parses a body. Every operation takes an object; an empty body counts as `{}`.
pub fn parse_body(body: &[u8]) -> Result<Value, ApiError> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Value::Object(Map::new()));
    }
    let value: Value = serde_json::from_slice(body)
        .map_err(|error| ApiError::validation(format!("body: not valid JSON: {error}")))?;
    if value.is_object() {
        return Ok(value);
    }
    let given = kind_of(&value);
    Err(ApiError::validation(format!(
        "body: {given} given, must be a JSON object"
    )))
}

impl<'a> Members<'a> {
    /// The members of a whole body.
    pub fn of(body: &'a Value) -> Result<Self, ApiError> {
        Self::at(String::new(), body)
    }

    /// The members of `value`, which stands at `path` in the body.
    pub fn at(path: String, value: &'a Value) -> Result<Self, ApiError> {
        match value {
            Value::Object(map) => Ok(Self { path, map }),
            other => Err(wrong_type(&path, other, "an object")),
        }
    }

    /// A string.
    pub fn text(&self, name: &str, rule: &TextRule) -> Result<Option<String>, ApiError> {
        let Some((path, value)) = self.member(name) else {
            return Ok(None);
        };
        let text = as_text(&path, value)?;
        rule.check(&path, text)?;
        Ok(Some(text.to_owned()))
    }

    /// A whole number.
    pub fn integer(&self, name: &str, range: RangeInclusive<u32>) -> Result<Option<u32>, ApiError> {
        let Some((path, value)) = self.member(name) else {
            return Ok(None);
        };
        if !value.is_i64() && !value.is_u64() {
            return Err(wrong_type(&path, value, "an integer"));
        }
        match value.as_u64().and_then(|n| u32::try_from(n).ok()) {
            Some(n) if range.contains(&n) => Ok(Some(n)),
            _ => Err(out_of_range(&path, value, range.start(), range.end())),
        }
    }

    /// A number.
    pub fn number(&self, name: &str, range: RangeInclusive<f64>) -> Result<Option<f64>, ApiError> {
        let Some((path, value)) = self.member(name) else {
            return Ok(None);
        };
        match value.as_f64() {
            Some(n) if range.contains(&n) => Ok(Some(n)),
            Some(_) => Err(out_of_range(&path, value, range.start(), range.end())),
            None => Err(wrong_type(&path, value, "a number")),
        }
    }

    /// true or false.
    pub fn boolean(&self, name: &str) -> Result<Option<bool>, ApiError> {
        let Some((path, value)) = self.member(name) else {
            return Ok(None);
        };
        let answer = value.as_bool();
        answer
            .map(Some)
            .ok_or_else(|| wrong_type(&path, value, "a boolean"))
    }

    /// One of a fixed set of strings.
    pub fn choice<T: Choice>(&self, name: &str) -> Result<Option<T>, ApiError> {
        match self.member(name) {
            Some((path, value)) => as_choice(&path, value).map(Some),
            None => Ok(None),
        }
    }

    /// Several of a fixed set of strings, at most `max`.
    pub fn choices<T: Choice>(&self, name: &str, max: usize) -> Result<Option<Vec<T>>, ApiError> {
        let Some(items) = self.list(name, 0..=max)? else {
            return Ok(None);
        };
        let chosen: Result<Vec<T>, ApiError> = items
            .into_iter()
            .map(|(path, value)| as_choice(&path, value))
            .collect();
        chosen.map(Some)
    }

    /// The ARN of a resource of one type.
    pub fn arn(&self, name: &str, kind: ArnKind) -> Result<Option<Arn>, ApiError> {
        match self.member(name) {
            Some((path, value)) => as_arn(&path, value, kind).map(Some),
            None => Ok(None),
        }
    }

    /// As [`Self::arn`], where the empty string means none.
    pub fn arn_or_empty(&self, name: &str, kind: ArnKind) -> Result<Option<Arn>, ApiError> {
        match self.member(name) {
            Some((_, Value::String(text))) if text.is_empty() => Ok(None),
            _ => self.arn(name, kind),
        }
    }

    /// A nested object.
    pub fn object(&self, name: &str) -> Result<Option<Self>, ApiError> {
        match self.member(name) {
            Some((path, value)) => Self::at(path, value).map(Some),
            None => Ok(None),
        }
    }

    /// A list, each entry with its path.
    pub fn list(
        &self,
        name: &str,
        count: RangeInclusive<usize>,
    ) -> Result<Option<Vec<(String, &'a Value)>>, ApiError> {
        let Some((path, value)) = self.member(name) else {
            return Ok(None);
        };
        let items = value
            .as_array()
            .ok_or_else(|| wrong_type(&path, value, "a list"))?;
        if !count.contains(&items.len()) {
            return Err(count_error(&path, items.len(), &count));
        }
        let numbered = items.iter().enumerate();
        Ok(Some(
            numbered.map(|(i, v)| (format!("{path}[{i}]"), v)).collect(),
        ))
    }

    /// A map of strings.
    pub fn string_map(&self, name: &str) -> Result<Option<BTreeMap<String, String>>, ApiError> {
        let Some(object) = self.object(name)? else {
            return Ok(None);
        };
        let entries = object.map.iter().map(|(key, value)| {
            let path = format!("{}.{}", object.path, shown(key));
            as_text(&path, value).map(|text| (key.clone(), text.to_owned()))
        });
        entries.collect::<Result<_, _>>().map(Some)
    }

    /// `tags`, by the rules of the service that `kind` belongs to; empty when absent.
    pub fn tags(&self, kind: ArnKind) -> Result<BTreeMap<String, String>, ApiError> {
        let tags = self.string_map("tags")?.unwrap_or_default();
        if tags.len() > TAGS_MAX {
            return Err(count_error("tags", tags.len(), &(0..=TAGS_MAX)));
        }
        let charset = if kind.is_low_latency() {
            Charset::Tag
        } else {
            Charset::Any
        };
        for (key, value) in &tags {
            TextRule {
                min: 1,
                max: 128,
                charset,
            }
            .check("tags key", key)?;
            let path = format!("tags.{}", shown(key));
            TextRule {
                min: 0,
                max: 256,
                charset,
            }
            .check(&path, value)?;
        }
        Ok(tags)
    }

    /// Whether a member is not there, or null.
    pub fn is_absent(&self, name: &str) -> bool {
        self.member(name).is_none()
    }

    /// Names a member of this object in messages.
    pub fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", self.path)
        }
    }

    /// Unwraps a member that must be there.
    pub fn required<T>(&self, name: &str, value: Option<T>) -> Result<T, ApiError> {
        let path = self.path_of(name);
        value.ok_or_else(|| ApiError::validation(format!("`{path}`: missing, is required")))
    }

    fn member(&self, name: &str) -> Option<(String, &'a Value)> {
        let value = self.map.get(name).filter(|value| !value.is_null())?;
        Some((self.path_of(name), value))
    }
}

/// A value as messages repeat it: quoted when it is a string, cut when it is long.
pub fn shown(value: &str) -> String {
    if value.chars().count() <= SHOWN_CHARS_MAX {
        return value.to_owned();
    }
    let cut: String = value.chars().take(SHOWN_CHARS_MAX).collect();
    format!("{cut}...")
}

/// Parses an ARN of one type; `path` names it in the message.
pub fn parse_arn(path: &str, text: &str, kind: ArnKind) -> Result<Arn, ApiError> {
    Arn::parse(text)
        .filter(|arn| arn.kind() == kind)
        .ok_or_else(|| {
            ApiError::validation(format!(
                "`{path}`: '{}' given, must be arn:aws:ivs:<region>:<account>:{}/<id>",
                shown(text),
                kind.as_str()
            ))
        })
}

/// The string at `path`.
pub fn as_text<'a>(path: &str, value: &'a Value) -> Result<&'a str, ApiError> {
    value
        .as_str()
        .ok_or_else(|| wrong_type(path, value, "a string"))
}

/// The ARN at `path`.
pub fn as_arn(path: &str, value: &Value, kind: ArnKind) -> Result<Arn, ApiError> {
    parse_arn(path, as_text(path, value)?, kind)
}

fn as_choice<T: Choice>(path: &str, value: &Value) -> Result<T, ApiError> {
    let text = as_text(path, value)?;
    let found = T::ALL
        .iter()
        .copied()
        .find(|choice| choice.as_str() == text);
    found.ok_or_else(|| {
        let names = T::ALL.iter().map(|choice| choice.as_str());
        let names: Vec<&str> = names.filter(|name| !name.is_empty()).collect();
        ApiError::validation(format!(
            "`{path}`: '{}' given, must be one of {}",
            shown(text),
            names.join(", ")
        ))
    })
}

fn wrong_type(path: &str, value: &Value, wanted: &str) -> ApiError {
    let given = kind_of(value);
    ApiError::validation(format!("`{path}`: {given} given, must be {wanted}"))
}

fn out_of_range(
    path: &str,
    value: &Value,
    min: &impl std::fmt::Display,
    max: &impl std::fmt::Display,
) -> ApiError {
    ApiError::validation(format!("`{path}`: {value} given, must be {min} to {max}"))
}

fn count_error(path: &str, given: usize, allowed: &RangeInclusive<usize>) -> ApiError {
    let (min, max) = (allowed.start(), allowed.end());
    let rule = if given > *max {
        format!("at most {max}")
    } else {
        format!("at least {min}")
    };
    ApiError::validation(format!("`{path}`: {given} given, {rule} allowed"))
}

/// What a JSON value is, in words.
pub fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
