//! Playback key pairs: the public keys that verify playback tokens.

use serde::Deserialize;

use crate::dto::Tags;
use crate::dto::playback_key_pair::{PlaybackKeyPair, PlaybackKeyPairRecord};
use crate::error::ApiError;
use crate::input::Input;
use crate::ops::{find_named, list_page};
use crate::public_key::P384PublicKey;
use crate::reply::Reply;
use crate::state::Context;
use crate::store::{NewResource, Record, Resource};

const MEMBER: &str = "keyPair";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ImportRequest {
    public_key_material: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    tags: Tags,
}

/// ImportPlaybackKeyPair. An account has a key once.
pub async fn import(cx: Context<'_>, input: &Input) -> Result<Reply, ApiError> {
    let request: ImportRequest = input.read()?;
    let key = P384PublicKey::read(&request.public_key_material)?;
    let imported = Resource {
        seq: 0,
        arn: cx.new_arn(PlaybackKeyPairRecord::KIND),
        parent: None,
        record: PlaybackKeyPairRecord {
            name: request.name,
            public_key_pem: key.to_pem(),
            fingerprint: key.fingerprint(),
        },
        tags: request.tags,
    };
    let new = NewResource::of(&imported);
    cx.store()
        .insert_distinct(cx.account(), new, &imported.record.fingerprint)
        .await?;
    Reply::one(MEMBER, &render(imported))
}

/// GetPlaybackKeyPair.
pub async fn get(cx: Context<'_>, input: &Input) -> Result<Reply, ApiError> {
    let found = find_named(cx, input, "arn").await?;
    Reply::one(MEMBER, &render(found))
}

/// ListPlaybackKeyPairs.
pub async fn list(cx: Context<'_>, input: &Input) -> Result<Reply, ApiError> {
    let default = cx.store().quotas().playback_key_pairs;
    let (found, next_token) = list_page(cx, input, default).await?;
    let summary = |found| PlaybackKeyPair {
        fingerprint: None,
        ..render(found)
    };
    let found: Vec<_> = found.into_iter().map(summary).collect();
    Reply::page("keyPairs", &found, next_token)
}

fn render(found: Resource<PlaybackKeyPairRecord>) -> PlaybackKeyPair {
    PlaybackKeyPair {
        arn: found.arn,
        name: found.record.name,
        fingerprint: Some(found.record.fingerprint),
        tags: found.tags,
    }
}
