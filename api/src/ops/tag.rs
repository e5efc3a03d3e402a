//! Tags of any resource. The ARN is in the path, percent-encoded; it is decoded exactly once.

use http::Method;
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::Value;

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
        Verb::List => list(cx, &arn, body).await,
        Verb::Tag => tag(cx, &arn, body).await,
        Verb::Untag => untag(cx, &arn, query).await,
    }
}

/// What the first SDKs sent with the GET of ListTagsForResource; the models of today no longer have it.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PageMembers {
    max_results: Option<Value>,
    next_token: Option<String>,
}

impl PageMembers {
    fn read(body: &[u8]) -> Result<Self, ApiError> {
        Self::deserialize(parse_body(body)?)
            .map_err(|_| ApiError::validation("`nextToken`: must be a string"))
    }

    fn limit(&self) -> Result<usize, ApiError> {
        let Some(given) = &self.max_results else {
            return Ok(TAGS_MAX);
        };
        let number = given.as_u64().and_then(|n| usize::try_from(n).ok());
        number
            .filter(|n| (1..=TAGS_MAX).contains(n))
            .ok_or_else(|| {
                ApiError::validation(format!(
                    "`maxResults`: {given} given, must be 1 to {TAGS_MAX}"
                ))
            })
    }
}

async fn list(cx: Context<'_>, arn: &Arn, body: &[u8]) -> Result<Reply, ApiError> {
    let wanted = PageMembers::read(body)?;
    let limit = wanted.limit()?;
    let text = arn.to_string();
    let scope = [cx.account(), "ListTagsForResource", &text];
    let key = cx.store().page_key();
    let before = match wanted.next_token.as_deref() {
        None | Some("") => 0,
        Some(token) => key.open(&scope, token)?,
    };
    let tags = cx.store().tags(cx.now, cx.account(), arn).await?;
    let tags = tags.ok_or_else(|| ApiError::not_found("the resource", arn))?;
    let (all, before) = (tags.len(), usize::try_from(before).unwrap_or(usize::MAX));
    let page: Tags = tags.into_iter().skip(before).take(limit).collect();
    let end = before.saturating_add(page.len());
    let next_token = (end < all).then(|| key.seal(&scope, i64::try_from(end).unwrap_or(i64::MAX)));
    Reply::ok(&ListTagsForResourceResponse {
        tags: page,
        next_token,
    })
}

async fn tag(cx: Context<'_>, arn: &Arn, body: &[u8]) -> Result<Reply, ApiError> {
    let body = model::check_tag_resource(arn.kind(), parse_body(body)?)?;
    let added = Tags::deserialize(&body["tags"]).map_err(ApiError::internal)?;
    let changed = cx
        .store()
        .change_tags(cx.now, cx.account(), arn, TAGS_MAX, |tags| {
            tags.extend(added)
        });
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
        .change_tags(cx.now, cx.account(), arn, TAGS_MAX, remove)
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
