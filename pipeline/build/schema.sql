-- Tables of unveil.duckdb, parents before children. What each column means stands in comments.sql.

CREATE TABLE meta (key VARCHAR PRIMARY KEY, value VARCHAR NOT NULL);

CREATE TABLE source (
    source_id VARCHAR PRIMARY KEY, name VARCHAR NOT NULL, publisher VARCHAR, countries VARCHAR[], languages VARCHAR[],
    rank VARCHAR, retrieval VARCHAR, licence VARCHAR, documentation VARCHAR
);

CREATE TABLE crawl (
    run_id VARCHAR NOT NULL, source_id VARCHAR NOT NULL REFERENCES source (source_id), kind VARCHAR, retrieval VARCHAR,
    started_at TIMESTAMPTZ, ended_at TIMESTAMPTZ, since TIMESTAMPTZ, until TIMESTAMPTZ, outcome VARCHAR,
    reason VARCHAR, requests BIGINT, responses BIGINT, expected BIGINT, records BIGINT, parsed BIGINT,
    rejected BIGINT, repeated BIGINT, documents_expected BIGINT, documents_received BIGINT,
    -- Runs are named within their source, so two sources may share a run's name.
    PRIMARY KEY (source_id, run_id)
);

CREATE TABLE query (
    source_id VARCHAR NOT NULL REFERENCES source (source_id), run_id VARCHAR NOT NULL, query_id VARCHAR NOT NULL,
    term VARCHAR NOT NULL, since TIMESTAMPTZ NOT NULL, until TIMESTAMPTZ NOT NULL, outcome VARCHAR NOT NULL,
    expected BIGINT, received BIGINT NOT NULL, detail VARCHAR,
    PRIMARY KEY (source_id, run_id, query_id)
);

CREATE TABLE problem (
    problem_id VARCHAR PRIMARY KEY, source_id VARCHAR NOT NULL REFERENCES source (source_id), run_id VARCHAR,
    kind VARCHAR, severity VARCHAR, detail VARCHAR, payload_sha256 VARCHAR, pointer VARCHAR, raw VARCHAR
);

CREATE TABLE screened (
    source VARCHAR NOT NULL REFERENCES source (source_id), retrieval VARCHAR, day DATE, records BIGINT NOT NULL,
    contracts BIGINT NOT NULL, candidates BIGINT NOT NULL, probes BIGINT NOT NULL
);

CREATE TABLE screened_total (
    source_id VARCHAR NOT NULL REFERENCES source (source_id), retrieval VARCHAR NOT NULL, first_day DATE,
    last_day DATE, records BIGINT NOT NULL, contracts BIGINT NOT NULL,
    PRIMARY KEY (source_id, retrieval)
);

CREATE TABLE vendor (
    vendor_id VARCHAR PRIMARY KEY, name VARCHAR NOT NULL, country VARCHAR, country_source VARCHAR,
    ambiguous BOOLEAN NOT NULL, roles VARCHAR[], sole_purpose VARCHAR, sole_purpose_source VARCHAR,
    fictional BOOLEAN NOT NULL
);

CREATE TABLE vendor_name (
    vendor_id VARCHAR NOT NULL REFERENCES vendor (vendor_id), name VARCHAR NOT NULL, kind VARCHAR NOT NULL,
    technology VARCHAR, ambiguous BOOLEAN NOT NULL, source VARCHAR
);

CREATE TABLE vendor_identifier (
    vendor_id VARCHAR NOT NULL REFERENCES vendor (vendor_id), scheme VARCHAR NOT NULL, id VARCHAR NOT NULL,
    source VARCHAR
);

CREATE TABLE ownership (
    vendor_id VARCHAR NOT NULL REFERENCES vendor (vendor_id), parent_id VARCHAR NOT NULL REFERENCES vendor (vendor_id),
    since VARCHAR, until VARCHAR, source VARCHAR
);

CREATE TABLE evidence (
    evidence_id VARCHAR PRIMARY KEY, payload_sha256 VARCHAR NOT NULL, pointer VARCHAR NOT NULL, url VARCHAR,
    fetched_at TIMESTAMPTZ, warc_file VARCHAR, warc_offset BIGINT, source_id VARCHAR, quote VARCHAR
);

CREATE TABLE contract (
    contract_id VARCHAR PRIMARY KEY, source_id VARCHAR NOT NULL REFERENCES source (source_id), native_id VARCHAR,
    title VARCHAR, language VARCHAR, country VARCHAR, buyer VARCHAR, procurement_method VARCHAR,
    classifications VARCHAR[], lifecycle VARCHAR NOT NULL, lifecycle_raw VARCHAR, lifecycle_basis VARCHAR NOT NULL,
    tender_ends_on DATE, starts_on DATE, ends_on DATE, value_amount DECIMAL(38, 4), value_currency VARCHAR,
    value_kind VARCHAR, published_on DATE, updated_on DATE, candidacy VARCHAR NOT NULL, releases INTEGER NOT NULL,
    evidence_id VARCHAR NOT NULL REFERENCES evidence (evidence_id)
);

CREATE TABLE contract_source (
    contract_id VARCHAR NOT NULL REFERENCES contract (contract_id),
    source_id VARCHAR NOT NULL REFERENCES source (source_id),
    evidence_id VARCHAR NOT NULL REFERENCES evidence (evidence_id), releases INTEGER NOT NULL,
    PRIMARY KEY (contract_id, source_id)
);

CREATE TABLE contract_identifier (
    contract_id VARCHAR NOT NULL REFERENCES contract (contract_id), scheme VARCHAR NOT NULL, id VARCHAR NOT NULL,
    PRIMARY KEY (contract_id, scheme, id)
);

CREATE TABLE same_contract (
    contract_id VARCHAR PRIMARY KEY REFERENCES contract (contract_id), cluster_id VARCHAR NOT NULL,
    contracts INTEGER NOT NULL, shared VARCHAR[] NOT NULL
);

CREATE TABLE release (
    release_id VARCHAR PRIMARY KEY, contract_id VARCHAR NOT NULL REFERENCES contract (contract_id),
    source_id VARCHAR NOT NULL REFERENCES source (source_id), portal_release_id VARCHAR, published_at TIMESTAMPTZ,
    published_raw VARCHAR, tags VARCHAR[], title VARCHAR,
    evidence_id VARCHAR NOT NULL REFERENCES evidence (evidence_id), value_amount DECIMAL(38, 4),
    value_currency VARCHAR, value_kind VARCHAR
);

CREATE TABLE child (
    child_id VARCHAR PRIMARY KEY, contract_id VARCHAR NOT NULL REFERENCES contract (contract_id), kind VARCHAR NOT NULL,
    native_id VARCHAR NOT NULL, award_id VARCHAR, title VARCHAR, lots VARCHAR[] NOT NULL DEFAULT [], lifecycle VARCHAR NOT NULL,
    lifecycle_raw VARCHAR, lifecycle_basis VARCHAR NOT NULL, signed_on DATE, starts_on DATE, ends_on DATE,
    value_amount DECIMAL(38, 4), value_currency VARCHAR, value_kind VARCHAR, releases INTEGER NOT NULL
);

CREATE TABLE party (
    contract_id VARCHAR NOT NULL REFERENCES contract (contract_id), local_id VARCHAR NOT NULL, name VARCHAR,
    roles VARCHAR[], country VARCHAR, identifiers VARCHAR[], natural_person BOOLEAN NOT NULL,
    vendor_id VARCHAR REFERENCES vendor (vendor_id), match_score DOUBLE, match_method VARCHAR, match_why VARCHAR,
    named BOOLEAN NOT NULL, named_why VARCHAR,
    PRIMARY KEY (contract_id, local_id)
);

CREATE TABLE child_supplier (
    child_id VARCHAR NOT NULL REFERENCES child (child_id), contract_id VARCHAR NOT NULL, local_id VARCHAR NOT NULL,
    PRIMARY KEY (child_id, local_id),
    FOREIGN KEY (contract_id, local_id) REFERENCES party (contract_id, local_id)
);

CREATE TABLE document (
    document_id VARCHAR PRIMARY KEY, contract_id VARCHAR NOT NULL REFERENCES contract (contract_id), url VARCHAR,
    title VARCHAR, sha256 VARCHAR, outcome VARCHAR, detail VARCHAR, read_outcome VARCHAR, pages INTEGER
);

CREATE TABLE page (
    sha256 VARCHAR NOT NULL, number INTEGER NOT NULL, label VARCHAR, width DOUBLE, height DOUBLE, rotation INTEGER,
    page_class VARCHAR, outcome VARCHAR, text_source VARCHAR, extractor VARCHAR, chars INTEGER,
    PRIMARY KEY (sha256, number)
);

CREATE TABLE mention (
    mention_id VARCHAR PRIMARY KEY, contract_id VARCHAR NOT NULL REFERENCES contract (contract_id), "where" VARCHAR,
    rule_id VARCHAR NOT NULL, concept VARCHAR, technology VARCHAR, polarity VARCHAR NOT NULL, cue VARCHAR,
    gloss VARCHAR, cue_gloss VARCHAR, text VARCHAR, quote VARCHAR, char_start INTEGER, char_end INTEGER, page INTEGER,
    evidence_id VARCHAR NOT NULL REFERENCES evidence (evidence_id)
);

CREATE TABLE assessment (
    contract_id VARCHAR PRIMARY KEY REFERENCES contract (contract_id), scope VARCHAR NOT NULL, technology VARCHAR[],
    function VARCHAR, setting VARCHAR[], clauses VARCHAR[], lifecycle VARCHAR, lifecycle_basis VARCHAR,
    confidence DOUBLE, why VARCHAR, rests_on VARCHAR[], rules_version VARCHAR, registry_version VARCHAR, review VARCHAR NOT NULL,
    evidence_id VARCHAR NOT NULL REFERENCES evidence (evidence_id)
);
