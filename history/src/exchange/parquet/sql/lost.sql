-- Acknowledged records that are not in the log although its end is known: a drain read it to its end
-- (`complete`), or a poll that came back was given a later offset.
WITH ends AS (
    SELECT topic, partition, 1 AS was_read, MAX(log_offset) AS last_offset
    FROM deliveries
    WHERE is_final = 1 AND outcome = 'ok' AND record IS NOT NULL
    GROUP BY topic, partition
),
seen AS (
    SELECT record, 1 AS was_seen
    FROM deliveries
    WHERE is_final = 1 AND outcome = 'ok' AND record IS NOT NULL
    GROUP BY record
),
-- A record that is damaged, or that nobody sent, in its place is a finding of its own.
spoilt AS (
    SELECT topic, partition, log_offset, 1 AS was_spoilt
    FROM deliveries
    WHERE is_final = 1 AND contents IN ('corrupt', 'foreign')
    GROUP BY topic, partition, log_offset
)
SELECT s.topic AS topic, s.partition AS partition, s.record AS record, s.log_offset AS log_offset
FROM sends AS s
JOIN logs AS l ON s.topic = l.topic AND s.partition = l.partition
LEFT JOIN ends AS e ON s.topic = e.topic AND s.partition = e.partition
LEFT JOIN seen AS r ON s.record = r.record
LEFT JOIN spoilt AS d
    ON s.topic = d.topic AND s.partition = d.partition AND s.log_offset = d.log_offset
WHERE s.told = 'acked'
  AND COALESCE(r.was_seen, 0) = 0
  AND COALESCE(d.was_spoilt, 0) = 0
  AND (l.complete = 1
       OR (l.drained = 0 AND COALESCE(e.was_read, 0) = 1 AND s.log_offset <= e.last_offset))
ORDER BY topic, partition, log_offset, record
