//! The body of a request that keeps every rule of the service model.

use serde::Deserialize;
use serde_json::Value;

use crate::arn::Arn;
use crate::error::ApiError;
use crate::model::Operation;
use crate::validate::parse_body;

/// What an operation was asked.
#[derive(Debug)]
pub struct Input {
    operation: &'static Operation,
    body: Value,
}

impl Input {
    /// Parses a body and checks it against the operation's model.
    pub fn parse(operation: &'static Operation, body: &[u8]) -> Result<Self, ApiError> {
        let body = operation.check(parse_body(body)?)?;
        Ok(Self { operation, body })
    }

    /// The resources that it names.
    pub fn resources(&self) -> Vec<&str> {
        self.operation.resources(&self.body)
    }

    /// The operation's name.
    pub fn operation(&self) -> &'static str {
        self.operation.name()
    }

    /// The request as a type of its own. The model was checked, so only what the type demands beyond it can fail.
    pub fn read<T: for<'a> Deserialize<'a>>(&self) -> Result<T, ApiError> {
        T::deserialize(&self.body).map_err(|error| ApiError::validation(error.to_string()))
    }

    /// The ARN that stands in the member `name`, which the model requires.
    pub fn arn(&self, name: &str) -> Result<Arn, ApiError> {
        Arn::deserialize(&self.body[name])
            .map_err(|error| ApiError::validation(format!("`{name}`: {error}")))
    }
}
