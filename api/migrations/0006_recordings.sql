-- Recordings of channels that are not over; `record` is JSON. What a crash leaves here is told and removed at the next start.
CREATE TABLE channel_recording (
    session_id TEXT PRIMARY KEY,
    channel_arn TEXT NOT NULL,
    record TEXT NOT NULL
);
