//! What the channels ask about their viewers, answered from store, quotas and GeoIP database.

mod client_address;
mod geoip;

use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;
use channel::{
    Country, GateError, PlaybackGate, PlaybackKey, RestrictionPolicy, SingleUse, ViewerBreach,
};
use compositor_core::error_chain::error_chain;
use recorder::WallClock;
use serde::Serialize;

use crate::arn::Arn;
use crate::dto::playback_key_pair::PlaybackKeyPairRecord;
use crate::dto::playback_restriction_policy::PlaybackRestrictionPolicyRecord;
use crate::event::{DetailType, NewEvent};
use crate::pagination::PageRequest;
use crate::store::{Store, StoreError, TokenUse};

pub use client_address::{TrustedProxies, tell_client_address};
pub use geoip::{GeoIp, GeoIpError};

/// [`PlaybackGate`] over the store.
#[derive(Clone, Debug)]
pub struct StoreGate {
    /// Keys, policies, revocations, used tokens.
    pub store: Store,
    /// Where clients are, when a database is configured.
    pub geoip: Option<Arc<GeoIp>>,
    /// The time.
    pub clock: WallClock,
}

#[async_trait]
impl PlaybackGate for StoreGate {
    async fn playback_keys(&self, account: &str) -> Result<Vec<PlaybackKey>, GateError> {
        let all = PageRequest {
            after: 0,
            limit: self.store.quotas().playback_key_pairs,
        };
        let keys = self.store.list::<PlaybackKeyPairRecord>(account, all, None);
        let keys = keys.await.map_err(failed)?.items.into_iter();
        Ok(keys
            .map(|key| PlaybackKey {
                pem: key.record.public_key_pem,
            })
            .collect())
    }

    async fn restriction_policy(&self, arn: &str) -> Result<Option<RestrictionPolicy>, GateError> {
        let Some(arn) = Arn::parse(arn) else {
            return Ok(None);
        };
        let found = self.store.find(arn.account(), &arn).await.map_err(failed)?;
        Ok(found.map(|policy| {
            let PlaybackRestrictionPolicyRecord {
                allowed_countries,
                allowed_origins,
                enable_strict_origin_enforcement,
                ..
            } = policy.record;
            RestrictionPolicy {
                allowed_countries,
                allowed_origins,
                strict_origin_enforcement: enable_strict_origin_enforcement,
            }
        }))
    }

    async fn use_once(&self, token: &SingleUse) -> Result<bool, GateError> {
        let SingleUse {
            channel_arn,
            uuid,
            until,
        } = token;
        let now = self.clock.now();
        let used = self.store.use_token_once(now, (channel_arn, uuid), *until);
        match used.await.map_err(failed)? {
            TokenUse::First => Ok(true),
            TokenUse::Again => Ok(false),
            TokenUse::Full => Err(GateError(
                "more single-use tokens were used than are remembered".into(),
            )),
        }
    }

    async fn revoked_up_to(
        &self,
        channel_arn: &str,
        viewer_id: &str,
    ) -> Result<Option<i64>, GateError> {
        let now = self.clock.now();
        let revoked = self.store.revoked_up_to(now, channel_arn, viewer_id);
        revoked.await.map_err(failed)
    }

    fn country_of(&self, client: IpAddr) -> Option<Country> {
        self.geoip.as_ref()?.country_of(client)
    }

    async fn viewers_exceeded(&self, breach: ViewerBreach) {
        let ViewerBreach {
            account,
            limit,
            exceeded_by,
            at,
        } = &breach;
        tracing::warn!(account, limit, "no more viewers: the limit is reached");
        let detail = ViewersBreached {
            limit_name: "Concurrent Viewers",
            limit_value: *limit,
            exceeded_by: *exceeded_by,
            limit_unit: "viewers",
        };
        let event = NewEvent::about_account(account, DetailType::LimitBreach, *at, &detail);
        if let Err(error) = self.store.append_events(&[event]).await {
            tracing::error!(error = %error_chain(&error), "a limit breach is not reported");
        }
    }
}

/// Detail of a Limit Breach.
#[derive(Serialize)]
struct ViewersBreached {
    limit_name: &'static str,
    limit_value: usize,
    exceeded_by: usize,
    limit_unit: &'static str,
}

fn failed(error: StoreError) -> GateError {
    GateError(Box::new(error))
}
