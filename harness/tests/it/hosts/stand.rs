//! A host made for one test: a network namespace with an `sshd`, a disk of its own, and a process that stands
//! in for a broker. Needs root; where it cannot be made, the test says loudly that nothing was tested.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, Uid};
use tempfile::TempDir;

use crate::stage::poll;

/// What the stand is made with.
const TOOLS: [&str; 10] =
    ["sshd", "ssh", "ssh-keygen", "ip", "iptables", "losetup", "mkfs.ext4", "nsenter", "unshare", "flock"];
const UP: Duration = Duration::from_secs(20);
/// What speaks SSH, by its name in a cluster file.
pub(super) const BACKENDS: [&str; 2] = ["ssh2", "openssh"];

/// A host; dropping it leaves nothing of it.
pub(super) struct Stand {
    pub(super) dir: TempDir,
    pub(super) namespace: String,
    backend: &'static str,
    device: String,
    sshd: Option<Child>,
}

/// Says past the test runner's capture that nothing was tested.
pub(super) fn skip(why: &str) {
    let _ = writeln!(std::io::stderr(), "SKIPPED: faults on hosts: {why}");
}

fn find(tool: &str) -> Option<PathBuf> {
    let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin";
    path.split(':').map(|dir| Path::new(dir).join(tool)).find(|file| file.exists())
}

/// Runs a script of the test's own; what it wrote, if it succeeded.
pub(super) fn sh(script: &str) -> Result<String, String> {
    let script = format!("PATH=\"$PATH:/usr/sbin:/sbin\"; {script}");
    let output = Command::new("sh").args(["-c", &script]).stdin(Stdio::null()).output().expect("sh runs");
    let text = |bytes| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

impl Stand {
    /// Makes it, the broker running; `None` where that cannot be done.
    pub(super) fn new(name: &str) -> Option<Self> {
        Self::over(BACKENDS[0], name)
    }

    /// The same, reached by this backend.
    pub(super) fn over(backend: &'static str, name: &str) -> Option<Self> {
        if !Uid::effective().is_root() {
            skip("not root");
            return None;
        }
        if let Some(missing) = TOOLS.into_iter().find(|tool| find(tool).is_none()) {
            skip(&format!(
                "`{missing}` is not there (apt-get install openssh-server iproute2 iptables e2fsprogs)"
            ));
            return None;
        }
        let dir = tempfile::tempdir().expect("a temporary directory");
        let root = dir.path().display().to_string();
        let namespace = format!("hwt-{}-{name}", std::process::id());
        let made = sh(&format!(
            "set -e; cd {root}; ip netns add {namespace}; ip -n {namespace} link set lo up; \
             truncate -s 48M disk; mkfs.ext4 -q -F disk; mkdir data state; losetup -f --show disk"
        ));
        let device = match made {
            Ok(device) => device,
            Err(error) => {
                let _ = sh(&format!("ip netns del {namespace}"));
                skip(&error);
                return None;
            }
        };
        let mut stand = Self { dir, namespace, backend, device, sshd: None };
        stand.start_sshd();
        stand.write_cluster_file("breakable = true");
        stand.write_log();
        let started = stand.inside(&format!("setsid sh {root}/broker.sh </dev/null >/dev/null 2>&1 &"));
        started.expect("the broker starts");
        assert!(poll(UP, || stand.broker().is_some()), "the broker is up");
        Some(stand)
    }

    fn start_sshd(&mut self) {
        let root = self.dir.path().display().to_string();
        // Far more often than a broker, so that there is always something unsynced.
        let broker = format!(
            "echo $$ >{root}/pid\nexec 3>>{root}/data/log\nwhile :; do echo 0123456789 >&3; sleep 0.02 3>&-; done\n"
        );
        fs::write(self.path("broker.sh"), broker).expect("writable");
        sh(&format!(
            "set -e; cd {root}; mkdir -p /run/sshd; ssh-keygen -q -t ed25519 -N '' -f host; ssh-keygen -q -t ecdsa -N '' -f host2; ssh-keygen -q -t ed25519 -N '' -f user; \
             cp user.pub authorized; printf '[127.0.0.1]:2222 %s\\n' \"$(cut -d' ' -f1,2 host.pub)\" >known"
        ))
        .expect("keys");
        let config = format!(
            "Port 2222\nListenAddress 127.0.0.1\nHostKey {root}/host\nHostKey {root}/host2\nAuthorizedKeysFile {root}/authorized\n\
             SetEnv PATH={root}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\nStrictModes no\nUsePAM no\nPidFile none\nPermitRootLogin prohibit-password\nPasswordAuthentication no\n"
        );
        fs::write(self.path("sshd.conf"), config).expect("writable");
        let sshd = find("sshd").expect("looked for before").display().to_string();
        let inside = format!(
            "mount --make-rprivate / && mount -o noatime {} {root}/data && exec {sshd} -D -e -f {root}/sshd.conf",
            self.device
        );
        let log = fs::File::create(self.path("sshd.log")).expect("writable");
        let child = Command::new("nsenter")
            .arg(format!("--net=/run/netns/{}", self.namespace))
            .args(["unshare", "-m", "sh", "-c", &inside])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn();
        self.sshd = Some(child.expect("nsenter runs"));
        let listening =
            || fs::read_to_string(self.path("sshd.log")).is_ok_and(|log| log.contains("listening"));
        assert!(
            poll(UP, listening),
            "sshd: {}",
            fs::read_to_string(self.path("sshd.log")).unwrap_or_default()
        );
    }

    /// The cluster file of this host and a far end that is never there, with a line of its own in the host's
    /// table.
    pub(super) fn write_cluster_file(&self, line: &str) {
        let root = self.dir.path().display();
        let text = format!(
            "bootstrap = \"127.0.0.1:9092\"\nnamespace = \"{}\"\n[ssh]\nbackend = \"{}\"\nuser = \"root\"\nport = 2222\nkey = \"{root}/user\"\n\
             known_hosts = \"{root}/known\"\n[[node]]\nid = 1\nhost = \"127.0.0.1\"\ndata_dir = \"{root}/data\"\n\
             state_dir = \"{root}/state\"\npid_file = \"{root}/pid\"\nstart = \"sh {root}/broker.sh\"\n{line}\n\
             [[node]]\nid = 2\nhost = \"127.0.0.2\"\ndata_dir = \"/nowhere\"\nunit = \"kafka\"\n",
            self.namespace, self.backend
        );
        fs::write(self.cluster_file(), text).expect("writable");
    }

    pub(super) fn cluster_file(&self) -> PathBuf {
        self.path("cluster.toml")
    }

    /// Puts a program of this name first on the host's path.
    pub(super) fn tool(&self, name: &str, script: &str) {
        let path = self.path("bin").join(name);
        fs::create_dir_all(self.path("bin")).expect("writable");
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("writable");
        sh(&format!("chmod +x {}", path.display())).expect("ours");
    }

    /// The host has its own program again.
    pub(super) fn no_tool(&self, name: &str) {
        fs::remove_file(self.path("bin").join(name)).expect("it was there");
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Runs a script as the host would: in its namespaces.
    pub(super) fn inside(&self, script: &str) -> Result<String, String> {
        let sshd = self.sshd.as_ref().expect("it is up").id();
        let script = script.replace('\'', "'\\''");
        sh(&format!("nsenter -t {sshd} --net --mount sh -c '{script}'"))
    }

    /// What makes the disk look like a broker's: logs of partitions with segments that hold
    /// records, one of them in a log directory below.
    pub(super) fn write_log(&self) {
        let data = self.path("data").display().to_string();
        let segment = self.segment();
        self.inside(&format!(
            "set -e; mkdir -p {data}/orders-0 {data}/more/payments-0; echo version=1 >{data}/more/meta.properties; \
             seq 1 50 >{data}/more/payments-0/00000000000000000000.log; seq 1 4000 >{segment}; sync -f {data}"
        ))
        .expect("writable");
    }

    /// That segment, as the host calls it.
    pub(super) fn segment(&self) -> String {
        self.path("data/orders-0/00000000000000000000.log").display().to_string()
    }

    /// Whether the host throttles the device of the data.
    pub(super) fn throttled(&self) -> bool {
        let name = self.device.trim_start_matches("/dev/");
        self.inside(&format!(
            "d=$(cat /sys/class/block/{name}/dev); find /sys/fs/cgroup -name io.max -o -name blkio.throttle.write_bps_device | xargs grep -qs \"^$d \""
        ))
        .is_ok()
    }

    /// The broker's process, if it lives, and whether it is stopped.
    pub(super) fn broker(&self) -> Option<(i32, bool)> {
        let pid: i32 = fs::read_to_string(self.path("pid")).ok()?.trim().parse().ok()?;
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        match stat.rsplit_once(") ")?.1.as_bytes().first()? {
            b'Z' | b'X' => None,
            state => Some((pid, *state == b'T')),
        }
    }

    /// Faults on the host's own record.
    pub(super) fn on_record(&self) -> usize {
        let entries = fs::read_dir(self.path("state")).into_iter().flatten().filter_map(Result::ok);
        entries.filter(|entry| entry.path().join("watch.sh").exists()).count()
    }

    /// The binary, its journal on this stand.
    pub(super) fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_highwater"));
        command.args(line.split_whitespace()).env("HIGHWATER_STATE", self.path("controller"));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs it: exit code, and everything it said.
    pub(super) fn run(&self, line: &str) -> (i32, String) {
        let output = self.command(line).output().expect("the binary starts");
        let said = [output.stdout, output.stderr].concat();
        (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&said).into_owned())
    }
}

impl Drop for Stand {
    fn drop(&mut self) {
        // Whatever lives in the namespace was started by this test; mounts go with its last process.
        for _ in 0..50 {
            let inside = sh(&format!("ip netns pids {}", self.namespace)).unwrap_or_default();
            let pids: Vec<_> = inside.split_whitespace().filter_map(|pid| pid.parse().ok()).collect();
            if pids.is_empty() {
                break;
            }
            for pid in pids {
                let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
            }
            std::thread::park_timeout(Duration::from_millis(50));
            if let Some(sshd) = &mut self.sshd {
                let _ = sshd.try_wait();
            }
        }
        if let Some(mut sshd) = self.sshd.take() {
            let _ = sshd.kill();
            let _ = sshd.wait();
        }
        let _ = sh(&format!("ip netns del {}", self.namespace));
        let device = &self.device;
        poll(Duration::from_secs(5), || {
            sh(&format!("losetup -d {device}; ! losetup {device} >/dev/null 2>&1")).is_ok()
        });
    }
}
