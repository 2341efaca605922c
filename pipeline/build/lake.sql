-- What goes from the lake into tables without passing through Python. Contracts are loaded before.

INSERT INTO crawl BY NAME
SELECT run_id, source_id, kind, retrieval, started_at, ended_at, since, until, outcome, reason, requests, responses,
       expected, records, parsed, rejected, repeated, documents_expected, documents_received
FROM memory.lake.crawl
QUALIFY row_number() OVER (PARTITION BY source_id, run_id ORDER BY run_name DESC, ended_at DESC) = 1
ORDER BY source_id, started_at, run_id;

INSERT INTO query BY NAME
SELECT source_id, run_id, query_id, term, since, until, outcome, expected, received, detail
FROM memory.lake.query
QUALIFY row_number() OVER (PARTITION BY source_id, run_id, query_id ORDER BY until DESC) = 1
ORDER BY source_id, run_id, query_id;

-- The same record refused on two nights is one problem; the first run that met it is named.
INSERT INTO problem BY NAME
WITH said AS (
    SELECT source_id, run_id, coalesce(kind, '') AS kind, coalesce(severity, '') AS severity,
           coalesce(detail, '') AS detail, coalesce(payload_sha256, '') AS payload_sha256,
           coalesce(pointer, '') AS pointer, coalesce(raw, '') AS raw
    FROM memory.lake.problem
)
SELECT 'p-' || sha256(concat_ws(chr(31), source_id, kind, severity, detail, payload_sha256, pointer, raw))[1:20]
           AS problem_id,
       source_id, min(run_id) AS run_id, kind, severity, detail, payload_sha256, pointer, raw
FROM said
GROUP BY source_id, kind, severity, detail, payload_sha256, pointer, raw
ORDER BY source_id, problem_id;

-- Every release that passed, once: a page fetched on two nights does not count twice, and what was once before our
-- eyes in full stays so. What the lake keeps whole and `seen` does not list is added, with its card's retrieval.
CREATE TABLE memory.lake.passed AS
SELECT g.source_id, coalesce(g.retrieval, s.retrieval, '') AS retrieval, g.release_id, g.contract_id, g.day
FROM (
    SELECT source_id, min(retrieval) AS retrieval, release_id, contract_id, min(day) AS day
    FROM (
        SELECT source_id, retrieval, release_id, contract_id, published_on AS day FROM memory.lake.seen
        UNION ALL
        SELECT source_id, NULL, release_id, contract_id,
               TRY_CAST(json_extract_string(doc, '$.published_at')[1:10] AS DATE)
        FROM memory.lake.release
    )
    GROUP BY source_id, release_id, contract_id
) AS g
JOIN source AS s USING (source_id);

-- Counted in two steps: grouping spills to disk, counting distinct values does not.
INSERT INTO screened BY NAME
WITH by_contract AS (
    SELECT source_id, retrieval, day, contract_id, count(*) AS records
    FROM memory.lake.passed GROUP BY source_id, retrieval, day, contract_id
)
SELECT b.source_id AS source, b.retrieval, b.day, sum(b.records) AS records, count(*) AS contracts,
       count(*) FILTER (c.candidacy IN ('text', 'vendor')) AS candidates,
       count(*) FILTER (c.candidacy = 'probe') AS probes
FROM by_contract AS b LEFT JOIN contract AS c USING (contract_id)
GROUP BY b.source_id, b.retrieval, b.day
ORDER BY b.source_id, b.retrieval, b.day NULLS FIRST;

INSERT INTO screened_total BY NAME
WITH by_contract AS (
    SELECT source_id, retrieval, contract_id, count(*) AS records, min(day) AS first_day, max(day) AS last_day
    FROM memory.lake.passed GROUP BY source_id, retrieval, contract_id
)
SELECT source_id, retrieval, min(first_day) AS first_day, max(last_day) AS last_day, sum(records) AS records,
       count(*) AS contracts
FROM by_contract GROUP BY source_id, retrieval ORDER BY source_id, retrieval;

-- Of a document read several times the newest extractor's reading counts.
CREATE TABLE memory.lake.reading_kept AS
SELECT sha256, outcome, detail, pages, run_name, lake_source FROM memory.lake.reading
QUALIFY row_number() OVER (PARTITION BY sha256 ORDER BY extractor DESC, run_name DESC, lake_source) = 1;

-- A link followed on several nights is one document; the last night that got its bytes says what came. Some links
-- lead to a mailbox or carry an address; the link then stands without it.
INSERT INTO document BY NAME
SELECT 'd-' || sha256(concat_ws(chr(31), d.contract_id, d.url))[1:20] AS document_id,
       d.contract_id, regexp_replace(d.url, '[\w.+-]+@[\w-]+\.[\w.-]+', '█', 'g') AS url, d.title, d.sha256, d.outcome,
       nullif(concat_ws('; ', nullif(d.detail, ''), nullif(r.detail, '')), '') AS detail,
       r.outcome AS read_outcome, r.pages
FROM (
    SELECT * FROM memory.lake.document
    QUALIFY row_number() OVER (
        PARTITION BY contract_id, url ORDER BY sha256 IS NULL, run_name DESC, lake_source, release_id) = 1
) AS d
LEFT JOIN memory.lake.reading_kept AS r ON r.sha256 = d.sha256
WHERE d.contract_id IN (SELECT contract_id FROM contract)
ORDER BY d.contract_id, d.url;

-- Pages of one reading only: a former extractor may have counted them otherwise.
INSERT INTO page BY NAME
WITH readings AS (
    SELECT p.sha256, p.run_name, p.lake_source
    FROM (SELECT DISTINCT sha256, run_name, lake_source FROM memory.lake.page) AS p
    LEFT JOIN memory.lake.reading_kept AS r USING (sha256)
    QUALIFY row_number() OVER (
        PARTITION BY sha256
        ORDER BY p.run_name IS DISTINCT FROM r.run_name OR p.lake_source IS DISTINCT FROM r.lake_source,
                 p.run_name DESC, p.lake_source) = 1
)
SELECT p.sha256, p.number, p.label, p.width, p.height, p.rotation, p.page_class, p.outcome, p.text_source,
       p.extractor, length(p.text) AS chars
FROM memory.lake.page AS p JOIN readings USING (sha256, run_name, lake_source)
QUALIFY row_number() OVER (PARTITION BY p.sha256, p.number ORDER BY p.label) = 1
ORDER BY p.sha256, p.number;
