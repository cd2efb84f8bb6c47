//! The same workload and checkers on Apache Kafka, where Java and Maven are there to bring it up; else the
//! test says loudly that it was skipped.

use std::fs;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::stage::{Stage, poll};

const VERSION: &str = "4.1.2";
const UP: Duration = Duration::from_secs(90);

/// One broker that is its own controller. Dropping it ends it.
struct Kafka {
    process: Child,
    bootstrap: String,
    classpath: String,
}

impl Drop for Kafka {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Says past the test runner's capture that nothing was tested.
fn skip(why: &str) {
    let _ = writeln!(std::io::stderr(), "SKIPPED: highwater against Apache Kafka {VERSION}: {why}");
}

fn works(program: &str, argument: &str) -> bool {
    let run = Command::new(program).arg(argument).stdout(Stdio::null()).stderr(Stdio::null()).status();
    run.is_ok_and(|status| status.success())
}

/// Fetches the jars by Maven; `None` where that cannot be done.
fn jars(dir: &Path) -> Option<PathBuf> {
    let dependency = |artifact: &str| {
        format!(
            "<dependency><groupId>org.apache.kafka</groupId><artifactId>{artifact}</artifactId>\
             <version>{VERSION}</version></dependency>"
        )
    };
    let pom = format!(
        "<project xmlns=\"http://maven.apache.org/POM/4.0.0\"><modelVersion>4.0.0</modelVersion>\
         <groupId>highwater</groupId><artifactId>kafka</artifactId><version>1</version>\
         <dependencies>{}{}</dependencies></project>",
        dependency("kafka_2.13"),
        dependency("kafka-tools")
    );
    fs::write(dir.join("pom.xml"), pom).expect("the directory is writable");
    let jars = dir.join("jars");
    let fetched = Command::new("mvn")
        .args(["--quiet", "--batch-mode", "dependency:copy-dependencies"])
        .arg(format!("-DoutputDirectory={}", jars.display()))
        .current_dir(dir)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    fetched.is_ok_and(|status| status.success()).then_some(jars)
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    listener.local_addr().expect("an address").port()
}

fn java(classpath: &str, heap: &str, dir: &Path) -> Command {
    let mut command = Command::new("java");
    command.args([heap, "-cp", classpath]).current_dir(dir).stdin(Stdio::null());
    let log = fs::OpenOptions::new().create(true).append(true).open(dir.join("log.txt")).expect("a log file");
    command.stdout(log.try_clone().expect("a second handle")).stderr(log);
    command
}

fn start(dir: &Path) -> Option<Kafka> {
    if !works("java", "-version") || !works("mvn", "--version") {
        skip("java or mvn is not there");
        return None;
    }
    let Some(jars) = jars(dir) else {
        skip("mvn could not fetch the jars");
        return None;
    };
    let classpath = format!("{}/*", jars.display());
    let (port, controller) = (free_port(), free_port());
    let properties = dir.join("server.properties");
    let text = format!(
        "process.roles=broker,controller\nnode.id=1\ncontroller.quorum.voters=1@127.0.0.1:{controller}\n\
         listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}\n\
         advertised.listeners=PLAINTEXT://127.0.0.1:{port}\ncontroller.listener.names=CONTROLLER\n\
         log.dirs={}\noffsets.topic.replication.factor=1\n",
        dir.join("data").display()
    );
    fs::write(&properties, text).expect("the directory is writable");
    let formatted = java(&classpath, "-Xmx128m", dir)
        .args(["kafka.tools.StorageTool", "format", "-t", "4L6g3nShT-eMCtK--X86sw", "-c"])
        .arg(&properties)
        .status();
    assert!(formatted.expect("java runs").success(), "{}", log(dir));
    let process = java(&classpath, "-Xmx384m", dir).arg("kafka.Kafka").arg(&properties).spawn();
    let bootstrap = format!("127.0.0.1:{port}");
    let kafka = Kafka { process: process.expect("java runs"), bootstrap, classpath };
    assert!(poll(UP, || TcpStream::connect(&kafka.bootstrap).is_ok()), "not up in time: {}", log(dir));
    Some(kafka)
}

fn log(dir: &Path) -> String {
    fs::read_to_string(dir.join("log.txt")).unwrap_or_default()
}

fn topics(kafka: &Kafka, dir: &Path) -> String {
    let mut command = java(&kafka.classpath, "-Xmx128m", dir);
    command.args(["org.apache.kafka.tools.TopicCommand", "--bootstrap-server", &kafka.bootstrap, "--list"]);
    let output = command.stdout(Stdio::piped()).output().expect("java runs");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn apache_kafka_is_judged_like_the_reference_cluster() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let stage = Stage::new();
    let Some(kafka) = start(dir.path()) else { return };
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
