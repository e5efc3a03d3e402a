//! The shapes of a model, ready for checking.

use std::collections::HashMap;

use regex::Regex;
use serde::Deserialize;
use serde_json::Value;

/// Patterns that cannot be meant: the type of `ResourceArn` is a single character in both models.
const UNUSABLE_PATTERNS: [&str; 1] = ["ResourceArn"];

/// What the patterns of ARNs of the two services have in common.
const ARN_PREFIX: &str = "arn:aws:ivs:";

/// A model file.
#[derive(Deserialize)]
pub(super) struct Document {
    pub(super) operations: HashMap<String, OperationDocument>,
    pub(super) shapes: HashMap<String, ShapeDocument>,
}

#[derive(Deserialize)]
pub(super) struct OperationDocument {
    pub(super) input: Reference,
}

#[derive(Deserialize)]
pub(super) struct Reference {
    pub(super) shape: String,
    location: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct ShapeDocument {
    #[serde(rename = "type")]
    kind: String,
    min: Option<f64>,
    max: Option<f64>,
    pattern: Option<String>,
    #[serde(default, rename = "enum")]
    choices: Vec<String>,
    #[serde(default)]
    members: HashMap<String, Reference>,
    #[serde(default)]
    required: Vec<String>,
    member: Option<Reference>,
    key: Option<Reference>,
    value: Option<Reference>,
}

/// All shapes of a service by name.
pub(super) struct Shapes(HashMap<String, Shape>);

/// The rules of a value.
pub(super) enum Shape {
    Structure(Vec<Member>),
    List {
        item: String,
        count: Bounds,
    },
    Map {
        key: String,
        value: String,
        count: Bounds,
    },
    Text {
        length: Bounds,
        pattern: Option<Pattern>,
        choices: Vec<String>,
    },
    Integer(Bounds),
    Number(Bounds),
    Boolean,
    Timestamp,
}

/// One member of a structure that travels in the body.
pub(super) struct Member {
    pub(super) name: String,
    pub(super) shape: String,
    pub(super) required: bool,
}

/// A closed interval.
#[derive(Clone, Copy)]
pub(super) struct Bounds {
    pub(super) min: f64,
    pub(super) max: f64,
}

/// What a whole string must match.
pub(super) struct Pattern {
    pub(super) text: String,
    pub(super) regex: Regex,
}

impl Shapes {
    pub(super) fn compile(documents: HashMap<String, ShapeDocument>) -> Self {
        let shapes = documents.into_iter().map(|(name, document)| {
            let shape = Shape::compile(&name, document);
            (name, shape)
        });
        Self(shapes.collect())
    }

    pub(super) fn get(&self, name: &str) -> &Shape {
        &self.0[name]
    }
}

impl Shapes {
    /// The ARNs of the two services in a value that was checked.
    pub(super) fn resources<'a>(&self, shape: &str, value: &'a Value) -> Vec<&'a str> {
        match (self.get(shape), value) {
            (Shape::Structure(members), Value::Object(object)) => {
                let given = members.iter().filter_map(|member| {
                    let value = object.get(&member.name)?;
                    Some(self.resources(&member.shape, value))
                });
                given.flatten().collect()
            }
            (Shape::List { item, .. }, Value::Array(items)) => items
                .iter()
                .flat_map(|value| self.resources(item, value))
                .collect(),
            (
                Shape::Text {
                    pattern: Some(pattern),
                    ..
                },
                Value::String(text),
            ) if pattern.text.contains(ARN_PREFIX) && !text.is_empty() => {
                vec![text.as_str()]
            }
            _ => Vec::new(),
        }
    }
}

impl Bounds {
    pub(super) fn contain(self, n: f64) -> bool {
        (self.min..=self.max).contains(&n)
    }

    fn of(document: &ShapeDocument, least: f64) -> Self {
        Self {
            min: document.min.unwrap_or(least),
            max: document.max.unwrap_or(f64::INFINITY),
        }
    }
}

impl Shape {
    fn compile(name: &str, document: ShapeDocument) -> Self {
        let count = Bounds::of(&document, 0.0);
        let range = Bounds::of(&document, f64::NEG_INFINITY);
        let named = |reference: Option<Reference>| reference.expect("the model names it").shape;
        match document.kind.as_str() {
            "structure" => Self::Structure(members(document.members, &document.required)),
            "list" => Self::List {
                item: named(document.member),
                count,
            },
            "map" => Self::Map {
                key: named(document.key),
                value: named(document.value),
                count,
            },
            "string" => Self::Text {
                length: count,
                pattern: document
                    .pattern
                    .filter(|_| !UNUSABLE_PATTERNS.contains(&name))
                    .map(Pattern::new),
                choices: document.choices,
            },
            "integer" => Self::Integer(Bounds {
                min: range.min.max(f64::from(i32::MIN)),
                max: range.max.min(f64::from(i32::MAX)),
            }),
            "long" => Self::Integer(range),
            "float" => Self::Number(range),
            "boolean" => Self::Boolean,
            "timestamp" => Self::Timestamp,
            other => panic!("shape {name}: type {other} is not known"),
        }
    }
}

impl Pattern {
    fn new(text: String) -> Self {
        // The services match the whole value.
        let regex = Regex::new(&format!("^(?:{text})$")).expect("patterns of the model compile");
        Self { text, regex }
    }
}

fn members(members: HashMap<String, Reference>, required: &[String]) -> Vec<Member> {
    let in_body = members
        .into_iter()
        .filter(|(_, member)| member.location.is_none());
    let mut members: Vec<Member> = in_body
        .map(|(name, member)| Member {
            required: required.contains(&name),
            shape: member.shape,
            name,
        })
        .collect();
    // Missing members are named first, then in a fixed order.
    members.sort_by(|a, b| b.required.cmp(&a.required).then(a.name.cmp(&b.name)));
    members
}
