-- Acknowledged records that lie before the one their producer had sent before them: to the same
-- partition, or with the same key (which must not move to another partition either).
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
sent AS (
    SELECT s.topic AS topic, s.partition AS partition, s.record AS record, s.process AS process,
           s.seq AS seq, s.record_key AS record_key, f.place AS place,
           MAX(f.place) OVER (
               PARTITION BY s.topic, s.partition, s.process
               ORDER BY s.seq ROWS BETWEEN 1 PRECEDING AND 1 PRECEDING
           ) AS place_before,
           MAX(f.place) OVER (
               PARTITION BY s.topic, s.process, s.record_key
               ORDER BY s.seq ROWS BETWEEN 1 PRECEDING AND 1 PRECEDING
           ) AS place_before_of_key,
           MAX(s.partition) OVER (
               PARTITION BY s.topic, s.process, s.record_key
               ORDER BY s.seq ROWS BETWEEN 1 PRECEDING AND 1 PRECEDING
           ) AS partition_before_of_key,
           ROW_NUMBER() OVER (PARTITION BY s.topic, s.process, s.record_key ORDER BY s.seq) AS nth_of_key
    FROM sends AS s
    JOIN firsts AS f ON s.topic = f.topic AND s.partition = f.partition AND s.record = f.record
    WHERE s.told = 'acked'
)
SELECT topic, partition, process, record, record_key, place, place_before
FROM sent
WHERE place < place_before
   OR (record_key IS NOT NULL AND nth_of_key > 1
       AND (place < place_before_of_key OR partition <> partition_before_of_key))
ORDER BY topic, partition, process, seq
