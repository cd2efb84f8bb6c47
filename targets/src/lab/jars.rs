//! Where Apache Kafka comes from: a folder that has it, or Maven Central; and what a lab is built with.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::build::{LabError, Tell};

/// The version that is fetched where none is named.
pub const KAFKA_VERSION: &str = "4.1.2";

/// The artifact that has the broker.
const BROKER: &str = "kafka_2.13";
/// The artifact by which its log is written: Kafka's own jars need one and bring none. This is the version that goes
/// with their slf4j-api.
const LOGGING: &str = "slf4j-simple";
const LOGGING_VERSION: &str = "1.7.36";

/// How often Maven is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// Programs a lab needs, and the Debian package that has each.
pub const TOOLS: &[(&str, &str)] = &[
    ("java", "default-jre-headless"),
    ("sshd", "openssh-server"),
    ("ssh", "openssh-client"),
    ("ssh-keygen", "openssh-client"),
    ("ip", "iproute2"),
    ("ss", "iproute2"),
    ("tc", "iproute2"),
    ("iptables", "iptables"),
    ("losetup", "mount"),
    ("mkfs.ext4", "e2fsprogs"),
    ("nsenter", "util-linux"),
    ("unshare", "util-linux"),
    ("flock", "util-linux"),
];

/// Which Apache Kafka.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kafka {
    /// This version, from Maven Central.
    Version(String),
    /// A folder with its jars, or with `libs/` that has them.
    Home(PathBuf),
}

/// The programs of [`TOOLS`] that are not there, each with its package.
#[must_use]
pub fn missing_tools() -> Vec<(&'static str, &'static str)> {
    let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin";
    let there = |tool: &str| path.split(':').any(|dir| Path::new(dir).join(tool).is_file());
    TOOLS.iter().copied().filter(|(tool, _)| !there(tool)).collect()
}

impl Kafka {
    /// The class path, fetched into `cache` unless it is there.
    ///
    /// # Errors
    /// If the folder has no broker's jar, Maven cannot fetch it, or `tell` says not to go on.
    pub fn class_path(&self, cache: &Path, tell: &dyn Tell) -> Result<String, LabError> {
        match self {
            Self::Home(home) => {
                let libs = home.join("libs");
                let dir = if libs.is_dir() { libs } else { home.clone() };
                if !has(&dir, BROKER) {
                    return Err(LabError::Jars(format!(
                        "`{}` has no kafka_2.13-*.jar (give --kafka-home a Kafka distribution, or a folder of its jars)",
                        home.display()
                    )));
                }
                Ok(format!("{}/*", dir.display()))
            }
            Self::Version(version) => {
                let dir = cache.join(format!("kafka-{version}"));
                if !has(&dir, BROKER) || !has(&dir, LOGGING) {
                    fetch(version, &dir, tell)?;
                }
                Ok(format!("{}/*", dir.display()))
            }
        }
    }
}

/// Whether a folder has a jar of an artifact.
fn has(dir: &Path, artifact: &str) -> bool {
    fs::read_dir(dir).into_iter().flatten().filter_map(Result::ok).any(|file| {
        let name = file.file_name();
        let name = name.to_string_lossy();
        name.strip_prefix(artifact).is_some_and(|rest| rest.starts_with('-') && rest.ends_with(".jar"))
    })
}

fn fetch(version: &str, dir: &Path, tell: &dyn Tell) -> Result<(), LabError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
    if version.is_empty() || !version.chars().all(plain) {
        return Err(LabError::Jars(format!("`{version}` is no version (give --kafka {KAFKA_VERSION})")));
    }
    let dependency = |group: &str, artifact: &str, version: &str| {
        format!(
            "<dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId><version>{version}</version></dependency>"
        )
    };
    let pom = format!(
        "<project xmlns=\"http://maven.apache.org/POM/4.0.0\"><modelVersion>4.0.0</modelVersion><groupId>highwater</groupId>\
         <artifactId>lab</artifactId><version>1</version><dependencies>{}{}{}</dependencies></project>",
        dependency("org.apache.kafka", BROKER, version),
        dependency("org.apache.kafka", "kafka-tools", version),
        dependency("org.slf4j", LOGGING, LOGGING_VERSION)
    );
    // Under another name until all of it is there: one that was cut off would be taken for whole.
    let partly = dir.with_extension("partly");
    let failed =
        |error: std::io::Error| LabError::Jars(format!("failed to write `{}`: {error}", partly.display()));
    fs::create_dir_all(&partly).map_err(failed)?;
    fs::write(partly.join("pom.xml"), pom).map_err(failed)?;
    let said = File::create(partly.join("mvn.log")).map_err(failed)?;
    let mut mvn = Command::new("mvn")
        .args(["--quiet", "--batch-mode", "dependency:copy-dependencies"])
        .arg(format!("-DoutputDirectory={}", partly.display()))
        .current_dir(&partly)
        .stdin(Stdio::null())
        .stdout(said)
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| {
            LabError::Jars(format!("failed to run `mvn`: {error} (install maven, or give --kafka-home DIR)"))
        })?;
    let status = loop {
        if let Some(status) = mvn.try_wait().map_err(failed)? {
            break status;
        }
        if !tell.go_on() {
            // It may have ended just now.
            let _ = mvn.kill();
            mvn.wait().map_err(failed)?;
            return Err(LabError::Stopped);
        }
        std::thread::park_timeout(LOOK);
    };
    if status.success() && has(&partly, BROKER) && has(&partly, LOGGING) {
        // What a cache had there was no Kafka, or not all of it.
        let _ = fs::remove_dir_all(dir);
        return fs::rename(&partly, dir).map_err(failed);
    }
    let said = fs::read_to_string(partly.join("mvn.log")).unwrap_or_default();
    Err(LabError::Jars(format!(
        "mvn could not fetch Apache Kafka {version}: {} (give --kafka-home DIR)",
        nemesis::node::one_line(&said)
    )))
}
