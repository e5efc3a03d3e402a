//! Reading a request body, before the service model is asked, and showing values in messages.

use serde_json::{Map, Value};

use crate::error::ApiError;

/// Characters of a value that a message repeats.
const SHOWN_CHARS_MAX: usize = 64;

/// Tags on one resource.
pub const TAGS_MAX: usize = 50;

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

/// A value as messages repeat it: quoted when it is a string, cut when it is long.
pub fn shown(value: &str) -> String {
    if value.chars().count() <= SHOWN_CHARS_MAX {
        return value.to_owned();
    }
    let cut: String = value.chars().take(SHOWN_CHARS_MAX).collect();
    format!("{cut}...")
}

/// What a value is, for messages.
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
