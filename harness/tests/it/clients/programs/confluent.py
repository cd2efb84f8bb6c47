"""confluent-kafka (librdkafka): admin calls, a group that grows and shrinks, a transactional copy with aborts.

Prints what it found as one JSON object. Usage: confluent.py BOOTSTRAP
"""
import json
import sys
import time

from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, NewPartitions, NewTopic, OffsetSpec

RECORDS = 3000
BOOTSTRAP = sys.argv[1]
GROUP = sys.argv[2] if len(sys.argv) > 2 else "classic"
found = {}
admin = AdminClient({"bootstrap.servers": BOOTSTRAP})


def results(futures):
    return [future.result(30) for future in futures.values()]


def create():
    topics = [NewTopic(name, 3, 3, config={"min.insync.replicas": "2"}) for name in ("py-in", "py-out")]
    results(admin.create_topics(topics))
    results(admin.create_partitions([NewPartitions("py-in", 4)]))
    try:
        results(admin.create_topics(topics[:1]))
    except KafkaException as error:
        found["created again"] = error.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS
    described = results(admin.describe_configs([ConfigResource(ConfigResource.Type.TOPIC, "py-in")]))
    found["min.insync.replicas"] = described[0]["min.insync.replicas"].value
    found["nodes"] = len(admin.describe_cluster().result(30).nodes)


def produce():
    producer = Producer({"bootstrap.servers": BOOTSTRAP, "enable.idempotence": True, "compression.type": "lz4"})
    # A new partition is known to every broker a moment later.
    deadline = time.monotonic() + 10
    while len(producer.list_topics("py-in").topics["py-in"].partitions) < 4 and time.monotonic() < deadline:
        pass
    for number in range(RECORDS):
        producer.produce("py-in", key=str(number), value=f"value {number}", partition=number % 4)
        producer.poll(0)
    found["left in the queue"] = producer.flush(30)
    asked = {TopicPartition("py-in", partition): OffsetSpec.latest() for partition in range(4)}
    found["end offsets"] = sum(result.offset for result in results(admin.list_offsets(asked)))


def consumer(name, **more):
    settings = {"bootstrap.servers": BOOTSTRAP, "group.id": "py-group", "auto.offset.reset": "earliest",
                "client.id": name, "enable.auto.commit": False, **more}
    if GROUP == "consumer":
        settings["group.protocol"] = "consumer"
    else:
        settings["partition.assignment.strategy"] = "cooperative-sticky"
    return Consumer(settings)


def until(met, members, seen):
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        for member in members:
            for message in member.consume(500, 0.02):
                if message.error() is None:
                    seen.add(message.value())
        if met():
            return True
    return False


def members():
    seen, group = set(), [consumer(f"member-{number}") for number in range(3)]
    for member in group:
        member.subscribe(["py-in"])

    def shared(count):
        shares = [len(member.assignment()) for member in group]
        return sum(shares) == 4 and len(shares) == count and min(shares) >= 1

    found["three members share"] = until(lambda: shared(3) and len(seen) == RECORDS, group, seen)
    found["seen by the group"] = len(seen)
    described = results(admin.describe_consumer_groups(["py-group"]))[0]
    found["described members"] = len(described.members)
    group.pop(0).close()
    found["two members share"] = until(lambda: shared(2), group, seen)
    for member in group:
        member.commit(asynchronous=False)
        member.close()
    committed = results(admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions("py-group")]))[0]
    


def copy():
    reader = consumer("copier", **{"group.id": "py-copy", "isolation.level": "read_committed"})
    writer = Producer({"bootstrap.servers": BOOTSTRAP, "transactional.id": "py-copier"})
    writer.init_transactions(30)
    reader.subscribe(["py-in"])
    done, turn, aborts = 0, 0, 0
    deadline = time.monotonic() + 60
    while done < RECORDS and time.monotonic() < deadline:
        messages = [message for message in reader.consume(200, 0.5) if message.error() is None]
        if not messages:
            continue
        turn += 1
        writer.begin_transaction()
        for message in messages:
            writer.produce("py-out", key=message.key(), value=b"copy of " + message.value())
        if turn % 3 == 0:
            writer.abort_transaction(30)
            aborts += 1
            committed = reader.committed(reader.assignment(), 30)
            for partition in committed:
                reader.seek(TopicPartition(partition.topic, partition.partition, max(partition.offset, 0)))
            continue
        writer.send_offsets_to_transaction(reader.position(reader.assignment()), reader.consumer_group_metadata(), 30)
        writer.commit_transaction(30)
        done += len(messages)
    reader.close()
    found["aborts"] = aborts > 0
    reader = consumer("reader", **{"group.id": "py-read", "isolation.level": "read_committed"})
    reader.subscribe(["py-out"])
    copies = []
    deadline = time.monotonic() + 30
    while len(copies) < RECORDS and time.monotonic() < deadline:
        copies += [message.value() for message in reader.consume(500, 0.5) if message.error() is None]
    copies += [message.value() for message in reader.consume(10, 0.5) if message.error() is None]
    reader.close()
    found["copies"], found["different copies"] = len(copies), len(set(copies))


def clean():
    deleted = results(admin.delete_records([TopicPartition("py-in", 0, 10)]))
    found["start after delete records"] = deleted[0].low_watermark
    results(admin.delete_consumer_groups(["py-group", "py-copy", "py-read"]))
    results(admin.delete_topics(["py-in", "py-out"]))


for step in (create, produce, members, copy, clean):
    step()
print(json.dumps(found))
