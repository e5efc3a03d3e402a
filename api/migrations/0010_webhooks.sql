-- How far each configured webhook has been handed the events of its account.
CREATE TABLE webhook (
    id TEXT NOT NULL PRIMARY KEY,
    account TEXT NOT NULL,
    -- The number of the last event that has become a delivery or was not wanted.
    position BIGINT NOT NULL
);

-- What a webhook has not acknowledged yet.
CREATE TABLE delivery (
    webhook TEXT NOT NULL,
    number BIGINT NOT NULL,
    account TEXT NOT NULL,
    resource TEXT NOT NULL,
    -- When the event happened.
    at BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    -- When to try next; NULL while an earlier event of the resource waits.
    due BIGINT,
    PRIMARY KEY (webhook, number)
);
CREATE INDEX delivery_by_due ON delivery (webhook, due);
CREATE INDEX delivery_by_resource ON delivery (webhook, resource, number);
