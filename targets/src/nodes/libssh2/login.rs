//! Being let in by a host: by the key that is named, or by the agent and the usual keys, in the order that ssh
//! tries them. Nobody is asked for anything.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ssh2::{ErrorCode, Session};

use super::super::options::{SshOptions, expanded, home, public_half};

/// Keys that are tried where none is named.
const USUAL: [&str; 3] = ["id_ed25519", "id_ecdsa", "id_rsa"];
/// How the Base64 of a private key in OpenSSH's own format begins that no passphrase protects: the format's name,
/// and `none` for its cipher.
const UNPROTECTED: &str = "b3BlbnNzaC1rZXktdjEAAAAABG5vbmU";
/// libssh2's codes of a connection that is gone, or too slow.
const GONE: [i32; 5] = [-7, -9, -13, -30, -43];

/// Why we are not in.
#[derive(Debug)]
pub(super) enum NotIn {
    /// The host, or a key, says no: what was tried, each with its answer.
    Denied(String),
    /// The connection is gone.
    Gone(String),
}

/// Whether a mistake of libssh2 means that there is no connection any more.
pub(super) fn is_gone(error: &ssh2::Error) -> bool {
    matches!(error.code(), ErrorCode::Session(code) if GONE.contains(&code))
}

/// Logs in.
///
/// # Errors
/// If nothing that is tried is accepted, or the connection breaks.
pub(super) fn log_in(session: &Session, options: &SshOptions, user: &str) -> Result<(), NotIn> {
    let mut login = Login { session, options, user, tried: Vec::new() };
    let is_in = match &options.key {
        Some(key) => login.key(&expanded(key))?,
        None => login.agent(None)? || login.usual_keys()?,
    };
    if is_in { Ok(()) } else { Err(NotIn::Denied(login.tried.join("; "))) }
}

struct Login<'a> {
    session: &'a Session,
    options: &'a SshOptions,
    user: &'a str,
    /// What did not help.
    tried: Vec<String>,
}

impl Login<'_> {
    fn key(&mut self, key: &Path) -> Result<bool, NotIn> {
        let name = key.display();
        let text = match std::fs::read_to_string(key) {
            Ok(text) => text,
            Err(error) => {
                self.tried.push(format!("failed to read key `{name}`: {error}"));
                return Ok(false);
            }
        };
        if is_protected(&text) {
            // The agent may have it, as `ssh-add` gave it.
            let public = public_half(key);
            let is_in = match &public {
                Some(public) => self.agent(public.split_whitespace().nth(1))?,
                None => false,
            };
            if !is_in {
                self.tried
                    .push(format!("key `{name}` has a passphrase, so `ssh-add {name}` must have been said"));
            }
            return Ok(is_in);
        }
        let result = self.session.userauth_pubkey_file(self.user, None, key, None);
        self.answer(&format!("key `{name}`"), result)
    }

    fn usual_keys(&mut self) -> Result<bool, NotIn> {
        let Some(dir) = home().map(|home| home.join(".ssh")) else { return Ok(false) };
        for key in USUAL.map(|name| dir.join(name)) {
            if key.is_file() && self.key(&key)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Tries the agent's keys, or the one with this public half alone.
    fn agent(&mut self, only: Option<&str>) -> Result<bool, NotIn> {
        let socket = match self.options.identity_agent.as_deref() {
            Some("none") => return Ok(false),
            Some(path) if path != "SSH_AUTH_SOCK" => expanded(Path::new(path)),
            _ => match std::env::var_os("SSH_AUTH_SOCK") {
                Some(path) if !path.is_empty() => PathBuf::from(path),
                _ => {
                    self.tried.push("no agent (SSH_AUTH_SOCK is not set)".to_owned());
                    return Ok(false);
                }
            },
        };
        let asked = self.session.agent().and_then(|mut agent| {
            agent.set_identity_path(&socket)?;
            agent.connect()?;
            agent.list_identities()?;
            let keys = agent.identities()?;
            Ok((agent, keys))
        });
        let (agent, keys) = match asked {
            Ok(asked) => asked,
            Err(error) => {
                self.tried.push(format!("agent `{}`: {}", socket.display(), error.message()));
                return Ok(false);
            }
        };
        let wanted = keys.iter().filter(|key| only.is_none_or(|only| only == STANDARD.encode(key.blob())));
        let mut count = 0;
        for key in wanted {
            count += 1;
            let result = agent.userauth(self.user, key);
            if self.answer(&format!("the agent's key `{}`", key.comment()), result)? {
                return Ok(true);
            }
        }
        if count == 0 {
            self.tried.push(format!("agent `{}` has no key for it", socket.display()));
        }
        Ok(false)
    }

    /// What the host made of a key.
    fn answer(&mut self, what: &str, result: Result<(), ssh2::Error>) -> Result<bool, NotIn> {
        match result {
            Ok(()) => Ok(true),
            // A host that has seen too many keys hangs up, which is an answer to them.
            Err(error) if is_gone(&error) && self.tried.is_empty() => {
                Err(NotIn::Gone(error.message().to_owned()))
            }
            Err(error) if is_gone(&error) => {
                self.tried.push(format!("{what}: {}", error.message()));
                Err(NotIn::Denied(self.tried.join("; ")))
            }
            Err(error) => {
                self.tried.push(format!("{what}: {}", error.message()));
                Ok(false)
            }
        }
    }
}

/// Whether a private key needs a passphrase.
fn is_protected(text: &str) -> bool {
    let mut lines = text.lines().map(str::trim);
    match lines.find(|line| line.starts_with("-----BEGIN ")) {
        Some("-----BEGIN OPENSSH PRIVATE KEY-----") => {
            lines.next().is_some_and(|line| !line.starts_with(UNPROTECTED))
        }
        Some("-----BEGIN ENCRYPTED PRIVATE KEY-----") => true,
        Some(_) => {
            lines.next().is_some_and(|line| line.starts_with("Proc-Type:") && line.contains("ENCRYPTED"))
        }
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_passphrase_is_seen_in_every_format() {
        let key =
            |kind: &str, line: &str| format!("-----BEGIN {kind}-----\n{line}\nAAAA\n-----END {kind}-----\n");
        assert!(!is_protected(&key("OPENSSH PRIVATE KEY", &format!("{UNPROTECTED}AAAAEbm9uZQAAAA"))));
        assert!(is_protected(&key(
            "OPENSSH PRIVATE KEY",
            "b3BlbnNzaC1rZXktdjEAAAAACmFlczI1Ni1jdHIAAAAGYmNyeXB0"
        )));
        assert!(is_protected(&key("ENCRYPTED PRIVATE KEY", "MIIF")));
        assert!(is_protected(&key("RSA PRIVATE KEY", "Proc-Type: 4,ENCRYPTED")));
        assert!(!is_protected(&key("RSA PRIVATE KEY", "MIIF")));
        assert!(!is_protected("no key at all"));
    }
}
