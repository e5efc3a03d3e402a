-- Stages, encoder and storage configurations, channels and stream keys. `seq` orders lists and is what page tokens hold.
CREATE TABLE resource (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    arn TEXT NOT NULL UNIQUE,
    account TEXT NOT NULL,
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    -- A stream key's channel.
    parent TEXT,
    -- A stream key's value.
    lookup TEXT UNIQUE,
    record TEXT NOT NULL,
    tags TEXT NOT NULL
);
CREATE INDEX resource_by_kind ON resource (account, kind, seq);
CREATE INDEX resource_by_id ON resource (kind, id);
CREATE INDEX resource_by_parent ON resource (parent);

-- A row goes five minutes after the composition ended; its idempotency token with it. Times are microseconds since 1970.
CREATE TABLE composition (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    arn TEXT NOT NULL UNIQUE,
    account TEXT NOT NULL,
    id TEXT NOT NULL UNIQUE,
    stage_arn TEXT NOT NULL,
    unfinished INTEGER NOT NULL,
    ended_at INTEGER,
    spec TEXT NOT NULL,
    requested TEXT NOT NULL,
    progress TEXT NOT NULL,
    tags TEXT NOT NULL,
    idempotency_token TEXT,
    request_digest TEXT NOT NULL
);
CREATE UNIQUE INDEX composition_by_token ON composition (account, idempotency_token);
CREATE INDEX composition_by_stage ON composition (stage_arn);

-- Which resources a composition holds on to.
CREATE TABLE composition_use (
    composition_arn TEXT NOT NULL REFERENCES composition (arn) ON DELETE CASCADE,
    used_arn TEXT NOT NULL,
    PRIMARY KEY (used_arn, composition_arn)
);
CREATE INDEX composition_use_by_composition ON composition_use (composition_arn);

-- Which participants a stage has given a token to, until it expires. The token itself is not kept.
CREATE TABLE participant_token (
    participant TEXT PRIMARY KEY,
    stage_arn TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    revoked INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX participant_token_by_expiry ON participant_token (expires_at);
CREATE INDEX participant_token_by_stage ON participant_token (stage_arn);

-- Keys that must outlive the process.
CREATE TABLE secret (
    name TEXT PRIMARY KEY,
    value BLOB NOT NULL
);
