"""kafka-python: admin calls, a group whose members come and go, a transactional copy with aborts.

Prints what it found as one JSON object. Usage: kafka_python.py BOOTSTRAP
"""
import json
import sys
import time

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient, NewTopic
from kafka.errors import TopicAlreadyExistsError
from kafka.structs import OffsetAndMetadata

RECORDS = 3000
BOOTSTRAP = sys.argv[1].split(",")
found = {}
admin = KafkaAdminClient(bootstrap_servers=BOOTSTRAP)


def create():
    topics = [NewTopic(name=name, num_partitions=4, replication_factor=3) for name in ("kp-in", "kp-out")]
    admin.create_topics(topics)
    try:
        admin.create_topics(topics[:1])
        found["created again"] = False
    except TopicAlreadyExistsError:
        found["created again"] = True
    admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, "kp-in")])
    found["described"] = sorted(topic["name"] for topic in admin.describe_topics(["kp-in", "kp-out"]))


def produce():
    producer = KafkaProducer(bootstrap_servers=BOOTSTRAP, acks="all", enable_idempotence=True)
    for number in range(RECORDS):
        producer.send("kp-in", key=str(number).encode(), value=b"value %d" % number)
    producer.flush(30)
    producer.close()


def consumer(group, **more):
    settings = {"auto_offset_reset": "earliest", "enable_auto_commit": False, **more}
    return KafkaConsumer(bootstrap_servers=BOOTSTRAP, group_id=group, **settings)


def until(met, members, seen):
    # Apache Kafka takes up to 34 s with this client too: one thread polls both members in turn.
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        for member in members:
            for records in member.poll(20).values():
                seen.update(record.value for record in records)
        if met():
            return True
    return False


def members():
    seen, group = set(), [consumer("kp-group") for _ in range(2)]
    for member in group:
        member.subscribe(["kp-in"])

    def shared(count):
        shares = [len(member.assignment()) for member in group]
        return sum(shares) == 4 and len(shares) == count and min(shares) >= 1

    found["two members share"] = until(lambda: shared(2) and len(seen) == RECORDS, group, seen)
    found["seen by the group"] = len(seen)
    group.pop().close()
    found["one member has all"] = until(lambda: shared(1), group, seen)
    group[0].commit()
    group[0].close()


def copy():
    reader = consumer("kp-copy", isolation_level="read_committed", max_poll_records=200)
    writer = KafkaProducer(bootstrap_servers=BOOTSTRAP, transactional_id="kp-copier")
    writer.init_transactions()
    reader.subscribe(["kp-in"])
    done, turn, aborts = 0, 0, 0
    deadline = time.monotonic() + 60
    while done < RECORDS and time.monotonic() < deadline:
        polled = reader.poll(500)
        if not polled:
            continue
        turn += 1
        writer.begin_transaction()
        for records in polled.values():
            for record in records:
                writer.send("kp-out", key=record.key, value=b"copy of " + record.value)
        if turn % 3 == 0:
            writer.abort_transaction()
            aborts += 1
            for partition, records in polled.items():
                reader.seek(partition, records[0].offset)
            continue
        offsets = {partition: OffsetAndMetadata(records[-1].offset + 1, "", -1) for partition, records in polled.items()}
        writer.send_offsets_to_transaction(offsets, reader.group_metadata())
        writer.commit_transaction()
        done += sum(len(records) for records in polled.values())
    writer.close()
    reader.close()
    found["aborts"] = aborts > 0
    reader = consumer("kp-read", isolation_level="read_committed")
    reader.assign([TopicPartition("kp-out", partition) for partition in range(4)])
    reader.seek_to_beginning()
    copies = []
    deadline = time.monotonic() + 30
    while len(copies) < RECORDS and time.monotonic() < deadline:
        copies += [record.value for records in reader.poll(500).values() for record in records]
    copies += [record.value for records in reader.poll(500).values() for record in records]
    reader.close()
    found["copies"], found["different copies"] = len(copies), len(set(copies))


for step in (create, produce, members, copy):
    step()
admin.delete_topics(["kp-in", "kp-out"])
print(json.dumps(found))
