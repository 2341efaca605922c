-- Stages are computed here, in the database, from lifecycles and dates; nothing of it is stored.

-- The stage and its basis for one row's lifecycle. `seen_on` is the day from which a tender or plan grows stale;
-- `by_dates` says that the row may be judged by its dates alone when the source has no word for its status.
CREATE MACRO stage_of(lifecycle, basis, ends_on, seen_on, by_dates, as_of) AS
    CASE
        WHEN lifecycle IN ('cancelled', 'complete', 'terminated') THEN {'stage': 'ended', 'basis': basis}
        WHEN lifecycle = 'suspended' THEN {'stage': 'suspended', 'basis': basis}
        WHEN lifecycle = 'active' AND ends_on < as_of THEN {'stage': 'ended', 'basis': 'dates'}
        WHEN lifecycle = 'active' THEN {'stage': 'ongoing', 'basis': basis}
        WHEN lifecycle = 'tender' AND date_diff('day', seen_on, as_of) > 365 THEN {'stage': 'unknown', 'basis': 'dates'}
        WHEN lifecycle = 'planned' AND date_diff('day', seen_on, as_of) > 730 THEN {'stage': 'unknown', 'basis': 'dates'}
        WHEN lifecycle IN ('tender', 'planned') THEN {'stage': 'in_the_making', 'basis': basis}
        WHEN by_dates AND ends_on < as_of THEN {'stage': 'ended', 'basis': 'dates'}
        WHEN by_dates AND ends_on >= as_of THEN {'stage': 'ongoing', 'basis': 'dates'}
        ELSE {'stage': 'unknown', 'basis': basis}
    END;

-- The most alive stage has the lowest rank.
CREATE MACRO stage_rank(stage) AS
    CASE stage WHEN 'ongoing' THEN 1 WHEN 'suspended' THEN 2 WHEN 'in_the_making' THEN 3 WHEN 'unknown' THEN 4 ELSE 5 END;

-- Whether words read in a text or a document outweigh the portal's status, or speak where it says nothing.
CREATE MACRO text_outweighs(portal, said, said_basis) AS
    portal IN ('active', 'tender', 'unknown') AND said IN ('suspended', 'cancelled', 'terminated')
    AND said_basis IN ('text', 'document');

CREATE MACRO child_stage_at(as_of) AS TABLE
    WITH said AS (
        SELECT
            k.child_id, k.contract_id, k.ends_on, c.updated_on, k.lifecycle_raw,
            k.kind = 'award' AND EXISTS (
                SELECT 1 FROM child AS o
                WHERE o.contract_id = k.contract_id AND o.kind = 'contract' AND o.award_id = k.native_id
            ) OR k.kind = 'lot' AND EXISTS (
                SELECT 1 FROM child AS o
                WHERE o.contract_id = k.contract_id AND o.kind <> 'lot' AND list_contains(o.lots, k.native_id)
            ) OR k.kind = 'lot' AND c.lifecycle IN ('suspended', 'cancelled', 'terminated') AS superseded,
            CASE WHEN text_outweighs(k.lifecycle, a.lifecycle, a.lifecycle_basis)
                 THEN a.lifecycle ELSE k.lifecycle END AS lifecycle,
            CASE WHEN text_outweighs(k.lifecycle, a.lifecycle, a.lifecycle_basis)
                 THEN a.lifecycle_basis ELSE k.lifecycle_basis END AS basis
        FROM child AS k
        JOIN contract AS c ON c.contract_id = k.contract_id
        LEFT JOIN assessment AS a ON a.contract_id = k.contract_id
    ),
    judged AS (
        SELECT *, stage_of(lifecycle, basis, ends_on, updated_on, lifecycle_raw IS NULL, CAST(as_of AS DATE)) AS s
        FROM said
    )
    SELECT child_id, contract_id, superseded, lifecycle, s.stage AS stage, s.basis AS stage_basis FROM judged;

CREATE MACRO contract_stage_at(as_of) AS TABLE
    WITH alive AS (
        SELECT contract_id, lifecycle, stage, stage_basis
        FROM child_stage_at(as_of)
        WHERE NOT superseded
        QUALIFY row_number() OVER (PARTITION BY contract_id ORDER BY stage_rank(stage), stage_basis, child_id) = 1
    ),
    said AS (
        SELECT
            c.contract_id, c.ends_on, coalesce(c.tender_ends_on, c.updated_on) AS seen_on,
            CASE WHEN text_outweighs(c.lifecycle, a.lifecycle, a.lifecycle_basis)
                 THEN a.lifecycle ELSE c.lifecycle END AS lifecycle,
            CASE WHEN text_outweighs(c.lifecycle, a.lifecycle, a.lifecycle_basis)
                 THEN a.lifecycle_basis ELSE c.lifecycle_basis END AS basis
        FROM contract AS c
        LEFT JOIN assessment AS a ON a.contract_id = c.contract_id
    ),
    own AS (
        SELECT contract_id, lifecycle, stage_of(lifecycle, basis, ends_on, seen_on, false, CAST(as_of AS DATE)) AS s
        FROM said
    )
    SELECT
        own.contract_id, coalesce(alive.stage, own.s.stage) AS stage,
        coalesce(alive.stage_basis, own.s.basis) AS stage_basis, coalesce(alive.lifecycle, own.lifecycle) AS lifecycle
    FROM own
    LEFT JOIN alive ON alive.contract_id = own.contract_id;

CREATE VIEW contract_stage AS
    SELECT contract_id, stage, stage_basis FROM contract_stage_at(current_date);

-- A name as an output may show it.
CREATE MACRO shown_name(name, natural_person) AS
    CASE WHEN natural_person THEN '[natural person]' ELSE coalesce(name, '[not named]') END;

CREATE VIEW supplier_contract AS
    WITH naming AS (
        -- A contract without a value of its own has that of its award, if it is the award's only contract.
        SELECT contract_id, award_id, count(*) AS contracts
        FROM child WHERE kind = 'contract' AND award_id IS NOT NULL GROUP BY ALL
    )
    SELECT
        k.child_id, k.contract_id, c.source_id, k.kind, k.native_id,
        shown_name(p.name, p.natural_person) AS supplier,
        CASE WHEN p.named AND NOT p.natural_person THEN p.vendor_id END AS vendor_id,
        s.lifecycle, s.stage, s.stage_basis, k.signed_on, k.starts_on, k.ends_on,
        CASE WHEN k.value_kind IS NULL THEN w.value_amount ELSE k.value_amount END AS value_amount,
        CASE WHEN k.value_kind IS NULL THEN w.value_currency ELSE k.value_currency END AS value_currency,
        coalesce(k.value_kind, w.value_kind) AS value_kind,
        k.releases AS transactions, a.scope, c.buyer, c.country
    FROM child AS k
    JOIN child_stage_at(current_date) AS s ON s.child_id = k.child_id AND NOT s.superseded
    JOIN contract AS c ON c.contract_id = k.contract_id
    JOIN child_supplier AS ks ON ks.child_id = k.child_id
    JOIN party AS p ON p.contract_id = ks.contract_id AND p.local_id = ks.local_id
    LEFT JOIN assessment AS a ON a.contract_id = k.contract_id
    LEFT JOIN naming AS n
        ON n.contract_id = k.contract_id AND n.award_id = k.award_id AND n.contracts = 1 AND k.kind = 'contract'
    LEFT JOIN child AS w
        ON w.contract_id = n.contract_id AND w.kind = 'award' AND w.native_id = n.award_id;

CREATE VIEW biometric_contract AS
    WITH supplying AS (
        -- Who supplies is said by the awards and contracts; without any by the parties' roles.
        SELECT p.contract_id, p.local_id, p.name, p.natural_person, p.vendor_id, p.named,
               EXISTS (SELECT 1 FROM child_supplier AS ks
                       WHERE ks.contract_id = p.contract_id AND ks.local_id = p.local_id)
               OR (list_contains(p.roles, 'supplier')
                   AND p.contract_id NOT IN (SELECT contract_id FROM child_supplier)) AS supplies,
               list_has_any(p.roles, ['subcontractor', 'manufacturer']) AS takes_part
        FROM party AS p
    ),
    gathered AS (
        SELECT contract_id,
               list(shown_name(name, natural_person) ORDER BY local_id) FILTER (supplies) AS suppliers,
               list(DISTINCT vendor_id ORDER BY vendor_id)
                   FILTER ((supplies OR takes_part) AND named AND NOT natural_person AND vendor_id IS NOT NULL)
                   AS vendor_ids
        FROM supplying GROUP BY contract_id
    )
    SELECT
        c.contract_id, c.source_id, c.native_id, c.country, c.buyer,
        coalesce(g.suppliers, []::VARCHAR[]) AS suppliers, coalesce(g.vendor_ids, []::VARCHAR[]) AS vendor_ids,
        c.title, a.scope, a.technology, a.setting, s.lifecycle, s.stage, s.stage_basis,
        c.value_amount, c.value_currency, c.value_kind, c.published_on,
        a.review IN ('one_reviewer', 'two_reviewers') AS confirmed, a.evidence_id,
        coalesce(sc.cluster_id, c.contract_id) AS cluster_id
    FROM contract AS c
    JOIN assessment AS a ON a.contract_id = c.contract_id
    JOIN contract_stage_at(current_date) AS s ON s.contract_id = c.contract_id
    LEFT JOIN gathered AS g ON g.contract_id = c.contract_id
    LEFT JOIN same_contract AS sc ON sc.contract_id = c.contract_id
    WHERE a.scope IN ('in_scope', 'conditional') AND a.review <> 'retracted';

CREATE VIEW coverage AS
    WITH last_run AS (
        SELECT source_id, ended_at, outcome, reason FROM crawl
        QUALIFY row_number() OVER (PARTITION BY source_id ORDER BY ended_at DESC NULLS LAST, run_id DESC) = 1
    ),
    kept AS (
        SELECT cs.source_id, count(*) FILTER (c.candidacy <> 'probe') AS candidates,
               count(*) FILTER (c.candidacy = 'probe') AS probes
        FROM contract_source AS cs JOIN contract AS c ON c.contract_id = cs.contract_id GROUP BY cs.source_id
    ),
    refused AS (
        SELECT source_id, count(*) AS rejected FROM problem WHERE severity = 'rejected' GROUP BY source_id
    ),
    unread AS (
        SELECT c.source_id, count(*) AS documents
        FROM document AS d JOIN contract AS c ON c.contract_id = d.contract_id
        WHERE d.read_outcome IS DISTINCT FROM 'ok' GROUP BY c.source_id
    )
    SELECT
        s.source_id, s.name, s.countries, coalesce(t.retrieval, s.retrieval) AS retrieval, t.first_day, t.last_day,
        coalesce(t.records, 0) AS records, coalesce(t.contracts, 0) AS contracts,
        coalesce(k.candidates, 0) AS candidates, coalesce(k.probes, 0) AS probes,
        r.ended_at AS last_run_at, r.outcome AS last_outcome, r.reason AS last_reason,
        coalesce(x.rejected, 0) AS rejected, coalesce(u.documents, 0) AS unread_documents
    FROM source AS s
    LEFT JOIN screened_total AS t ON t.source_id = s.source_id
    LEFT JOIN kept AS k ON k.source_id = s.source_id
    LEFT JOIN last_run AS r ON r.source_id = s.source_id
    LEFT JOIN refused AS x ON x.source_id = s.source_id
    LEFT JOIN unread AS u ON u.source_id = s.source_id;
