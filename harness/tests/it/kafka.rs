//! The same workload and checkers on Apache Kafka, where Java and Maven are there to bring it up; else the
//! test says loudly that it was skipped.

use std::path::Path;
use std::process::Stdio;

use super::apache::{self, Kafka, java};
use super::stage::Stage;

fn topics(kafka: &Kafka, dir: &Path) -> String {
    let mut command = java(&kafka.classpath, "-Xmx128m", dir);
    command.args(["org.apache.kafka.tools.TopicCommand", "--bootstrap-server", &kafka.bootstrap, "--list"]);
    let output = command.stdout(Stdio::piped()).output().expect("java runs");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn apache_kafka_is_judged_like_the_reference_cluster() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let stage = Stage::alone();
    let Some(kafka) = apache::start("highwater against", dir.path(), "") else { return };
    let common = format!("run --target kafka --bootstrap {} --nemesis none --duration 2s", kafka.bootstrap);

    for words in ["", "--set acks=1", "--keys 50 --sync", "--set compression.type=producer"] {
        let ended = stage.run(&format!("{common} --set replication.factor=1 {words}"));
        assert_eq!(ended.code, 0, "{words}: {}", ended.all());
        assert_eq!(stage.verdict()["word"], "held", "{words}: {}", ended.all());
        assert!(stage.findings().is_empty(), "{words}: {}", ended.all());
    }
    assert!(!topics(&kafka, dir.path()).contains("highwater-"), "its topics are deleted afterwards");

    let kept = stage.run(&format!("{common} --set replication.factor=1 --topic mine --keep-topics"));
    assert_eq!(kept.code, 0, "{}", kept.all());
    assert!(topics(&kafka, dir.path()).lines().any(|topic| topic == "mine"), "unless asked otherwise");
    let again = stage.run(&format!("{common} --set replication.factor=1 --topic mine"));
    assert_eq!(again.code, 3, "{}", again.all());
    assert!(again.stderr.contains("--allow-existing-topic"), "{}", again.all());

    let refused = stage.run(&format!("{common} --set replication.factor=3"));
    assert_eq!(refused.code, 3, "{}", refused.all());
    assert!(refused.stderr.contains("replication.factor"), "{}", refused.all());
}
