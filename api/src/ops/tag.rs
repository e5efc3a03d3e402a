//! Tags of any resource. The ARN is in the path, percent-encoded; it is decoded exactly once.

use http::Method;
use percent_encoding::percent_decode_str;
use serde::Deserialize;

use crate::arn::Arn;
use crate::dto::Tags;
use crate::dto::tag::ListTagsForResourceResponse;
use crate::error::ApiError;
use crate::model;
use crate::reply::Reply;
use crate::state::Context;
use crate::validate::{TAGS_MAX, parse_body, shown};

/// The three operations on `/tags/{resourceArn}`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verb {
    /// ListTagsForResource.
    List,
    /// TagResource.
    Tag,
    /// UntagResource.
    Untag,
}

/// Whether the operation of that name is one of the three.
pub fn is_one(operation: &str) -> bool {
    matches!(
        operation,
        "ListTagsForResource" | "TagResource" | "UntagResource"
    )
}

impl Verb {
    /// Which operation a method means.
    pub fn of(method: &Method) -> Option<Self> {
        match *method {
            Method::GET => Some(Self::List),
            Method::POST => Some(Self::Tag),
            Method::DELETE => Some(Self::Untag),
            _ => None,
        }
    }

    fn operation(self) -> &'static str {
        match self {
            Self::List => "ListTagsForResource",
            Self::Tag => "TagResource",
            Self::Untag => "UntagResource",
        }
    }
}

/// Runs one of the three.
pub async fn run(
    cx: Context<'_>,
    verb: Verb,
    encoded_arn: &str,
    query: &str,
    body: &[u8],
) -> Result<Reply, ApiError> {
    let arn = resource_arn(encoded_arn)?;
    cx.admit(verb.operation(), &[&arn.to_string()])?;
    match verb {
        Verb::List => list(cx, &arn).await,
        Verb::Tag => tag(cx, &arn, body).await,
        Verb::Untag => untag(cx, &arn, query).await,
    }
}

async fn list(cx: Context<'_>, arn: &Arn) -> Result<Reply, ApiError> {
    let tags = cx.store().tags(cx.account(), arn).await?;
    let tags = tags.ok_or_else(|| ApiError::not_found("the resource", arn))?;
    Reply::ok(&ListTagsForResourceResponse { tags })
}

async fn tag(cx: Context<'_>, arn: &Arn, body: &[u8]) -> Result<Reply, ApiError> {
    let body = model::check_tag_resource(arn.kind(), parse_body(body)?)?;
    let added = Tags::deserialize(&body["tags"]).map_err(ApiError::internal)?;
    let changed = cx
        .store()
        .change_tags(cx.account(), arn, TAGS_MAX, |tags| tags.extend(added));
    match changed.await? {
        None => Err(ApiError::not_found("the resource", arn)),
        Some(count) if count > TAGS_MAX => Err(ApiError::validation(format!(
            "`tags`: {count} on the resource afterwards, at most {TAGS_MAX} allowed"
        ))),
        Some(_) => Ok(Reply::empty()),
    }
}

async fn untag(cx: Context<'_>, arn: &Arn, query: &str) -> Result<Reply, ApiError> {
    let keys = tag_keys(query)?;
    model::check_tag_keys(arn.kind(), &keys)?;
    let remove = |tags: &mut crate::dto::Tags| tags.retain(|key, _| !keys.contains(key));
    match cx
        .store()
        .change_tags(cx.account(), arn, TAGS_MAX, remove)
        .await?
    {
        None => Err(ApiError::not_found("the resource", arn)),
        Some(_) => Ok(Reply::empty()),
    }
}

fn resource_arn(encoded: &str) -> Result<Arn, ApiError> {
    let decoded = percent_decode_str(encoded).decode_utf8_lossy();
    model::check_resource_arn(&decoded)?;
    Arn::parse(&decoded).ok_or_else(|| {
        ApiError::validation(format!(
            "`resourceArn`: '{}' given, must be arn:aws:ivs:<region>:<account>:<type>/<id>",
            shown(&decoded)
        ))
    })
}

fn tag_keys(query: &str) -> Result<Vec<String>, ApiError> {
    let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let keys: Vec<String> = query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .filter(|(name, _)| decode(name) == "tagKeys")
        .map(|(_, value)| decode(value))
        .collect();
    if keys.is_empty() {
        return Err(ApiError::validation("`tagKeys`: missing, is required"));
    }
    Ok(keys)
}
