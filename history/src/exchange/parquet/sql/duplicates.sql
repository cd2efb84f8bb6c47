-- Records that lie at more than one place of the log.
-- What lies where: one record at each offset; two that readers were given there prove nothing here.
WITH polled AS (
    SELECT topic, partition, log_offset, MIN(record) AS holder
    FROM deliveries
    WHERE is_final = 1 AND record IS NOT NULL AND contents = 'intact'
    GROUP BY topic, partition, log_offset
    HAVING MIN(record) = MAX(record)
),
taken AS (
    SELECT topic, partition, log_offset, 1 AS was_taken
    FROM deliveries
    WHERE is_final = 1
    GROUP BY topic, partition, log_offset
),
-- Without a drain an acknowledgement tells too, unless something was polled there.
places AS (
    SELECT topic, partition, log_offset, holder AS record FROM polled
    UNION ALL
    SELECT s.topic AS topic, s.partition AS partition, s.log_offset AS log_offset, s.record AS record
    FROM sends AS s
    JOIN logs AS l ON s.topic = l.topic AND s.partition = l.partition
    LEFT JOIN taken AS t
        ON s.topic = t.topic AND s.partition = t.partition AND s.log_offset = t.log_offset
    WHERE s.told = 'acked' AND s.log_offset IS NOT NULL AND l.drained = 0 AND COALESCE(t.was_taken, 0) = 0
)
SELECT record, COUNT(*) AS copies, MIN(log_offset) AS first_offset, MAX(log_offset) AS last_offset
FROM places
GROUP BY record
HAVING COUNT(*) > 1
ORDER BY record
