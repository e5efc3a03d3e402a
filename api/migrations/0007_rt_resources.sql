-- Connection tokens that RevokeConnectionToken named, as long as one can live.
CREATE TABLE revoked_connection_token (
    account TEXT NOT NULL,
    token_id TEXT NOT NULL,
    forget_at BIGINT NOT NULL,
    PRIMARY KEY (account, token_id)
);

-- Replications that were asked for; `left_at` since the participant stopped publishing in the source.
CREATE TABLE participant_replica (
    -- From the counter of the same name.
    seq BIGINT PRIMARY KEY,
    account TEXT NOT NULL,
    source_stage_id TEXT NOT NULL,
    source_stage_arn TEXT NOT NULL,
    participant TEXT NOT NULL,
    source_session TEXT NOT NULL,
    destination_stage_arn TEXT NOT NULL,
    reconnect_window_micros BIGINT NOT NULL,
    left_at BIGINT,
    UNIQUE (source_stage_arn, participant, destination_stage_arn)
);
CREATE INDEX participant_replica_by_source ON participant_replica (source_stage_id, participant);
CREATE INDEX participant_replica_by_destination ON participant_replica (destination_stage_arn);
