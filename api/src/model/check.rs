//! Checking a value against a shape.

use serde_json::{Map, Value};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::error::ApiError;
use crate::model::shape::{Bounds, Member, Pattern, Shape, Shapes};
use crate::validate::{kind_of, shown};

/// The value at `path` without nulls in its structures, if every rule of the shape holds.
pub(super) fn check(
    shapes: &Shapes,
    shape: &str,
    path: &str,
    value: Value,
) -> Result<Value, ApiError> {
    Checker { shapes }.value(shape, path, value)
}

/// Refuses members that the shape does not have. Requests may have them, what people write themselves may not.
pub(super) fn refuse_unknown(
    shapes: &Shapes,
    shape: &str,
    path: &str,
    value: &Value,
) -> Result<(), ApiError> {
    match (shapes.get(shape), value) {
        (Shape::Structure(members), Value::Object(object)) => {
            for (name, value) in object {
                let path = joined(path, name);
                match members.iter().find(|member| member.name == *name) {
                    Some(member) => refuse_unknown(shapes, &member.shape, &path, value)?,
                    None => {
                        let known: Vec<_> = members.iter().map(|m| m.name.as_str()).collect();
                        return Err(unknown_member(&path, value, &known));
                    }
                }
            }
            Ok(())
        }
        (Shape::List { item, .. }, Value::Array(items)) => {
            let mut numbered = items.iter().enumerate();
            numbered.try_for_each(|(i, value)| {
                refuse_unknown(shapes, item, &format!("{path}[{i}]"), value)
            })
        }
        _ => Ok(()),
    }
}

/// Names a member that nobody knows, its value, and those that are known.
pub(crate) fn unknown_member(path: &str, value: &Value, known: &[&str]) -> ApiError {
    ApiError::validation(format!(
        "`{path}`: {} given, no such member; known are {}",
        shown(&value.to_string()),
        known.join(", ")
    ))
}

struct Checker<'a> {
    shapes: &'a Shapes,
}

impl Checker<'_> {
    fn value(&self, shape: &str, path: &str, value: Value) -> Result<Value, ApiError> {
        match self.shapes.get(shape) {
            Shape::Structure(members) => self.structure(members, path, value),
            Shape::List { item, count } => self.list((item, *count), path, value),
            Shape::Map {
                key,
                value: of,
                count,
            } => self.map((key, of, *count), path, value),
            Shape::Text {
                length,
                pattern,
                choices,
            } => text(*length, pattern.as_ref(), choices, path, value),
            Shape::Integer(range) => integer(*range, path, value),
            Shape::Number(range) => number(*range, path, value),
            Shape::Boolean if value.is_boolean() => Ok(value),
            Shape::Boolean => Err(wrong_type(path, &value, "a boolean")),
            Shape::Timestamp => timestamp(path, value),
        }
    }

    fn structure(&self, members: &[Member], path: &str, value: Value) -> Result<Value, ApiError> {
        let mut object = object(path, value)?;
        object.retain(|_, value| !value.is_null());
        for member in members {
            let path = joined(path, &member.name);
            match object.get_mut(&member.name) {
                Some(value) => *value = self.value(&member.shape, &path, value.take())?,
                None if member.required => {
                    return Err(ApiError::validation(format!(
                        "`{path}`: missing, is required"
                    )));
                }
                None => {}
            }
        }
        Ok(Value::Object(object))
    }

    fn list(
        &self,
        (item, count): (&str, Bounds),
        path: &str,
        value: Value,
    ) -> Result<Value, ApiError> {
        let Value::Array(items) = value else {
            return Err(wrong_type(path, &value, "a list"));
        };
        check_count(path, items.len(), count)?;
        let numbered = items.into_iter().enumerate();
        numbered
            .map(|(i, value)| self.value(item, &format!("{path}[{i}]"), value))
            .collect()
    }

    fn map(
        &self,
        (key, of, count): (&str, &str, Bounds),
        path: &str,
        value: Value,
    ) -> Result<Value, ApiError> {
        let entries = object(path, value)?;
        check_count(path, entries.len(), count)?;
        let checked = entries.into_iter().map(|(name, value)| {
            self.value(key, &format!("{path} key"), Value::from(name.as_str()))?;
            let value = self.value(of, &joined(path, &shown(&name)), value)?;
            Ok((name, value))
        });
        checked.collect::<Result<Map<_, _>, _>>().map(Value::Object)
    }
}

fn object(path: &str, value: Value) -> Result<Map<String, Value>, ApiError> {
    match value {
        Value::Object(object) => Ok(object),
        other => Err(wrong_type(path, &other, "an object")),
    }
}

fn text(
    length: Bounds,
    pattern: Option<&Pattern>,
    choices: &[String],
    path: &str,
    value: Value,
) -> Result<Value, ApiError> {
    let Value::String(text) = &value else {
        return Err(wrong_type(path, &value, "a string"));
    };
    let chars = text.chars().count();
    if !length.contain(chars as f64) {
        return Err(ApiError::validation(format!(
            "`{path}`: '{}' given, {chars} characters long, must be {}",
            shown(text),
            interval(length)
        )));
    }
    if let Some(pattern) = pattern
        && !pattern.regex.is_match(text)
    {
        return Err(ApiError::validation(format!(
            "`{path}`: '{}' given, must match {}",
            shown(text),
            pattern.text
        )));
    }
    if !choices.is_empty() && !choices.contains(text) {
        let named: Vec<&str> = choices
            .iter()
            .map(String::as_str)
            .filter(|choice| !choice.is_empty())
            .collect();
        return Err(ApiError::validation(format!(
            "`{path}`: '{}' given, must be one of {}",
            shown(text),
            named.join(", ")
        )));
    }
    // PostgreSQL has no text with it, and nobody means it.
    if text.contains('\0') {
        return Err(ApiError::validation(format!(
            "`{path}`: '{}' given, must not contain U+0000",
            shown(text)
        )));
    }
    Ok(value)
}

fn integer(range: Bounds, path: &str, value: Value) -> Result<Value, ApiError> {
    if !value.is_i64() && !value.is_u64() {
        return Err(wrong_type(path, &value, "an integer"));
    }
    if value.is_i64() {
        return number(range, path, value);
    }
    Err(out_of_range(path, &value, range))
}

fn number(range: Bounds, path: &str, value: Value) -> Result<Value, ApiError> {
    match value.as_f64() {
        Some(n) if range.contain(n) => Ok(value),
        Some(_) => Err(out_of_range(path, &value, range)),
        None => Err(wrong_type(path, &value, "a number")),
    }
}

fn timestamp(path: &str, value: Value) -> Result<Value, ApiError> {
    let Value::String(text) = &value else {
        return Err(wrong_type(path, &value, "a string"));
    };
    match OffsetDateTime::parse(text, &Rfc3339) {
        Ok(_) => Ok(value),
        Err(_) => Err(ApiError::validation(format!(
            "`{path}`: '{}' given, must be a time as in 2026-01-31T12:00:00Z",
            shown(text)
        ))),
    }
}

fn check_count(path: &str, given: usize, allowed: Bounds) -> Result<(), ApiError> {
    if allowed.contain(given as f64) {
        return Ok(());
    }
    let rule = if given as f64 > allowed.max {
        format!("at most {}", allowed.max)
    } else {
        format!("at least {}", allowed.min)
    };
    Err(ApiError::validation(format!(
        "`{path}`: {given} given, {rule} allowed"
    )))
}

fn out_of_range(path: &str, value: &Value, range: Bounds) -> ApiError {
    let rule = interval(range);
    ApiError::validation(format!("`{path}`: {value} given, must be {rule}"))
}

fn interval(bounds: Bounds) -> String {
    match (bounds.min.is_finite(), bounds.max.is_finite()) {
        (true, true) => format!("{} to {}", bounds.min, bounds.max),
        (true, false) => format!("at least {}", bounds.min),
        (false, true) => format!("at most {}", bounds.max),
        (false, false) => format!("{} to {}", i64::MIN, i64::MAX),
    }
}

fn wrong_type(path: &str, value: &Value, wanted: &str) -> ApiError {
    let given = kind_of(value);
    ApiError::validation(format!("`{path}`: {given} given, must be {wanted}"))
}

fn joined(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}
