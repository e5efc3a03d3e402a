//! Playback restriction policies.

use serde::Deserialize;

use crate::dto::Tags;
use crate::dto::playback_restriction_policy::PlaybackRestrictionPolicyRecord;
use crate::error::ApiError;
use crate::input::Input;
use crate::ops::{find_named, keep, list_page, shown, update_named};
use crate::reply::Reply;
use crate::state::Context;

const MEMBER: &str = "playbackRestrictionPolicy";
/// What a list without `maxResults` holds (IVS).
const PAGE_DEFAULT: u32 = 1;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    name: Option<String>,
    allowed_countries: Option<Vec<String>>,
    allowed_origins: Option<Vec<String>>,
    enable_strict_origin_enforcement: Option<bool>,
    #[serde(default)]
    tags: Tags,
}

/// CreatePlaybackRestrictionPolicy.
pub async fn create(cx: Context<'_>, input: &Input) -> Result<Reply, ApiError> {
    let request: Request = read(cx, input)?;
    let record = PlaybackRestrictionPolicyRecord {
        name: request.name.unwrap_or_default(),
        allowed_countries: request.allowed_countries.unwrap_or_default(),
        allowed_origins: request.allowed_origins.unwrap_or_default(),
        enable_strict_origin_enforcement: request
            .enable_strict_origin_enforcement
            .unwrap_or_default(),
    };
    Reply::one(MEMBER, &keep(cx, record, request.tags).await?)
}

/// GetPlaybackRestrictionPolicy.
pub async fn get(cx: Context<'_>, input: &Input) -> Result<Reply, ApiError> {
    let found = find_named::<PlaybackRestrictionPolicyRecord>(cx, input, "arn").await?;
    Reply::one(MEMBER, &shown(found))
}

/// ListPlaybackRestrictionPolicies.
pub async fn list(cx: Context<'_>, input: &Input) -> Result<Reply, ApiError> {
    let (found, next_token) =
        list_page::<PlaybackRestrictionPolicyRecord>(cx, input, PAGE_DEFAULT).await?;
    let found: Vec<_> = found.into_iter().map(shown).collect();
    Reply::page("playbackRestrictionPolicies", &found, next_token)
}

/// UpdatePlaybackRestrictionPolicy. What the request leaves out stays.
pub async fn update(cx: Context<'_>, input: &Input) -> Result<Reply, ApiError> {
    let request = read(cx, input)?;
    let changed = update_named(cx, input, |record: &mut PlaybackRestrictionPolicyRecord| {
        if let Some(name) = request.name {
            record.name = name;
        }
        if let Some(countries) = request.allowed_countries {
            record.allowed_countries = countries;
        }
        if let Some(origins) = request.allowed_origins {
            record.allowed_origins = origins;
        }
        if let Some(strict) = request.enable_strict_origin_enforcement {
            record.enable_strict_origin_enforcement = strict;
        }
    });
    Reply::one(MEMBER, &shown(changed.await?))
}

fn read(cx: Context<'_>, input: &Input) -> Result<Request, ApiError> {
    let request: Request = input.read()?;
    let countries = request.allowed_countries.as_deref().unwrap_or_default();
    let origins = request.allowed_origins.as_deref().unwrap_or_default();
    let quotas = cx.store().quotas();
    for (member, given, limit) in [
        ("allowedCountries", countries, quotas.countries_per_policy),
        ("allowedOrigins", origins, quotas.origins_per_policy),
    ] {
        if given.len() > usize::try_from(limit).unwrap_or(usize::MAX) {
            return Err(ApiError::validation(format!(
                "`{member}`: {} given, at most {limit} allowed",
                given.len()
            )));
        }
    }
    let letters = |code: &&String| !code.bytes().all(|b| b.is_ascii_alphabetic());
    if let Some((index, code)) = countries.iter().enumerate().find(|(_, code)| letters(code)) {
        return Err(ApiError::validation(format!(
            "`allowedCountries[{index}]`: '{code}' given, must be an ISO 3166-1 alpha-2 code"
        )));
    }
    Ok(request)
}
