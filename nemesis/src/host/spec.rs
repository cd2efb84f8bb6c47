//! A host as faults need to know it.

use history::NodeId;

use crate::node::quote;

const SIGKILL: &str = "kill -KILL $1";
/// A process that was killed, or started, may take half a minute on a busy host: in looks of 50 ms.
const TRIES: u32 = 600;
/// A broker that is told to stop hands its partitions over first: a minute, in looks of 50 ms. One that has
/// not ended by then is killed, lest it ends after its undo.
const STOP_TRIES: u32 = 1200;

/// The operator's own command, told whom it is about as `$HW_PID`, else ours.
fn given(command: Option<&String>, ours: &str) -> String {
    command
        .map_or_else(|| ours.to_owned(), |command| format!("HW_PID=$1 sh -c {} </dev/null", quote(command)))
}

/// As systemd calls it in full.
fn full_name(unit: &str) -> String {
    if unit.ends_with(".service") { unit.to_owned() } else { format!("{unit}.service") }
}

/// How a broker's process is found, started and stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Service {
    /// A systemd unit.
    Unit(String),
    /// A pid file, and a command that starts the broker and writes it.
    Command {
        /// The file that holds its process id.
        pid_file: String,
        /// What its command line contains, so that a stale pid file hits nobody else.
        process: Option<String>,
        /// Starts it; runs in the background, detached.
        start: String,
        /// Ends it in an orderly way, where SIGTERM to its process is not how.
        stop: Option<String>,
        /// Ends it at once, where SIGKILL to its process is not how (a container's).
        kill: Option<String>,
    },
}

/// A host with a broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostSpec {
    /// The broker's id.
    pub node: NodeId,
    /// The name it is reached by.
    pub host: String,
    /// Where the other brokers reach it.
    pub address: String,
    /// The port of its broker listeners.
    pub broker_port: u16,
    /// The port of its controller listener, if it is a controller.
    pub controller_port: Option<u16>,
    /// The port of its sshd, which no fault cuts.
    pub ssh_port: u16,
    /// Its log directory.
    pub data_dir: String,
    /// Where its journal of faults is.
    pub state_dir: String,
    /// Its process.
    pub service: Service,
    /// Log files to show near a finding.
    pub logs: Vec<String>,
    /// The file that its broker's libfaketime reads its clock from; without one the clock is the machine's.
    pub faketime_file: Option<String>,
    /// Whether it may be broken.
    pub breakable: bool,
}

impl HostSpec {
    /// Shell functions about the broker's process: `hw_pid` writes its id if it lives, `hw_gone` waits for
    /// its end, `hw_hold` keeps it from being started again, `hw_kill` ends it at once and `hw_stop` in an
    /// orderly way, `hw_start` starts it unless it runs.
    #[must_use]
    pub(super) fn functions(&self) -> String {
        let (pid, hold, release, start, stop, kill) = match &self.service {
            Service::Unit(unit) => {
                // A mask in `/run` gives way to a unit file in `/etc`, where most brokers have theirs; a drop-in
                // does not. It keeps systemd from starting the broker, whoever asks.
                let dir = format!("/run/systemd/system/{}.d", full_name(unit));
                let (unit, dir, file) =
                    (quote(unit), quote(&dir), quote(&format!("{dir}/zz-highwater.conf")));
                (
                    format!("systemctl show -p MainPID --value {unit} 2>/dev/null | grep -v '^0$' || true"),
                    format!(
                        "mkdir -p {dir} && printf '[Unit]\\nConditionPathExists=/run/highwater/never\\n[Service]\\nRestart=no\\n' >{file} && systemctl daemon-reload"
                    ),
                    format!(
                        "if [ -e {file} ]; then rm -f {file}; rmdir {dir} 2>/dev/null || true; systemctl daemon-reload; fi"
                    ),
                    format!("systemctl reset-failed {unit} || true; systemctl start {unit}"),
                    format!("systemctl --no-block stop {unit}"),
                    SIGKILL.to_owned(),
                )
            }
            Service::Command { pid_file, process, start, stop, kill } => {
                let named = process.as_ref().map_or_else(String::new, |process| {
                    format!(" && tr '\\0' ' ' </proc/$p/cmdline | grep -qF -e {}", quote(process))
                });
                (
                    format!(
                        "p=$(cat {} 2>/dev/null) || return 0\n  case $p in ''|*[!0-9]*) return 0;; esac\n  \
                         [ -r /proc/$p/stat ] && ! grep -q '^State:.[ZX]' /proc/$p/status{named} || return 0\n  echo $p",
                        quote(pid_file)
                    ),
                    ":".to_owned(),
                    ":".to_owned(),
                    format!("setsid nohup sh -c {} </dev/null >/dev/null 2>&1 &", quote(start)),
                    given(stop.as_ref(), "kill -TERM $1"),
                    given(kill.as_ref(), SIGKILL),
                )
            }
        };
        format!(
            "hw_pid() {{\n  {pid}\n}}\n\
             hw_gone() {{\n  n=0\n  while [ -e /proc/$1 ] && ! grep -q '^State:.[ZX]' /proc/$1/status 2>/dev/null; do\n    \
             n=$((n+1)); [ $n -lt ${{2:-{TRIES}}} ] || {{ echo \"process $1 does not die\" >&2; return 1; }}; sleep 0.05\n  done\n}}\n\
             hw_hold() {{\n  {hold}\n}}\n\
             hw_kill() {{\n  {kill}\n  hw_gone $1\n}}\n\
             hw_stop() {{\n  {stop}\n  hw_gone $1 {STOP_TRIES} || {{ kill -KILL $1; hw_gone $1; return 1; }}\n}}\n\
             hw_start() {{\n  {release}\n  [ -z \"$(hw_pid)\" ] || return 0\n  {start}\n  n=0\n  while [ -z \"$(hw_pid)\" ]; do\n    \
             n=$((n+1)); [ $n -lt {TRIES} ] || {{ echo 'the broker does not start' >&2; return 1; }}; sleep 0.05\n  done\n}}\n"
        )
    }

    /// Shell functions about the file system of the data directory: `hw_mount` names its mount point, and
    /// refuses one that holds more than the data, or the record of faults: its undo must outlive the disk.
    #[must_use]
    pub(super) fn mount_functions(&self) -> String {
        let (data, state) = (quote(&self.data_dir), quote(&self.state_dir));
        format!(
            "hw_mount() {{\n  m=$(findmnt -n -o TARGET --target {data}) || {{ echo \"data directory `echo {data}` is not there\" >&2; return 1; }}\n  \
             case $m in /|/var|/home|/usr|/tmp|/opt) echo \"data directory `echo {data}` is not on its own mount but on $m\" >&2; return 1;; esac\n  \
             if [ \"$(findmnt -n -o TARGET --target {state} 2>/dev/null)\" = \"$m\" ]; then echo \"the record of faults {state} is on the disk of the data, $m (give it another state_dir)\" >&2; return 1; fi\n  \
             echo \"$m\"\n}}\n"
        )
    }
}
