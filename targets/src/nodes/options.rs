//! How to reach a host, whichever backend does it; and which backend that is where nobody says.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nemesis::node::quote;
use nix::unistd::{Uid, User};
use serde::{Deserialize, Serialize};

/// How long a connection may take to be there, unless the cluster file says otherwise.
const CONNECT: Duration = Duration::from_secs(10);
/// Where sshd listens where nobody says otherwise.
pub(super) const SSH_PORT: u16 = 22;

/// What speaks SSH.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Backend {
    /// The library in this program: keys, agent and known hosts.
    Ssh2,
    /// The system's `ssh`: also bastions, its configuration and keys of hardware.
    OpenSsh,
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ssh2 => "ssh2",
            Self::OpenSsh => "openssh",
        })
    }
}

/// How to reach a host.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SshOptions {
    /// Name or address; for the system's `ssh` also a name of `~/.ssh/config`.
    pub host: String,
    /// As whom; otherwise this user, or as ssh's configuration says.
    pub user: Option<String>,
    /// Port; otherwise 22, or as ssh's configuration says.
    pub port: Option<u16>,
    /// File of the private key; otherwise agent and the usual files.
    pub key: Option<PathBuf>,
    /// File of known host keys; otherwise ssh's own.
    pub known_hosts: Option<PathBuf>,
    /// A configuration file of ssh instead of the user's own.
    pub config: Option<PathBuf>,
    /// Bastions on the way, as `ssh -J` takes them; their keys are ssh's configuration's.
    pub jump: Option<String>,
    /// Socket of the agent, or `none`; otherwise `SSH_AUTH_SOCK`.
    pub identity_agent: Option<String>,
    /// How long a connection may take to be there; otherwise 10 s.
    pub connect_timeout: Option<Duration>,
    /// The network namespace that the way to the host begins in, by the name that `ip netns` knows.
    pub namespace: Option<String>,
}

impl SshOptions {
    /// What of these options only the system's `ssh` can do, by its name in a cluster file.
    #[must_use]
    pub fn needs_openssh(&self) -> Option<&'static str> {
        let agent = self.identity_agent.as_deref();
        if self.jump.is_some() {
            Some("jump")
        } else if self.config.is_some() {
            Some("config")
        } else if agent.is_some_and(|agent| agent.contains(['%', '$'])) {
            Some("identity_agent")
        } else if self.key.as_deref().is_some_and(is_of_hardware) {
            Some("key")
        } else {
            None
        }
    }

    /// The backend where nobody says: the library, unless something needs the system's `ssh`, or the user has a
    /// configuration of it that the host may be in.
    #[must_use]
    pub fn usual_backend(&self) -> Backend {
        let configured = home().is_some_and(|home| home.join(".ssh/config").exists());
        if configured || self.needs_openssh().is_some() { Backend::OpenSsh } else { Backend::Ssh2 }
    }

    pub(super) fn timeout(&self) -> Duration {
        self.connect_timeout.unwrap_or(CONNECT)
    }

    /// What a person would type to see whether this way works.
    pub(super) fn by_hand(&self) -> String {
        let part = |flag: &str, value: Option<String>| value.map(|value| format!(" {flag} {value}"));
        let flags = [
            part("-F", self.config.as_ref().map(|file| quote(&file.display().to_string()))),
            part("-J", self.jump.clone()),
            part("-l", self.user.clone()),
            part("-p", self.port.map(|port| port.to_string())),
        ];
        format!("ssh{} {} true", flags.into_iter().flatten().collect::<String>(), self.host)
    }

    /// The user as errors name him.
    pub(super) fn user(&self) -> String {
        self.user.clone().unwrap_or_else(|| "this user".to_owned())
    }

    /// The user's own name, where the host is told one.
    pub(super) fn login(&self) -> Option<String> {
        let this = || User::from_uid(Uid::effective()).ok().flatten().map(|user| user.name);
        self.user.clone().or_else(this)
    }
}

/// The user's home directory.
pub(super) fn home() -> Option<PathBuf> {
    std::env::var_os("HOME").filter(|home| !home.is_empty()).map(PathBuf::from)
}

/// A path as ssh takes it: `~/` is the user's home.
pub(super) fn expanded(path: &Path) -> PathBuf {
    match (path.strip_prefix("~"), home()) {
        (Ok(rest), Some(home)) => home.join(rest),
        _ => path.to_owned(),
    }
}

/// The public half of a key, as `ssh-keygen` puts it beside the private one.
pub(super) fn public_half(key: &Path) -> Option<String> {
    let mut name = expanded(key).into_os_string();
    name.push(".pub");
    fs::read_to_string(name).ok()
}

/// Whether a key's signatures are made by a security key (FIDO), going by its public half.
fn is_of_hardware(key: &Path) -> bool {
    public_half(key).is_some_and(|public| public.starts_with("sk-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_ssh_can_do_is_named() {
        let needs = |change: &dyn Fn(&mut SshOptions)| {
            let mut options = SshOptions { host: "b1".to_owned(), ..SshOptions::default() };
            change(&mut options);
            options.needs_openssh()
        };
        assert_eq!(needs(&|_| ()), None);
        assert_eq!(needs(&|options| options.jump = Some("bastion".to_owned())), Some("jump"));
        assert_eq!(needs(&|options| options.config = Some("c".into())), Some("config"));
        assert_eq!(needs(&|options| options.identity_agent = Some("/run/agent".to_owned())), None);
        assert_eq!(
            needs(&|options| options.identity_agent = Some("$AGENT".to_owned())),
            Some("identity_agent")
        );
        let dir = tempfile::tempdir().unwrap();
        let key = dir.path().join("key");
        fs::write(dir.path().join("key.pub"), "sk-ssh-ed25519@openssh.com AAAA me\n").unwrap();
        assert_eq!(needs(&|options| options.key = Some(key.clone())), Some("key"));
        fs::write(dir.path().join("key.pub"), "ssh-ed25519 AAAA me\n").unwrap();
        assert_eq!(needs(&|options| options.key = Some(key.clone())), None);
    }

    #[test]
    fn the_way_is_told_as_one_would_type_it() {
        let options = SshOptions {
            host: "b1".to_owned(),
            user: Some("kafka".to_owned()),
            port: Some(2222),
            ..SshOptions::default()
        };
        assert_eq!(options.by_hand(), "ssh -l kafka -p 2222 b1 true");
    }
}
