-- Viewers that StartViewerSessionRevocation named: no session of a channel up to this version begins until the row
-- expires. Times are microseconds since 1970.
CREATE TABLE viewer_revocation (
    channel_arn TEXT NOT NULL,
    viewer_id TEXT NOT NULL,
    account TEXT NOT NULL,
    version BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (channel_arn, viewer_id)
);
CREATE INDEX viewer_revocation_by_expiry ON viewer_revocation (account, expires_at);

-- Single-use playback tokens that were used, until they expire by themselves.
CREATE TABLE used_playback_token (
    channel_arn TEXT NOT NULL,
    uuid TEXT NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (channel_arn, uuid)
);
CREATE INDEX used_playback_token_by_expiry ON used_playback_token (expires_at);
