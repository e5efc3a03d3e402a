//! Public keys: they verify the participant tokens that an application signs itself.

use crate::dto::Summary;
use crate::dto::public_key::{ImportPublicKeyRequest, PublicKeyRecord};
use crate::error::ApiError;
use crate::input::Input;
use crate::ops::{find_named, list_page, shown};
use crate::public_key::P384PublicKey;
use crate::reply::Reply;
use crate::state::Context;
use crate::store::{NewResource, Record, Resource};

const MEMBER: &str = "publicKey";

/// ImportPublicKey. An account has a key once.
pub async fn import(cx: Context<'_>, input: &Input) -> Result<Reply, ApiError> {
    let request: ImportPublicKeyRequest = input.read()?;
    let key = P384PublicKey::read(&request.public_key_material)?;
    let imported = Resource {
        seq: 0,
        arn: cx.new_arn(PublicKeyRecord::KIND),
        parent: None,
        record: PublicKeyRecord {
            name: request.name,
            public_key_material: request.public_key_material,
            fingerprint: key.fingerprint(),
        },
        tags: request.tags,
    };
    let new = NewResource::of(&imported);
    cx.store()
        .insert_distinct(cx.account(), new, &key.to_pem())
        .await?;
    Reply::one(MEMBER, &shown(imported))
}

/// GetPublicKey.
pub async fn get(cx: Context<'_>, input: &Input) -> Result<Reply, ApiError> {
    let found = find_named::<PublicKeyRecord>(cx, input, "arn").await?;
    Reply::one(MEMBER, &shown(found))
}

/// ListPublicKeys.
pub async fn list(cx: Context<'_>, input: &Input) -> Result<Reply, ApiError> {
    let (found, next_token) = list_page::<PublicKeyRecord>(cx, input, 50).await?;
    let summary = |found: Resource<PublicKeyRecord>| Summary {
        arn: found.arn,
        name: found.record.name,
        tags: found.tags,
    };
    let found: Vec<Summary> = found.into_iter().map(summary).collect();
    Reply::page("publicKeys", &found, next_token)
}
