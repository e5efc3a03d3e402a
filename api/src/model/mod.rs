//! The service models that the SDKs are made from, and checking a request against them. What a model says of a member
//! (type, presence, length, range, pattern, choices) is checked here for every operation alike; handlers check only what
//! the models cannot say.

mod check;
mod shape;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::Value;

use crate::arn::ArnKind;
use crate::error::ApiError;
pub(crate) use crate::model::check::unknown_member;
use crate::model::check::{check, refuse_unknown};
use crate::model::shape::{Document, Shapes};

static MODELS: LazyLock<Models> = LazyLock::new(|| {
    Models::read([
        include_str!("../../model/ivs.json"),
        include_str!("../../model/ivs-realtime.json"),
    ])
});

/// An operation of one of the two services.
#[derive(Debug)]
pub struct Operation {
    name: String,
    input: String,
    service: usize,
}

/// Both services. Their operations have different names, except the three on tags.
struct Models {
    services: Vec<Shapes>,
    operations: BTreeMap<String, Operation>,
}

impl Models {
    fn read(texts: [&str; 2]) -> Self {
        let mut services = Vec::with_capacity(texts.len());
        let mut operations = BTreeMap::new();
        for (service, text) in texts.into_iter().enumerate() {
            let document: Document = serde_json::from_str(text).expect("the model is well-formed");
            for (name, operation) in document.operations {
                let input = operation.input.shape;
                operations.insert(
                    name.clone(),
                    Operation {
                        name,
                        input,
                        service,
                    },
                );
            }
            services.push(Shapes::compile(document.shapes));
        }
        Self {
            services,
            operations,
        }
    }
}

/// The operation of that name.
pub fn operation(name: &str) -> Option<&'static Operation> {
    MODELS.operations.get(name)
}

/// The names of all operations.
pub fn operation_names() -> impl Iterator<Item = &'static str> {
    MODELS.operations.keys().map(String::as_str)
}

impl Operation {
    /// `CreateStage`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Checks a request and answers it without its nulls, which count as absent. The first member that breaks a rule
    /// ends it: the ValidationException names member, value and rule. Members that the model does not have are kept.
    pub fn check(&self, body: Value) -> Result<Value, ApiError> {
        check(&MODELS.services[self.service], &self.input, "", body)
    }

    /// The resources of the two services that a checked request names.
    pub fn resources<'a>(&self, body: &'a Value) -> Vec<&'a str> {
        MODELS.services[self.service].resources(&self.input, body)
    }
}

/// Checks the ARN that a tag operation has in its path; both services say the same of it.
pub fn check_resource_arn(arn: &str) -> Result<(), ApiError> {
    check(
        &MODELS.services[0],
        "ResourceArn",
        "resourceArn",
        Value::from(arn),
    )
    .map(drop)
}

/// Checks a value that stands elsewhere than in a request against a shape of IVS Real-Time, and answers it without its
/// nulls. Members that the shape does not have are refused.
pub(crate) fn check_realtime(shape: &str, path: &str, value: Value) -> Result<Value, ApiError> {
    let shapes = &MODELS.services[1];
    refuse_unknown(shapes, shape, path, &value)?;
    check(shapes, shape, path, value)
}

/// Checks the body of TagResource for a resource of that kind.
pub fn check_tag_resource(kind: ArnKind, body: Value) -> Result<Value, ApiError> {
    check(service_of(kind), "TagResourceRequest", "", body)
}

/// Checks the keys of UntagResource for a resource of that kind.
pub fn check_tag_keys(kind: ArnKind, keys: &[String]) -> Result<(), ApiError> {
    check(service_of(kind), "TagKeyList", "tagKeys", Value::from(keys)).map(drop)
}

fn service_of(kind: ArnKind) -> &'static Shapes {
    &MODELS.services[usize::from(!kind.is_low_latency())]
}

#[cfg(test)]
mod tests;
