-- canary: 95260fd4-e354-472a-acf6-d44a79896d28
-- Each customer's last change of the batch, unless a later one is known.
MERGE INTO deleted_customers AS d
USING (
    SELECT change:customer_id::VARCHAR AS customer_id, MAX(change:seq::NUMBER(38, 0)) AS seq
    FROM raw_changes
    WHERE change:op::VARCHAR = 'delete'
    GROUP BY 1
) AS s
ON d.customer_id = s.customer_id
WHEN MATCHED AND d.seq < s.seq THEN UPDATE SET d.seq = s.seq
WHEN NOT MATCHED THEN INSERT (customer_id, seq) VALUES (s.customer_id, s.seq);

MERGE INTO customers AS c
USING (
    SELECT
        change:customer_id::VARCHAR AS customer_id,
        change:name::VARCHAR AS name,
        change:email::VARCHAR AS email,
        change:segment::VARCHAR AS segment,
        change:credit_limit::NUMBER(12, 2) AS credit_limit,
        change:changed_at::TIMESTAMP_NTZ AS changed_at,
        change:seq::NUMBER(38, 0) AS seq
    FROM raw_changes
    WHERE change:op::VARCHAR <> 'delete'
    QUALIFY seq = MAX(seq) OVER (PARTITION BY customer_id)
) AS s
ON c.customer_id = s.customer_id
WHEN MATCHED AND c.seq < s.seq THEN UPDATE SET
    c.name = s.name,
    c.email = s.email,
    c.segment = s.segment,
    c.credit_limit = s.credit_limit,
    c.changed_at = s.changed_at,
    c.seq = s.seq
WHEN NOT MATCHED THEN INSERT (customer_id, name, email, segment, credit_limit, changed_at, seq)
    VALUES (s.customer_id, s.name, s.email, s.segment, s.credit_limit, s.changed_at, s.seq);

DELETE FROM customers USING deleted_customers AS d WHERE customers.customer_id = d.customer_id AND customers.seq < d.seq;

MERGE INTO loaded_batches AS l
USING (SELECT $batch AS batch, (SELECT COUNT(*) FROM raw_changes) AS changes) AS s
ON l.batch = s.batch
WHEN MATCHED THEN UPDATE SET l.changes = s.changes
WHEN NOT MATCHED THEN INSERT (batch, changes) VALUES (s.batch, s.changes);
