CREATE OR REPLACE VIEW bi.quality_scores AS
SELECT
    day,
    table_name,
    source,
    score,
    status,
    completeness,
    accuracy,
    consistency,
    timeliness,
    uniqueness,
    validity,
    row_count,
    reject_count
FROM ops.quality_scores;

COMMENT ON VIEW bi.quality_scores IS
    'One row per UTC day, table and source: how far the data can be relied on, 0 to 100, overall and by dimension. NULL where a dimension does not apply or had nothing to count.';
