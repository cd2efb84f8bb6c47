//! A connection to a broker of our own, by the properties that the clients have: in the clear or with TLS, logged in
//! by SASL or not. It asks what client libraries keep to themselves, such as leader epochs.

mod scram;
mod tls;

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Read, Write};
use std::net::TcpStream;

use bytes::{Bytes, BytesMut};
use openssl::hash::MessageDigest;
use openssl::ssl::SslConnector;
use wire::frame::FrameError;
use wire::sasl;

use self::scram::Scram;

/// Bytes of a nonce before it is text.
const NONCE: usize = 24;

/// The properties cannot be followed here.
#[derive(Debug, thiserror::Error)]
#[error("`{property}` cannot be followed: {reason}")]
pub struct Unfollowed {
    /// The property of librdkafka.
    pub property: String,
    /// Why, and what could be.
    pub reason: String,
}

fn unfollowed(property: &str, reason: impl Into<String>) -> Unfollowed {
    Unfollowed { property: property.to_owned(), reason: reason.into() }
}

/// How connections to brokers are made.
#[derive(Clone, Default)]
pub struct Security {
    tls: Option<Tls>,
    login: Option<Login>,
}

/// Without its secrets.
impl fmt::Debug for Security {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let user = self.login.as_ref().map(|login| &login.user);
        f.debug_struct("Security").field("tls", &self.tls.is_some()).field("user", &user).finish()
    }
}

#[derive(Clone)]
struct Tls {
    connector: SslConnector,
    /// The certificate must have the broker's name.
    named: bool,
}

#[derive(Clone)]
struct Login {
    mechanism: Mechanism,
    user: String,
    password: String,
}

#[derive(Clone, Copy)]
enum Mechanism {
    Plain,
    Scram256,
    Scram512,
}

impl Mechanism {
    const ALL: [(&'static str, Self); 3] =
        [("PLAIN", Self::Plain), ("SCRAM-SHA-256", Self::Scram256), ("SCRAM-SHA-512", Self::Scram512)];
}

/// What bytes go through.
pub(crate) trait Stream: Read + Write + Send {}

impl<S: Read + Write + Send> Stream for S {}

impl Security {
    /// Reads librdkafka's properties.
    ///
    /// # Errors
    /// If they say what cannot be done here, or name a file that cannot be read.
    pub fn of(properties: &BTreeMap<String, String>) -> Result<Self, Unfollowed> {
        let get = |name: &str| properties.get(name).map(String::as_str).filter(|value| !value.is_empty());
        let protocol = get("security.protocol").unwrap_or("plaintext").to_ascii_lowercase();
        let (with_tls, with_login) = match protocol.as_str() {
            "plaintext" => (false, false),
            "ssl" => (true, false),
            "sasl_plaintext" => (false, true),
            "sasl_ssl" => (true, true),
            _ => return Err(unfollowed("security.protocol", format!("nobody knows `{protocol}`"))),
        };
        let tls = with_tls.then(|| tls::read(&get)).transpose()?;
        let login = with_login.then(|| Login::read(&get)).transpose()?;
        Ok(Self { tls, login })
    }

    /// Makes a connection fit to be asked on, for the broker of that name. The socket has its time limits.
    ///
    /// # Errors
    /// If TLS fails, or the broker does not let us in.
    pub(crate) fn secure(&self, socket: TcpStream, host: &str) -> io::Result<Box<dyn Stream>> {
        let mut stream: Box<dyn Stream> = match &self.tls {
            None => Box::new(socket),
            Some(tls) => Box::new(tls.connect(socket, host)?),
        };
        if let Some(login) = &self.login {
            login.log_in(stream.as_mut())?;
        }
        Ok(stream)
    }

    /// Whether anything can go wrong that a plain connection does not know.
    pub(crate) const fn is_plain(&self) -> bool {
        self.tls.is_none() && self.login.is_none()
    }
}

impl Login {
    fn read<'p>(get: &impl Fn(&str) -> Option<&'p str>) -> Result<Self, Unfollowed> {
        // librdkafka's own default.
        let name = get("sasl.mechanism").or_else(|| get("sasl.mechanisms")).unwrap_or("GSSAPI");
        let known = Mechanism::ALL.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        let Some((_, mechanism)) = known else {
            let names: Vec<_> = Mechanism::ALL.iter().map(|(name, _)| *name).collect();
            let reason = format!("not by `{name}` (use one of {}, or --nemesis none)", names.join(", "));
            return Err(unfollowed("sasl.mechanism", reason));
        };
        let said = |name: &str| {
            get(name).map(str::to_owned).ok_or_else(|| unfollowed(name, "it is missing (set it)"))
        };
        Ok(Self { mechanism, user: said("sasl.username")?, password: said("sasl.password")? })
    }

    fn log_in(&self, stream: &mut dyn Stream) -> io::Result<()> {
        let name = match self.mechanism {
            Mechanism::Plain => "PLAIN",
            Mechanism::Scram256 => "SCRAM-SHA-256",
            Mechanism::Scram512 => "SCRAM-SHA-512",
        };
        ask(stream, sasl::handshake(name), sasl::shaken)?;
        let digest = match self.mechanism {
            Mechanism::Plain => {
                let token = format!("\0{}\0{}", self.user, self.password);
                return ask(stream, sasl::authenticate(token.into_bytes()), sasl::authenticated).map(drop);
            }
            Mechanism::Scram256 => MessageDigest::sha256(),
            Mechanism::Scram512 => MessageDigest::sha512(),
        };
        let mut nonce = [0; NONCE];
        openssl::rand::rand_bytes(&mut nonce)?;
        let nonce = openssl::base64::encode_block(&nonce);
        let scram = Scram::new(digest, &self.user, &self.password, &nonce);
        let token = |message: String| sasl::authenticate(message.into_bytes());
        let challenge = ask(stream, token(scram.first()), sasl::authenticated)?;
        let last = scram.last(&String::from_utf8_lossy(&challenge)).map_err(io::Error::other)?;
        let proof = ask(stream, token(last.message.clone()), sasl::authenticated)?;
        if last.is_proof(&String::from_utf8_lossy(&proof)) {
            return Ok(());
        }
        Err(io::Error::other("the broker does not prove that it knows the password"))
    }
}

/// One question and its answer.
fn ask(
    stream: &mut dyn Stream,
    question: Result<Bytes, FrameError>,
    answer: impl Fn(&mut BytesMut) -> Result<Option<sasl::Answer>, FrameError>,
) -> io::Result<Bytes> {
    stream.write_all(&question.map_err(io::Error::other)?)?;
    stream.flush()?;
    let answer = read_answer(stream, answer)?;
    answer.map_err(|why| io::Error::new(io::ErrorKind::PermissionDenied, why))
}

/// Reads until an answer is whole.
///
/// # Errors
/// If the connection ends before, or what comes is none.
pub(crate) fn read_answer<T>(
    stream: &mut dyn Stream,
    answer: impl Fn(&mut BytesMut) -> Result<Option<T>, FrameError>,
) -> io::Result<T> {
    let mut buffer = BytesMut::new();
    let mut chunk = [0; 8192];
    loop {
        if let Some(whole) = answer(&mut buffer).map_err(io::Error::other)? {
            return Ok(whole);
        }
        match stream.read(&mut chunk)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => buffer.extend_from_slice(&chunk[..read]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(pairs: &[(&str, &str)]) -> String {
        let properties =
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Security::of(&properties).err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn what_cannot_be_followed_is_named() {
        assert_eq!(refused(&[]), "");
        assert_eq!(refused(&[("security.protocol", "SSL")]), "");
        let login = [("security.protocol", "sasl_plaintext"), ("sasl.mechanisms", "plain")];
        assert!(refused(&login).contains("`sasl.username` cannot be followed: it is missing"));
        let whole = [&login[..], &[("sasl.username", "u"), ("sasl.password", "p")]].concat();
        assert_eq!(refused(&whole), "");
        assert!(
            refused(&[("security.protocol", "sasl_ssl")])
                .contains("not by `GSSAPI` (use one of PLAIN, SCRAM")
        );
        assert!(refused(&[("security.protocol", "tls")]).contains("nobody knows `tls`"));
        let ssl = |name, value| refused(&[("security.protocol", "ssl"), (name, value)]);
        assert!(ssl("ssl.ca.location", "/nowhere").contains("`ssl.ca.location`"));
        assert!(ssl("ssl.keystore.location", "/k.p12").contains("ssl.certificate.location"));
        assert!(ssl("ssl.ca.pem", "no certificate").contains("`ssl.ca.pem`"));
    }
}
