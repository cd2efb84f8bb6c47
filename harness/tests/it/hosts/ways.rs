//! Ways to a host: by way of another, with an agent's key; and how its broker is ended where it says so itself.

use super::stand::{Stand, sh};
use super::{HEALED, apply, is_whole};
use crate::stage::poll;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// An agent of this test alone; it ends with it.
pub(super) struct Agent(Child);

impl Agent {
    pub(super) fn new(socket: &Path) -> Self {
        let child = Command::new("ssh-agent").args(["-D", "-a"]).arg(socket).stdout(Stdio::null()).spawn();
        let agent = Self(child.expect("ssh-agent comes with ssh"));
        assert!(poll(HEALED, || socket.exists()), "the agent is up");
        agent
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn an_agent_and_a_bastion_are_used_as_ssh_would() {
    let Some(stand) = Stand::over("openssh", "ways") else { return };
    let root = stand.dir.path().display().to_string();
    let whole = std::fs::read_to_string(stand.cluster_file()).expect("readable");
    let write = |text: String| std::fs::write(stand.cluster_file(), text).expect("writable");
    let status = || stand.run(&format!("nemesis status --cluster {}", stand.cluster_file().display()));
    // Node 2 is never there, and has no part in this.
    let (whole, _) = whole.rsplit_once("[[node]]").expect("two nodes");
    let agent = stand.path("agent");
    let by_agent = whole
        .replace(&format!("key = \"{root}/user\""), &format!("identity_agent = \"{}\"", agent.display()));
    assert_ne!(by_agent, whole);
    write(by_agent);
    let _running = Agent::new(&agent);
    let (code, said) = status();
    assert!(
        code == 3 && said.contains("host `127.0.0.1` does not let `root` in"),
        "no key yet: {code}: {said}"
    );
    sh(&format!("SSH_AUTH_SOCK={} ssh-add -q {root}/user", agent.display())).expect("added");
    let (code, said) = status();
    assert!(code == 0 && said.contains("no fault is open"), "{code}: {said}");
    // The bastion is known to a configuration file of ssh alone.
    let config = format!(
        "Host bastion\n HostName 127.0.0.1\n Port 2222\n User root\n IdentityFile {root}/user\n UserKnownHostsFile {root}/known\n"
    );
    std::fs::write(stand.path("config"), config).expect("writable");
    write(whole.replace(
        "[ssh]\n",
        &format!("[ssh]\nconfig = \"{root}/config\"\njump = \"bastion\"\nconnect_timeout = 20\n"),
    ));
    let before = accepted(&stand);
    let (code, said) = status();
    assert!(code == 0 && said.contains("no fault is open"), "{code}: {said}");
    assert_eq!(accepted(&stand) - before, 2, "in at the bastion, and at the host");
    write(
        whole.replace("[ssh]\n", &format!("[ssh]\nconfig = \"{root}/config\"\njump = \"nobody.invalid\"\n")),
    );
    let (code, said) = status();
    assert!(
        code == 3 && said.contains("failed to reach host `127.0.0.1`") && said.contains("-J nobody.invalid"),
        "{code}: {said}"
    );
}

/// How often sshd has let somebody in.
fn accepted(stand: &Stand) -> usize {
    let log = std::fs::read_to_string(stand.path("sshd.log")).expect("readable");
    log.lines().filter(|line| line.contains("Accepted publickey")).count()
}

#[test]
fn a_broker_is_ended_as_its_node_says() {
    let Some(stand) = Stand::new("end") else { return };
    let root = stand.dir.path().display().to_string();
    stand.write_cluster_file(&format!(
        "breakable = true\nstop = \"echo stop >>{root}/ended; kill $HW_PID\"\nkill = \"echo kill >>{root}/ended; kill -9 $HW_PID\""
    ));
    for fault in ["stop", "kill"] {
        let (code, said) = stand.run(&apply(&stand, fault, "5m"));
        assert_eq!(code, 0, "{fault}: {said}");
        assert!(stand.broker().is_none(), "{fault}");
        assert_eq!(stand.run("nemesis undo --all").0, 0);
        assert!(is_whole(&stand));
    }
    assert_eq!(std::fs::read_to_string(stand.path("ended")).expect("written"), "stop\nkill\n");
}

/// What systemd does with a unit, as far as faults ask for it. What keeps it down is looked at at its start, and
/// only after it was told to read its files again.
const SYSTEMCTL: &str = "\
alive() { [ -r /proc/$1/status ] && ! grep -q '^State:.[ZX]' /proc/$1/status; }
case \"$*\" in
  'show -p MainPID --value kafka') p=$(cat ROOT/pid); if alive $p; then echo $p; else echo 0; fi;;
  daemon-reload) if ls /run/systemd/system/kafka.service.d/*.conf 2>/dev/null; then touch ROOT/held; else rm -f ROOT/held; fi;;
  '--no-block stop kafka') echo stop >>ROOT/ended; kill $(cat ROOT/pid);;
  'start kafka') [ -e ROOT/held ] || setsid sh ROOT/broker.sh </dev/null >/dev/null 2>&1 &;;
  'reset-failed kafka') ;;
  *) echo \"unknown: $*\" >&2; exit 1;;
esac";

#[test]
fn a_unit_is_kept_down_until_the_undo_starts_it() {
    let Some(stand) = Stand::new("unit") else { return };
    let root = stand.dir.path().display().to_string();
    stand.inside("mkdir -p /run/systemd && mount -t tmpfs none /run/systemd").expect("in its own mounts");
    stand.tool("systemctl", &SYSTEMCTL.replace("ROOT", &root));
    let text = std::fs::read_to_string(stand.cluster_file()).expect("readable");
    let service = format!("pid_file = \"{root}/pid\"\nstart = \"sh {root}/broker.sh\"");
    assert!(text.contains(&service));
    std::fs::write(stand.cluster_file(), text.replacen(&service, "unit = \"kafka\"", 1)).expect("writable");
    for fault in ["stop", "kill"] {
        let (code, said) = stand.run(&apply(&stand, fault, "5m"));
        assert_eq!(code, 0, "{fault}: {said}");
        stand.inside(&format!("{root}/bin/systemctl start kafka")).expect("somebody tries");
        assert!(stand.broker().is_none(), "{fault}: kept down");
        assert_eq!(stand.run("nemesis undo --all").0, 0, "{fault}");
        assert!(is_whole(&stand), "{fault}");
        assert!(
            stand.inside("! find /run/systemd/system -name zz-highwater.conf | grep -q .").is_ok(),
            "{fault}"
        );
    }
    assert_eq!(std::fs::read_to_string(stand.path("ended")).expect("written"), "stop\n");
}
