-- What happened on stages: sessions, who was there, and what they did. All three are numbered by the counter "history".
CREATE TABLE stage_session (
    seq BIGINT NOT NULL PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    account TEXT NOT NULL,
    stage_arn TEXT NOT NULL,
    started_at BIGINT NOT NULL,
    ended_at BIGINT,
    -- When it was certainly still open.
    seen_at BIGINT NOT NULL
);
CREATE INDEX stage_session_by_stage ON stage_session (stage_arn, seq);
CREATE INDEX stage_session_by_end ON stage_session (ended_at);

CREATE TABLE participant (
    seq BIGINT NOT NULL PRIMARY KEY,
    session TEXT NOT NULL REFERENCES stage_session (id) ON DELETE CASCADE,
    id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    connected BIGINT NOT NULL,
    publishing BIGINT NOT NULL,
    -- Whether it ever was.
    published BIGINT NOT NULL,
    recording_state TEXT NOT NULL,
    first_joined_at BIGINT NOT NULL,
    -- How many of its events are kept.
    events BIGINT NOT NULL,
    -- Its attributes and what it says of its software.
    about TEXT NOT NULL,
    UNIQUE (session, id)
);
CREATE INDEX participant_by_session ON participant (session, seq);

CREATE TABLE participant_event (
    seq BIGINT NOT NULL PRIMARY KEY,
    session TEXT NOT NULL REFERENCES stage_session (id) ON DELETE CASCADE,
    participant TEXT NOT NULL,
    name TEXT NOT NULL,
    at BIGINT NOT NULL,
    -- Of subscriptions.
    publisher TEXT,
    error_code TEXT
);
CREATE INDEX participant_event_by_participant ON participant_event (session, participant, seq);
