-- One schema for SQLite and PostgreSQL: TEXT, BIGINT, 0 and 1 for booleans, times in microseconds since 1970.

-- The last number of each sequence. A number is taken inside the write transaction that uses it, so none is missing.
CREATE TABLE counter (
    name TEXT PRIMARY KEY,
    value BIGINT NOT NULL
);

-- Everything that is created, read, listed and deleted. `seq` orders lists and is what page tokens hold.
CREATE TABLE resource (
    seq BIGINT NOT NULL PRIMARY KEY,
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
CREATE INDEX resource_by_name ON resource (account, kind, name, seq);
CREATE INDEX resource_by_id ON resource (kind, id);
CREATE INDEX resource_by_parent ON resource (parent, seq);

-- A row goes five minutes after the composition ended; its idempotency token with it.
CREATE TABLE composition (
    seq BIGINT NOT NULL PRIMARY KEY,
    arn TEXT NOT NULL UNIQUE,
    account TEXT NOT NULL,
    id TEXT NOT NULL UNIQUE,
    stage_arn TEXT NOT NULL,
    unfinished BIGINT NOT NULL,
    ended_at BIGINT,
    spec TEXT NOT NULL,
    requested TEXT NOT NULL,
    progress TEXT NOT NULL,
    tags TEXT NOT NULL,
    idempotency_token TEXT,
    request_digest TEXT NOT NULL
);
CREATE UNIQUE INDEX composition_by_token ON composition (account, idempotency_token);
CREATE INDEX composition_by_account ON composition (account, seq);
CREATE INDEX composition_by_stage ON composition (stage_arn);
CREATE INDEX composition_by_end ON composition (ended_at);
CREATE INDEX composition_by_unfinished ON composition (unfinished, seq);

-- Which resources a composition holds on to.
CREATE TABLE composition_use (
    composition_arn TEXT NOT NULL REFERENCES composition (arn) ON DELETE CASCADE,
    used_arn TEXT NOT NULL,
    PRIMARY KEY (used_arn, composition_arn)
);
CREATE INDEX composition_use_by_composition ON composition_use (composition_arn);

-- Which participants a stage has given a token to, until it expires. The token itself is not kept.
CREATE TABLE participant_token (
    stage_arn TEXT NOT NULL,
    -- Unique on the stage only: self-signed tokens choose it.
    participant TEXT NOT NULL,
    expires_at BIGINT NOT NULL,
    revoked BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (stage_arn, participant)
);
CREATE INDEX participant_token_by_expiry ON participant_token (expires_at);

-- Keys that must outlive the process, in hexadecimal.
CREATE TABLE secret (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
);
