//! Whether a host is who it says: its key against those on record, by OpenSSH's rules for `known_hosts`: names,
//! patterns, hashed names, `[host]:port`, revoked keys. Certificates of hosts are the system's ssh's alone.

use std::fs;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use nemesis::node::NodeError;
use ssh2::{CheckResult, HashType, KnownHostFileKind, MethodType, Session};

use super::super::options::{SSH_PORT, SshOptions, expanded, home};

/// Keys of all hosts of this machine.
const OF_ALL_USERS: [&str; 2] = ["/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2"];
/// A key that no host has; shorter ones libssh2 takes for a mistake.
const NOBODYS: &str = "AAAAAAAAAAAAAAAAAAAAAAAA";
/// What an RSA key signs with, the better first; what is on record is its type alone.
const RSA: &str = "rsa-sha2-512,rsa-sha2-256,ssh-rsa";

/// The keys of one host that are on record.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct OnRecord {
    /// Their types and Base64.
    keys: Vec<(String, String)>,
    revoked: Vec<String>,
}

/// Looks up a host. A file that cannot be read has no keys.
pub(super) fn look_up(session: &Session, options: &SshOptions) -> OnRecord {
    let texts: Vec<_> = files(options).iter().filter_map(|file| fs::read_to_string(file).ok()).collect();
    let host = options.host.to_ascii_lowercase();
    let mut found = OnRecord::default();
    for name in names(&host, options.port.unwrap_or(SSH_PORT)) {
        for line in texts.iter().flat_map(|text| text.lines()) {
            found.read(line, |hosts| concerns(session, hosts, &name));
        }
        // The plain name counts for another port only where that port has no key of its own.
        if !found.keys.is_empty() {
            break;
        }
    }
    found
}

fn files(options: &SshOptions) -> Vec<PathBuf> {
    let own = match (&options.known_hosts, home()) {
        (Some(file), _) => vec![expanded(file)],
        (None, Some(home)) => vec![home.join(".ssh/known_hosts"), home.join(".ssh/known_hosts2")],
        (None, None) => Vec::new(),
    };
    own.into_iter().chain(OF_ALL_USERS.map(PathBuf::from)).collect()
}

fn names(host: &str, port: u16) -> Vec<String> {
    let plain = host.to_owned();
    if port == SSH_PORT { vec![plain] } else { vec![format!("[{host}]:{port}"), plain] }
}

impl OnRecord {
    /// Takes a line of a file if it concerns the host.
    fn read(&mut self, line: &str, concerns: impl FnOnce(&str) -> bool) {
        let mut words = line.split_whitespace().peekable();
        let marker = words.next_if(|word| word.starts_with('@'));
        let (Some(hosts), Some(kind), Some(key)) = (words.next(), words.next(), words.next()) else { return };
        if hosts.starts_with('#') || !concerns(hosts) {
            return;
        }
        match marker {
            None => self.keys.push((kind.to_owned(), key.to_owned())),
            Some("@revoked") => self.revoked.push(key.to_owned()),
            // Certificates are not looked at here.
            Some(_) => {}
        }
    }

    /// Asks the host for a key of a type that is on record, as ssh does: it may have several.
    ///
    /// # Errors
    /// If libssh2 knows none of the types.
    pub(super) fn prefer(&self, session: &Session) -> Result<(), ssh2::Error> {
        let supported = session.supported_algs(MethodType::HostKey)?;
        let known = self.keys.iter().map(|(kind, _)| if kind == "ssh-rsa" { RSA } else { kind });
        let wanted: Vec<&str> = known.flat_map(|kinds| kinds.split(',')).collect();
        let (mut first, others): (Vec<_>, Vec<_>) =
            supported.into_iter().partition(|kind| wanted.contains(kind));
        first.extend(others);
        session.method_pref(MethodType::HostKey, &first.join(","))
    }

    /// Compares the key that the host has shown.
    ///
    /// # Errors
    /// If it is not on record, or revoked.
    pub(super) fn check(&self, session: &Session, options: &SshOptions) -> Result<(), NodeError> {
        let shown = session.host_key().map(|(key, _)| STANDARD.encode(key));
        let is_shown = |key: &String| shown.as_ref() == Some(key);
        let revoked = self.revoked.iter().any(is_shown);
        if !revoked && self.keys.iter().any(|(_, key)| is_shown(key)) {
            return Ok(());
        }
        let print = session.host_key_hash(HashType::Sha256).map(|hash| STANDARD_NO_PAD.encode(hash));
        let shows = format!("it shows SHA256:{}", print.unwrap_or_default());
        let files = files(options);
        let why = if revoked {
            format!("{shows}, which is revoked")
        } else if self.keys.is_empty() {
            format!("{shows}, and no key of it is")
        } else {
            format!("{shows}, and another one is: it has changed, or somebody is in between")
        };
        let known_hosts = files.first().map(|file| file.display().to_string()).unwrap_or_default();
        Err(NodeError::HostKey { host: options.host.clone(), known_hosts, stderr: why })
    }
}

/// Whether the first word of a line means this name.
fn concerns(session: &Session, hosts: &str, name: &str) -> bool {
    if hosts.starts_with('|') {
        return is_hash_of(session, hosts, name);
    }
    let mut meant = false;
    for pattern in hosts.split(',') {
        match pattern.strip_prefix('!') {
            Some(not) if matches(not.as_bytes(), name.as_bytes()) => return false,
            Some(_) => {}
            None => meant |= matches(pattern.as_bytes(), name.as_bytes()),
        }
    }
    meant
}

/// `*` stands for any characters, `?` for one; names have no upper case.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    match (pattern, name) {
        ([], []) => true,
        ([b'*', rest @ ..], _) => (0..=name.len()).any(|taken| matches(rest, &name[taken..])),
        ([b'?', rest @ ..], [_, name @ ..]) => matches(rest, name),
        ([one, rest @ ..], [other, name @ ..]) => one.eq_ignore_ascii_case(other) && matches(rest, name),
        _ => false,
    }
}

/// `|1|salt|hash`: the HMAC-SHA1 of a name, which libssh2 compares. A key that nobody has tells whether the name is
/// the one.
fn is_hash_of(session: &Session, hash: &str, name: &str) -> bool {
    let Ok(mut one) = session.known_hosts() else { return false };
    let line = format!("{hash} ssh-ed25519 {NOBODYS}\n");
    one.read_str(&line, KnownHostFileKind::OpenSSH).is_ok()
        && matches!(one.check(name, b"x"), CheckResult::Mismatch | CheckResult::Match)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `ssh-keygen -H` hashed `[10.0.0.1]:2222`.
    const HASHED: &str = "|1|pcOFMIRl+uoLQHFZI47OPDuEQMU=|DoJ4JkrSZrdH5E9ei1aODgIUEjw=";

    fn keys(text: &str, host: &str, port: u16) -> Vec<String> {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("known_hosts");
        fs::write(&file, text).unwrap();
        let options = SshOptions {
            host: host.to_owned(),
            port: Some(port),
            known_hosts: Some(file),
            ..SshOptions::default()
        };
        let found = look_up(&Session::new().unwrap(), &options);
        found.keys.into_iter().map(|(_, key)| key).collect()
    }

    #[test]
    fn lines_are_read_as_ssh_reads_them() {
        let text = "# b1 ssh-rsa COMMENT\nb1,10.0.0.1 ssh-rsa ONE me\n[b1]:2222 ssh-ed25519 TWO\n*.example.com,!x.example.com ssh-rsa THREE\n\
                    @revoked b1 ssh-rsa FOUR\n@cert-authority * ssh-rsa FIVE\nbroken\n";
        assert_eq!(keys(text, "B1", 22), ["ONE"]);
        assert_eq!(keys(text, "10.0.0.1", 22), ["ONE"]);
        assert_eq!(keys(text, "b1", 2222), ["TWO"], "a port has its own");
        assert_eq!(keys(text, "b1", 2223), ["ONE"], "or that of the host");
        assert_eq!(keys(text, "a.example.com", 22), ["THREE"]);
        assert!(keys(text, "x.example.com", 22).is_empty() && keys(text, "b2", 22).is_empty());
    }

    #[test]
    fn hashed_names_are_found() {
        let text = format!("{HASHED} ssh-ed25519 ONE\n");
        assert_eq!(keys(&text, "10.0.0.1", 2222), ["ONE"]);
        assert!(keys(&text, "10.0.0.1", 22).is_empty() && keys(&text, "10.0.0.2", 2222).is_empty());
    }
}
