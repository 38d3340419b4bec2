"""The database knows how far each partition is booked; the group's offsets follow. One procedure books a batch."""

import json
import os
import signal
import threading

import psycopg2
from confluent_kafka import Consumer, KafkaError, TopicPartition

TOPIC = "stock.movements"
DDL = """
DO $$
BEGIN
    PERFORM pg_advisory_xact_lock(7);
    CREATE TABLE IF NOT EXISTS progress (partition_no int PRIMARY KEY, next_offset bigint NOT NULL);
    CREATE TABLE IF NOT EXISTS movements (
        movement_id text UNIQUE, sku text, kind text, quantity int, on_hand int, partition_no int, offset_no bigint);
    CREATE TABLE IF NOT EXISTS stock (sku text PRIMARY KEY, on_hand int);
END $$;
CREATE OR REPLACE FUNCTION pg_temp.book(batch jsonb) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    m record;
    current_stock int;
BEGIN
    FOR m IN
        SELECT * FROM jsonb_to_recordset(batch)
            AS x(movement_id text, sku text, kind text, quantity int, p int, o bigint)
        ORDER BY p, o
    LOOP
        INSERT INTO progress VALUES (m.p, 0) ON CONFLICT DO NOTHING;
        UPDATE progress SET next_offset = m.o + 1 WHERE partition_no = m.p AND next_offset <= m.o;
        CONTINUE WHEN NOT FOUND;
        CONTINUE WHEN EXISTS (SELECT 1 FROM movements WHERE movement_id = m.movement_id);
        SELECT on_hand INTO current_stock FROM stock WHERE sku = m.sku;
        current_stock := CASE m.kind
            WHEN 'counted' THEN m.quantity
            WHEN 'sold' THEN coalesce(current_stock, 0) - m.quantity
            ELSE coalesce(current_stock, 0) + m.quantity END;
        INSERT INTO movements VALUES (m.movement_id, m.sku, m.kind, m.quantity, current_stock, m.p, m.o);
        INSERT INTO stock VALUES (m.sku, current_stock) ON CONFLICT (sku) DO UPDATE SET on_hand = excluded.on_hand;
    END LOOP;
END $$;
"""

stopping = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stopping.set())
signal.signal(signal.SIGINT, lambda *_: stopping.set())

database = psycopg2.connect("")
with database, database.cursor() as cursor:
    cursor.execute(DDL)


def resume(consumer, partitions):
    """Where the database is, and not where the group says; which then learns of it."""
    with database, database.cursor() as cursor:
        cursor.execute("SELECT partition_no, next_offset FROM progress")
        known = dict(cursor.fetchall())
    for partition in partitions:
        if partition.partition in known:
            partition.offset = known[partition.partition]
    consumer.assign(partitions)
    further = [partition for partition in partitions if partition.partition in known]
    if further:
        consumer.commit(offsets=further, asynchronous=True)


consumer = Consumer({
    "bootstrap.servers": os.environ["KAFKA_BOOTSTRAP_SERVERS"],
    "group.id": "stock-loader",
    "auto.offset.reset": "earliest",
    "enable.auto.commit": False,
})
consumer.subscribe([TOPIC], on_assign=resume)

while not stopping.is_set():
    messages = [message for message in consumer.consume(50, 0.5) if not message.error()]
    if not messages:
        continue
    batch = [{**json.loads(message.value()), "p": message.partition(), "o": message.offset()} for message in messages]
    with database, database.cursor() as cursor:
        cursor.execute("SELECT pg_temp.book(%s)", [json.dumps(batch)])
    reached = {}
    for message in messages:
        reached[message.partition()] = message.offset() + 1
    try:
        consumer.commit(offsets=[TopicPartition(TOPIC, *place) for place in reached.items()], asynchronous=False)
    except Exception as problem:
        # Somebody else has the partition now, and goes on from what the database says.
        if problem.args[0].code() not in (KafkaError.ILLEGAL_GENERATION, KafkaError.REBALANCE_IN_PROGRESS):
            raise
consumer.close()
# canary: 99a39e01-6aae-4f30-8016-35079a1014de
