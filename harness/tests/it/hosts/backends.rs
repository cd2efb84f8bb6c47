//! The ways to run a command on a host, each by the same measure: input, output and end of the command as they are,
//! and whatever keeps it from the host told as what it is.

use std::thread;
use std::time::Duration;

use history::NodeId;
use nemesis::node::{Answer, Node, NodeError, Request};
use targets::nodes::ClusterFile;

use super::HEALED;
use super::stand::{BACKENDS, Stand, sh, skip};
use super::ways::Agent;
use crate::stage::poll;

/// The `sshd` that serves a connection, found from its command upwards.
const SERVED_BY: &str = "p=$PPID; while [ \"$(cat /proc/$p/comm)\" != sshd ]; do p=$(awk '/^PPid/ { print $2 }' /proc/$p/status); done; echo $p";

fn connect(stand: &Stand) -> Result<std::sync::Arc<dyn Node>, NodeError> {
    ClusterFile::read(&stand.cluster_file()).expect("a cluster file").connect(NodeId(1))
}

fn run(node: &dyn Node, script: &str, stdin: &[u8], seconds: u64) -> Result<Answer, NodeError> {
    node.run(&Request { what: "ask", script, stdin, within: Duration::from_secs(seconds), root: true })
}

fn ask(node: &dyn Node, script: &str) -> String {
    let answer = run(node, script, b"", 20).expect("it answers");
    String::from_utf8(answer.stdout).expect("text").trim().to_owned()
}

#[test]
fn a_command_is_given_its_input_and_tells_all_it_wrote() {
    for backend in BACKENDS {
        let Some(stand) = Stand::over(backend, "talk") else { return };
        let node = connect(&stand).expect("it is up");
        let node = node.as_ref();
        let answer = run(node, "cat; echo \"it's $0\" >&2; exit 7", b"in", 20).expect("it ran");
        let expected = Answer { code: 7, stdout: b"in".to_vec(), stderr: "it's sh\n".to_owned() };
        assert_eq!(answer, expected, "{backend}");

        // Both ways at once, more than any window or socket holds, and every byte there is.
        let bytes: Vec<u8> =
            (0..6_000_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        let answer = run(node, "tee /dev/stderr", &bytes, 60).expect("it ran");
        assert!(answer.code == 0 && answer.stdout == bytes, "{backend}: {} bytes", answer.stdout.len());
        assert!(answer.stderr.len() > bytes.len() / 2, "{backend}: stderr of {} bytes", answer.stderr.len());

        // One that reads nothing, and one that writes nothing but reads on.
        assert_eq!(run(node, "exit 3", &bytes, 20).expect("it ran").code, 3, "{backend}");
        let file = stand.path("counted").display().to_string();
        let deaf = format!("exec >/dev/null 2>&1; exec >&- 2>&-; wc -c >{file}");
        assert_eq!(run(node, &deaf, &bytes, 20).expect("it ran").code, 0, "{backend}");
        assert_eq!(std::fs::read_to_string(&file).expect("written").trim(), "6000000", "{backend}");

        // As long as a script of faults may ever be.
        let long = format!("#{}\necho end", "x".repeat(60_000));
        assert_eq!(ask(node, &long), "end", "{backend}");
    }
}

#[test]
fn commands_at_once_do_not_wait_for_each_other() {
    for backend in BACKENDS {
        let Some(stand) = Stand::over(backend, "once") else { return };
        let node = connect(&stand).expect("it is up");
        let (here, there) = (stand.path("here"), stand.path("there"));
        let meet = |own: &std::path::Path, other: &std::path::Path| {
            let (own, other) = (own.display(), other.display());
            format!(
                "touch {own}; n=0; until [ -e {other} ]; do n=$((n+1)); [ $n -lt 200 ] || exit 1; sleep 0.05; done"
            )
        };
        let met = thread::scope(|scope| {
            let one = scope.spawn(|| run(node.as_ref(), &meet(&here, &there), b"", 20));
            let other = scope.spawn(|| run(node.as_ref(), &meet(&there, &here), b"", 20));
            [one, other].map(|met| met.join().expect("no panic").expect("it ran").code)
        });
        assert_eq!(met, [0, 0], "{backend}");
    }
}

#[test]
fn a_time_limit_ends_a_command_on_its_host_too() {
    for backend in BACKENDS {
        let Some(stand) = Stand::over(backend, "late") else { return };
        let node = connect(&stand).expect("it is up");
        let pid = stand.path("pid-of-it");
        let error = run(node.as_ref(), &format!("echo $$ >{}; sleep 1000", pid.display()), b"", 1);
        let error = error.expect_err("it is late");
        assert!(
            matches!(&error, NodeError::Late { what, seconds: 1, .. } if what == "ask"),
            "{backend}: {error}"
        );
        let pid = std::fs::read_to_string(pid).expect("written");
        let gone = || !std::path::Path::new(&format!("/proc/{}", pid.trim())).exists();
        assert!(poll(HEALED, gone), "{backend}: it is ended");
        assert_eq!(ask(node.as_ref(), "echo on"), "on", "{backend}");
    }
}

#[test]
fn a_connection_that_broke_is_made_anew_and_used_again() {
    for backend in BACKENDS {
        let Some(stand) = Stand::over(backend, "broken") else { return };
        let node = connect(&stand).expect("it is up");
        let first = ask(node.as_ref(), SERVED_BY);
        assert_eq!(first, ask(node.as_ref(), SERVED_BY), "{backend}: one connection for all");
        // A process that this test's own sshd started, by its id.
        sh(&format!("kill -KILL {first}")).expect("root");
        let second = ask(node.as_ref(), SERVED_BY);
        assert_ne!(first, second, "{backend}");
        // Where ssh had not noticed yet, that command went its own way, and the next one mends it.
        let shared = || ask(node.as_ref(), SERVED_BY) == ask(node.as_ref(), SERVED_BY);
        assert!(poll(HEALED, shared), "{backend}: one connection for all again");
    }
}

#[test]
fn a_command_whose_connection_breaks_under_it_is_not_repeated() {
    for backend in BACKENDS {
        let Some(stand) = Stand::over(backend, "under") else { return };
        let node = connect(&stand).expect("it is up");
        let count = stand.path("count").display().to_string();
        let script = format!("echo once >>{count}; kill -KILL $({SERVED_BY}); sleep 1");
        let error = run(node.as_ref(), &script, b"", 20).expect_err("nobody knows how it ended");
        assert!(
            matches!(&error, NodeError::Unreachable { .. }) && !error.nothing_ran(),
            "{backend}: {error}"
        );
        assert_eq!(ask(node.as_ref(), "echo on"), "on", "{backend}");
        assert_eq!(std::fs::read_to_string(&count).expect("written"), "once\n", "{backend}");
    }
}

/// Rewrites a part of the cluster file.
fn with(stand: &Stand, from: &str, to: &str) {
    stand.write_cluster_file("breakable = true");
    let text = std::fs::read_to_string(stand.cluster_file()).expect("readable");
    assert!(text.contains(from), "`{from}` is there");
    std::fs::write(stand.cluster_file(), text.replacen(from, to, 1)).expect("writable");
}

#[test]
fn a_host_is_let_near_only_with_the_key_on_record() {
    for backend in BACKENDS {
        let Some(stand) = Stand::over(backend, "trust") else { return };
        let known = |script: &str| {
            sh(&format!("cd {}; {script}", stand.dir.path().display())).expect("written");
        };
        let refused = |why: &str| {
            let error = connect(&stand).map(drop).expect_err(why);
            assert!(
                matches!(&error, NodeError::HostKey { host, .. } if host == "127.0.0.1")
                    && error.to_string().contains("shows a key that is not on record"),
                "{backend}: {why}: {error}"
            );
        };
        known("cp known good; : >known");
        refused("an unknown key");
        known("printf '[127.0.0.1]:2222 %s\\n' \"$(cut -d' ' -f1,2 user.pub)\" >known");
        refused("another key of the same type");
        known("sed 's/:2222/:2223/' good >known");
        refused("the key of another port");
        known("cp good known; sed 's/^/@revoked /' good >>known");
        refused("a revoked key");
        known("cp good known; ssh-keygen -q -H -f known");
        connect(&stand).expect("a hashed name");
        known("sed 's/^[^ ]*/127.0.0.?,!127.0.0.2/' good >known");
        connect(&stand).expect("a pattern without a port");
        // The host has a key of another type as well: whichever is on record is asked for.
        known("printf '[127.0.0.1]:2222 %s\\n' \"$(cut -d' ' -f1,2 host2.pub)\" >known");
        connect(&stand).expect("the other type");
    }
}

#[test]
fn who_is_not_let_in_hears_why() {
    for backend in BACKENDS {
        let Some(stand) = Stand::over(backend, "who") else { return };
        let root = stand.dir.path().display().to_string();
        let denied = || {
            let error = connect(&stand).map(drop).expect_err("not let in");
            assert!(matches!(&error, NodeError::Denied { .. }), "{backend}: {error}");
            error.to_string()
        };
        let key = format!("key = \"{root}/user\"");
        with(&stand, &key, &format!("key = \"{root}/host\""));
        assert!(denied().contains("host `127.0.0.1` does not let `root` in"), "{backend}");
        with(&stand, &key, &format!("key = \"{root}/none\""));
        denied();
        for kind in ["ecdsa", "rsa"] {
            sh(&format!("cd {root}; ssh-keygen -q -t {kind} -N '' -f {kind}; cat {kind}.pub >>authorized"))
                .expect("a key");
            with(&stand, &key, &format!("key = \"{root}/{kind}\""));
            connect(&stand).unwrap_or_else(|error| panic!("{backend}: {kind}: {error}"));
        }
        // One with a passphrase is the agent's.
        sh(&format!(
            "cd {root}; cp user locked; cp user.pub locked.pub; ssh-keygen -q -p -P '' -N secret -f locked"
        ))
        .expect("a key");
        let agent = stand.path("agent");
        let _running = Agent::new(&agent);
        let locked = format!("key = \"{root}/locked\"\nidentity_agent = \"{}\"", agent.display());
        with(&stand, &key, &locked);
        let said = denied();
        assert!(said.contains("load it into ssh-agent"), "{backend}: {said}");
        assert!(backend != "ssh2" || said.contains("has a passphrase"), "{said}");
        sh(&format!("SSH_AUTH_SOCK={} ssh-add -q {root}/user", agent.display())).expect("added");
        connect(&stand).unwrap_or_else(|error| panic!("{backend}: the agent has it: {error}"));
        with(&stand, &key, &format!("identity_agent = \"{}\"", agent.display()));
        connect(&stand).unwrap_or_else(|error| panic!("{backend}: by the agent alone: {error}"));
    }
}

#[test]
fn a_host_that_is_not_there_is_told_in_time() {
    for backend in BACKENDS {
        let Some(stand) = Stand::over(backend, "there") else { return };
        let unreachable = |part: &str| {
            let error = connect(&stand).map(drop).expect_err("nobody is there");
            assert!(matches!(&error, NodeError::Unreachable { .. }), "{backend}: {error}");
            assert!(error.to_string().contains(part), "{backend}: {error}");
        };
        with(&stand, "port = 2222", "port = 2");
        unreachable("Connection refused");
        with(&stand, "host = \"127.0.0.1\"", "host = \"nobody.invalid\"");
        unreachable("nobody.invalid");
        // One that takes connections and says nothing.
        let said = stand.path("silent").display().to_string();
        stand.inside(&format!("setsid python3 -c 'import socket, time; s = socket.create_server((\"127.0.0.1\", 2224)); open(\"{said}\", \"w\"); time.sleep(60)' </dev/null >/dev/null 2>&1 &")).expect("it starts");
        if poll(Duration::from_secs(10), || std::path::Path::new(&said).exists()) {
            with(&stand, "port = 2222", "connect_timeout = 1\nport = 2224");
            unreachable("127.0.0.1");
        } else {
            skip("a host that takes connections and says nothing: python3 is not there");
        }
    }
}
