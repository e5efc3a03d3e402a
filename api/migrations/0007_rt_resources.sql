-- The participants of a stage are its own: self-signed tokens choose their names.
CREATE TABLE stage_token (
    stage_arn TEXT NOT NULL,
    participant TEXT NOT NULL,
    expires_at BIGINT NOT NULL,
    revoked BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (stage_arn, participant)
);
INSERT INTO stage_token (stage_arn, participant, expires_at, revoked)
    SELECT stage_arn, participant, expires_at, revoked FROM participant_token;
DROP TABLE participant_token;
ALTER TABLE stage_token RENAME TO participant_token;
CREATE INDEX participant_token_by_expiry ON participant_token (expires_at);

-- Connection tokens that RevokeConnectionToken named, as long as one can live.
CREATE TABLE revoked_connection_token (
    account TEXT NOT NULL,
    token_id TEXT NOT NULL,
    forget_at BIGINT NOT NULL,
    PRIMARY KEY (account, token_id)
);

-- Replications that were asked for; `left_at` since the participant stopped publishing in the source.
CREATE TABLE participant_replica (
    -- From the counter "replica".
    seq BIGINT NOT NULL PRIMARY KEY,
    account TEXT NOT NULL,
    source_stage_arn TEXT NOT NULL,
    participant TEXT NOT NULL,
    source_session TEXT NOT NULL,
    destination_stage_arn TEXT NOT NULL,
    reconnect_window_seconds BIGINT NOT NULL,
    attributes TEXT NOT NULL,
    left_at BIGINT,
    UNIQUE (source_stage_arn, participant, destination_stage_arn)
);
CREATE INDEX participant_replica_by_destination ON participant_replica (destination_stage_arn);
