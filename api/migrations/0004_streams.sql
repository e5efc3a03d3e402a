-- The stream sessions of channels. They outlive their channel.
CREATE TABLE stream_session (
    stream_id TEXT NOT NULL PRIMARY KEY,
    account TEXT NOT NULL,
    channel_arn TEXT NOT NULL,
    started_at BIGINT NOT NULL,
    -- Not there while it goes on.
    ended_at BIGINT,
    has_error BIGINT NOT NULL DEFAULT 0,
    -- JSON: the channel and what it referred to when the session began.
    snapshot TEXT NOT NULL,
    -- JSON: what the publisher sends, once it is known.
    ingest TEXT
);
CREATE INDEX stream_session_by_channel ON stream_session (account, channel_arn, started_at);
CREATE INDEX stream_session_by_end ON stream_session (ended_at);

-- The newest events of each session.
CREATE TABLE stream_event (
    stream_id TEXT NOT NULL,
    number BIGINT NOT NULL,
    at BIGINT NOT NULL,
    type TEXT NOT NULL,
    name TEXT NOT NULL,
    code TEXT,
    PRIMARY KEY (stream_id, number)
);
