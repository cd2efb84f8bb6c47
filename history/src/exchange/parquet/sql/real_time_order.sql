-- Records that lie before one that was known to be there, by its acknowledgement or by a poll, before they
-- were sent.
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
),
-- Of several copies the first counts.
firsts AS (
    SELECT topic, partition, record, MIN(log_offset) AS place
    FROM places
    GROUP BY topic, partition, record
),
placed AS (
    SELECT f.topic AS topic, f.partition AS partition, f.record AS record, f.place AS place,
           s.invoked_ns AS invoked_ns, s.completed_ns AS completed_ns, s.outcome AS outcome, s.told AS told
    FROM firsts AS f
    JOIN sends AS s ON f.topic = s.topic AND f.partition = s.partition AND f.record = s.record
),
-- At one moment an invocation comes before a completion: equal times overlap.
moments AS (
    SELECT topic, partition, record, place, invoked_ns AS at_ns, 0 AS known, -1 AS known_place
    FROM placed
    UNION ALL
    SELECT topic, partition, record, place, completed_ns AS at_ns, 1 AS known, place AS known_place
    FROM placed
    WHERE told = 'acked' AND outcome = 'ok'
    UNION ALL
    SELECT p.topic AS topic, p.partition AS partition, p.record AS record, p.place AS place,
           d.returned_ns AS at_ns, 1 AS known, p.place AS known_place
    FROM placed AS p
    JOIN deliveries AS d
        ON p.topic = d.topic AND p.partition = d.partition AND p.place = d.log_offset AND p.record = d.record
    WHERE d.returned_ns >= p.invoked_ns
),
walked AS (
    SELECT topic, partition, record, place, known,
           MAX(known_place) OVER (
               PARTITION BY topic, partition
               ORDER BY at_ns, known ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
           ) AS known_before
    FROM moments
)
SELECT topic, partition, record, place, known_before
FROM walked
WHERE known = 0 AND place < known_before
ORDER BY topic, partition, place, record
