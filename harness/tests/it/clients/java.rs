//! The tools of Apache Kafka's own distribution, as its users and its system tests run them.

use std::path::Path;
use std::process::Command;

use super::{Stage, cluster, run};
use crate::apache;

/// The JSON lines that a verifiable client says, of one name.
fn lines<'a>(said: &'a str, name: &str) -> Vec<&'a str> {
    let name = format!("\"name\":\"{name}\"");
    said.lines().filter(|line| line.contains(&name)).collect()
}

#[test]
#[ignore = "fetches Apache Kafka's jars; run by hand"]
fn java_tools() {
    let dir = tempfile::tempdir().expect("a folder");
    let Some(classpath) = apache::classpath("the Java tools of", dir.path()) else { return };
    let stage = Stage::new();
    let up = cluster(&stage);
    let tool = |class: &str, arguments: &str| tool(&classpath, dir.path(), class, &up.bootstrap, arguments);

    let versions = tool("BrokerApiVersionsCommand", "");
    assert!(versions.contains("usable: ") && !versions.contains("UNSUPPORTED: 0 to"), "{versions}");
    for topic in ["in", "out"] {
        tool("TopicCommand", &format!("--create --topic {topic} --partitions 6 --replication-factor 3"));
    }
    let produced = tool("VerifiableProducer", "--topic in --max-messages 20000 --acks -1");
    assert_eq!(lines(&produced, "producer_send_success").len(), 20_000);
    assert!(lines(&produced, "tool_data")[0].contains("\"acked\":20000"));
    let consumed = tool("VerifiableConsumer", "--topic in --group-id group --max-messages 20000");
    assert!(!lines(&consumed, "offsets_committed").is_empty(), "{consumed}");
    assert!(lines(&consumed, "offsets_committed").iter().all(|line| line.contains("\"success\":true")));

    let copied = tool(
        "TransactionalMessageCopier",
        "--transactional-id copier --input-topic in --input-partition 0 --output-topic out --max-messages 20000 \
         --consumer-group copy --transaction-size 200 --enable-random-aborts --group-mode",
    );
    assert!(
        copied.contains("\"stage\":\"ShutdownComplete\"") && copied.contains("\"remaining\":0"),
        "{copied}"
    );
    let again = tool("VerifiableConsumer", "--topic out --group-id committed --max-messages 20000");
    assert!(!again.contains("\"success\":false"), "{again}");

    assert!(tool("TransactionsCommand", "list").contains("CompleteCommit"));
    assert!(tool("TransactionsCommand", "describe --transactional-id copier").contains("CompleteCommit"));
    assert!(tool("TransactionsCommand", "describe-producers --topic out --partition 0").contains("None"));
    let hanging = tool("TransactionsCommand", "find-hanging --topic out");
    assert!(!hanging.lines().any(|line| line.starts_with("out")), "{hanging}");

    let lags = tool("consumer.group.ConsumerGroupCommand", "--describe --group group");
    let rows: Vec<Vec<&str>> = lags
        .lines()
        .filter(|line| line.starts_with("group "))
        .map(|line| line.split_whitespace().collect())
        .collect();
    let ends: u64 = rows.iter().filter_map(|row| row[4].parse::<u64>().ok()).sum();
    assert_eq!(ends, 20_000, "{lags}");
    assert!(rows.iter().all(|row| row[5] == "0"), "nothing lags: {lags}");
    tool(
        "consumer.group.ConsumerGroupCommand",
        "--group group --reset-offsets --to-earliest --topic in --execute",
    );
    let read = tool("ConsumerPerformance", "--topic in --messages 20000");
    assert!(read.lines().last().is_some_and(|line| line.contains(", 20000, ")), "{read}");
    tool("ProducerPerformance", "--topic out --num-records 20000 --record-size 100 --throughput -1");
}

/// Runs a tool to its end, which must be a good one.
fn tool(classpath: &str, dir: &Path, class: &str, bootstrap: &str, arguments: &str) -> String {
    let class = format!("org.apache.kafka.tools.{class}");
    let broker = match class.rsplit('.').next() {
        Some("TransactionalMessageCopier") => ["--broker-list".to_owned(), bootstrap.to_owned()],
        Some("ProducerPerformance") => {
            ["--producer-props".to_owned(), format!("bootstrap.servers={bootstrap}")]
        }
        _ => ["--bootstrap-server".to_owned(), bootstrap.to_owned()],
    };
    let mut command = Command::new("timeout");
    command.args(["120", "java", "-Xmx256m", "-cp", classpath, &class]).args(broker);
    command.args(arguments.split_whitespace()).current_dir(dir);
    run(&mut command).unwrap_or_else(|said| panic!("{class}: {said}"))
}
