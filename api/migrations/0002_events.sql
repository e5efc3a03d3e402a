-- What happened, one row an event, numbered from 1 without gaps for each account. The oldest go when the retention says so.
CREATE TABLE event (
    account TEXT NOT NULL,
    number BIGINT NOT NULL,
    at BIGINT NOT NULL,
    detail_type TEXT NOT NULL,
    -- The resource that it is about; empty when it is about the account.
    resource TEXT NOT NULL,
    -- JSON as it is delivered.
    envelope TEXT NOT NULL,
    PRIMARY KEY (account, number)
);
