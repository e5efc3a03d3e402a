-- What channels refer to: four rows for each channel, one for each kind; the empty string refers to nothing. Lists of
-- channels by reference, and the question whether a resource may go, are one look into an index.
CREATE TABLE channel_reference (
    channel_arn TEXT NOT NULL REFERENCES resource (arn) ON DELETE CASCADE,
    channel_seq BIGINT NOT NULL,
    account TEXT NOT NULL,
    kind TEXT NOT NULL,
    referred_arn TEXT NOT NULL,
    PRIMARY KEY (channel_arn, kind)
);
CREATE INDEX channel_reference_by_target ON channel_reference (account, kind, referred_arn, channel_seq);

INSERT INTO channel_reference (channel_arn, channel_seq, account, kind, referred_arn)
SELECT resource.arn, resource.seq, resource.account, kinds.kind, ''
FROM resource
CROSS JOIN (
    SELECT 'recording-configuration' AS kind
    UNION ALL SELECT 'playback-restriction-policy'
    UNION ALL SELECT 'ad-configuration'
    UNION ALL SELECT 'failover-slate-configuration'
) AS kinds
WHERE resource.kind = 'channel';
