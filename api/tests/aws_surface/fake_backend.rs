//! A backend that does what the test says and remembers what it was told.

use std::collections::{BTreeMap, BTreeSet};

use api::backend::{
    Backend, BackendError, BucketLook, CompositionSpec, LiveStream, StartError, StreamHealth,
    TokenRequest,
};
use api::store::Revocation;
use async_trait::async_trait;
use channel::{AdBreakRefusal, AdBreakRequest};
use compositor_core::id::{ChannelId, CompositionId, ParticipantId, SessionId, StageId};
use compositor_core::time::WallTime;
use parking_lot::Mutex;
use recorder::AdBreak;

#[derive(Default)]
pub(crate) struct FakeBackend {
    script: Mutex<Script>,
}

/// What the backend answers, and what it was told.
#[derive(Default)]
pub(crate) struct Script {
    pub(crate) buckets: BTreeSet<String>,
    pub(crate) foreign_buckets: BTreeSet<String>,
    pub(crate) sessions: BTreeMap<String, String>,
    pub(crate) publishing: BTreeSet<(String, String)>,
    pub(crate) connected: BTreeSet<(String, String)>,
    pub(crate) live: BTreeMap<String, StreamHealth>,
    /// Channels with a publisher and nothing to play yet.
    pub(crate) created: BTreeSet<String>,
    pub(crate) ad_break: Option<String>,
    pub(crate) broken: bool,
    pub(crate) minted: Vec<TokenRequest>,
    pub(crate) started: Vec<CompositionSpec>,
    pub(crate) told: Vec<String>,
}

impl FakeBackend {
    pub(crate) fn script<T>(&self, edit: impl FnOnce(&mut Script) -> T) -> T {
        edit(&mut self.script.lock())
    }

    pub(crate) fn told(&self) -> Vec<String> {
        self.script(|script| script.told.clone())
    }

    fn note(&self, what: String) -> Result<(), BackendError> {
        self.script(|script| {
            script.told.push(what);
            if script.broken {
                Err(BackendError::plain("scripted failure"))
            } else {
                Ok(())
            }
        })
    }
}

#[async_trait]
impl Backend for FakeBackend {
    async fn mint_participant_token(&self, request: &TokenRequest) -> Result<String, BackendError> {
        self.script(|script| script.minted.push(request.clone()));
        Ok(format!("token-of-{}", request.participant))
    }

    async fn disconnect_participant(
        &self,
        stage: &StageId,
        participant: &ParticipantId,
        reason: &str,
    ) -> Result<bool, BackendError> {
        self.note(format!("disconnect {stage} {participant} '{reason}'"))?;
        let who = (stage.to_string(), participant.to_string());
        Ok(self.script(|script| script.connected.remove(&who)))
    }

    async fn stage_deleted(&self, stage: &StageId) {
        let _ = self.note(format!("stage deleted {stage}"));
    }

    async fn active_session(&self, stage: &StageId) -> Option<SessionId> {
        self.script(|script| script.sessions.get(stage.as_str()).map(SessionId::new))
    }

    async fn publishing_session(
        &self,
        stage: &StageId,
        participant: &ParticipantId,
    ) -> Option<SessionId> {
        let session = self.active_session(stage).await?;
        let who = (stage.to_string(), participant.to_string());
        self.script(|script| script.publishing.contains(&who).then_some(session))
    }

    async fn look_at_bucket(&self, bucket: &str) -> Result<BucketLook, BackendError> {
        self.note(format!("bucket {bucket}"))?;
        Ok(self.script(|script| {
            if script.foreign_buckets.contains(bucket) {
                BucketLook::Denied
            } else if script.buckets.contains(bucket) {
                BucketLook::There
            } else {
                BucketLook::Missing
            }
        }))
    }

    async fn bucket_writable(&self, bucket: &str) -> Result<bool, BackendError> {
        self.note(format!("write to {bucket}"))?;
        Ok(self.script(|script| script.buckets.contains(bucket)))
    }

    async fn start_composition(&self, spec: &CompositionSpec) -> Result<(), StartError> {
        self.note(format!("start {}", spec.id))?;
        self.script(|script| script.started.push(spec.clone()));
        Ok(())
    }

    async fn stop_composition(&self, composition: &CompositionId) -> Result<(), BackendError> {
        self.note(format!("stop {composition}"))
    }

    async fn stream_of(&self, channel: &ChannelId) -> Option<LiveStream> {
        let live = self.live_streams().await;
        live.into_iter().find(|stream| stream.channel == *channel)
    }

    async fn has_stream_session(&self, channel: &ChannelId) -> bool {
        self.script(|script| {
            let is_created = script.created.contains(channel.as_str());
            is_created || script.live.contains_key(channel.as_str())
        })
    }

    async fn live_streams(&self) -> Vec<LiveStream> {
        let stream = |(channel, health): (&String, &StreamHealth)| LiveStream {
            channel: ChannelId::new(channel),
            stream_id: "st-abcdefghijklmnopqrstuvw".to_owned(),
            started_at: WallTime(1_700_000_000_000_000),
            health: *health,
            viewer_count: 3,
        };
        self.script(|script| script.live.iter().map(stream).collect())
    }

    async fn stop_stream(&self, channel: &ChannelId) -> Result<bool, BackendError> {
        self.note(format!("stop stream {channel}"))?;
        Ok(self.script(|script| script.live.remove(channel.as_str()).is_some()))
    }

    async fn revoke_viewer(&self, revocation: &Revocation<'_>) {
        let Revocation {
            channel,
            viewer_id,
            version,
        } = revocation;
        let _ = self.note(format!("revoke {} {viewer_id} {version}", channel.id()));
    }

    async fn put_metadata(&self, channel: &ChannelId, text: &str) -> bool {
        let _ = self.note(format!("metadata {channel} '{text}'"));
        self.script(|script| script.live.contains_key(channel.as_str()))
    }

    async fn insert_ad_break(
        &self,
        channel: &ChannelId,
        request: AdBreakRequest,
    ) -> Result<AdBreak, AdBreakRefusal> {
        let _ = self.note(format!("ad break {channel} {}", request.id));
        let busy = self.script(|script| script.ad_break.replace(request.id.clone()));
        match busy {
            Some(busy) => Err(AdBreakRefusal::Busy(busy)),
            None => Ok(AdBreak {
                id: request.id,
                start: request.start.unwrap_or(WallTime(1_700_000_000_000_000)),
                planned: request.duration,
                ended: None,
            }),
        }
    }

    async fn channel_deleted(&self, channel: &ChannelId) {
        let _ = self.note(format!("channel deleted {channel}"));
    }
}
