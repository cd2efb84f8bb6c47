//! Apache Kafka itself, brought up where Java and Maven are there; else a test that wants it says loudly that
//! it was skipped.

use std::fs;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::stage::poll;

pub(crate) const VERSION: &str = "4.1.2";
const UP: Duration = Duration::from_secs(90);

/// One broker that is its own controller. Dropping it ends it.
pub(crate) struct Kafka {
    process: Child,
    pub(crate) bootstrap: String,
    pub(crate) classpath: String,
}

impl Drop for Kafka {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Says past the test runner's capture that nothing was tested.
fn skip(what: &str, why: &str) {
    let _ = writeln!(std::io::stderr(), "SKIPPED: {what} Apache Kafka {VERSION}: {why}");
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

pub(crate) fn java(classpath: &str, heap: &str, dir: &Path) -> Command {
    let mut command = Command::new("java");
    command.args([heap, "-cp", classpath]).current_dir(dir).stdin(Stdio::null());
    let log = fs::OpenOptions::new().create(true).append(true).open(dir.join("log.txt")).expect("a log file");
    command.stdout(log.try_clone().expect("a second handle")).stderr(log);
    command
}

/// The class path of its jars; `None`, said loudly, where they cannot be had. `what` says what is skipped then.
pub(crate) fn classpath(what: &str, dir: &Path) -> Option<String> {
    if !works("java", "-version") || !works("mvn", "--version") {
        skip(what, "java or mvn is not there");
        return None;
    }
    let Some(jars) = jars(dir) else {
        skip(what, "mvn could not fetch the jars");
        return None;
    };
    Some(format!("{}/*", jars.display()))
}

/// Starts it with these lines added to its properties; `what` says what is skipped where that cannot be done.
pub(crate) fn start(what: &str, dir: &Path, more: &str) -> Option<Kafka> {
    let classpath = classpath(what, dir)?;
    let (port, controller) = (free_port(), free_port());
    let properties = dir.join("server.properties");
    let text = format!(
        "process.roles=broker,controller\nnode.id=1\ncontroller.quorum.voters=1@127.0.0.1:{controller}\n\
         listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}\n\
         advertised.listeners=PLAINTEXT://127.0.0.1:{port}\ncontroller.listener.names=CONTROLLER\n\
         log.dirs={}\noffsets.topic.replication.factor=1\n{more}\n",
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
