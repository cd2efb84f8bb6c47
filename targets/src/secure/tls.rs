//! TLS by librdkafka's properties: which certificates are believed, which one is shown, and whether names count.

use std::io;
use std::net::TcpStream;
use std::path::Path;

use openssl::error::ErrorStack;
use openssl::pkey::PKey;
use openssl::ssl::{HandshakeError, SslConnector, SslConnectorBuilder, SslMethod, SslStream, SslVerifyMode};
use openssl::x509::X509;

use super::{Tls, Unfollowed, unfollowed};

/// Where systems keep the certificates they believe; librdkafka looks there as well.
const SYSTEMS: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// Reads the properties.
pub(super) fn read<'p>(get: &impl Fn(&str) -> Option<&'p str>) -> Result<Tls, Unfollowed> {
    if get("ssl.keystore.location").is_some() {
        let reason = "not in this build (give ssl.certificate.location and ssl.key.location)";
        return Err(unfollowed("ssl.keystore.location", reason));
    }
    let failed = |error: ErrorStack| unfollowed("security.protocol", error.to_string());
    let mut builder = SslConnector::builder(SslMethod::tls_client()).map_err(failed)?;
    believe(&mut builder, get)?;
    show(&mut builder, get)?;
    if get("enable.ssl.certificate.verification").is_some_and(|value| value.eq_ignore_ascii_case("false")) {
        builder.set_verify(SslVerifyMode::NONE);
    }
    let named = get("ssl.endpoint.identification.algorithm")
        .is_none_or(|algorithm| !algorithm.eq_ignore_ascii_case("none"));
    Ok(Tls { connector: builder.build(), named })
}

/// Whose certificates are believed.
fn believe<'p>(
    builder: &mut SslConnectorBuilder,
    get: &impl Fn(&str) -> Option<&'p str>,
) -> Result<(), Unfollowed> {
    if let Some(pem) = get("ssl.ca.pem") {
        let wrong = |error: ErrorStack| unfollowed("ssl.ca.pem", error.to_string());
        let certificates = X509::stack_from_pem(pem.as_bytes()).map_err(wrong)?;
        if certificates.is_empty() {
            return Err(unfollowed("ssl.ca.pem", "there is no certificate in it"));
        }
        return certificates
            .into_iter()
            .try_for_each(|certificate| builder.cert_store_mut().add_cert(certificate))
            .map_err(wrong);
    }
    if let Some(place) = get("ssl.ca.location").filter(|place| *place != "probe") {
        let path = Path::new(place);
        let loaded = if path.is_dir() {
            builder.load_verify_locations(None, Some(path))
        } else {
            builder.set_ca_file(path)
        };
        return loaded.map_err(|error| unfollowed("ssl.ca.location", format!("`{place}`: {error}")));
    }
    // Where none of them is there, nobody is believed, and the handshake says so.
    match SYSTEMS.iter().find(|file| Path::new(file).is_file()) {
        Some(file) => builder
            .set_ca_file(file)
            .map_err(|error| unfollowed("ssl.ca.location", format!("`{file}`: {error}"))),
        None => Ok(()),
    }
}

/// Which certificate is shown to the broker, if any.
fn show<'p>(
    builder: &mut SslConnectorBuilder,
    get: &impl Fn(&str) -> Option<&'p str>,
) -> Result<(), Unfollowed> {
    let text = |location: &str, pem: &str| -> Result<Option<(String, Vec<u8>)>, Unfollowed> {
        match (get(pem), get(location)) {
            (Some(text), _) => Ok(Some((pem.to_owned(), text.as_bytes().to_vec()))),
            (None, Some(path)) => match std::fs::read(path) {
                Ok(bytes) => Ok(Some((location.to_owned(), bytes))),
                Err(error) => Err(unfollowed(location, format!("`{path}`: {error}"))),
            },
            (None, None) => Ok(None),
        }
    };
    if let Some((name, bytes)) = text("ssl.certificate.location", "ssl.certificate.pem")? {
        let wrong = |error: ErrorStack| unfollowed(&name, error.to_string());
        let mut chain = X509::stack_from_pem(&bytes).map_err(wrong)?.into_iter();
        let own = chain.next().ok_or_else(|| unfollowed(&name, "there is no certificate in it"))?;
        builder.set_certificate(&own).map_err(wrong)?;
        chain.try_for_each(|certificate| builder.add_extra_chain_cert(certificate)).map_err(wrong)?;
    }
    if let Some((name, bytes)) = text("ssl.key.location", "ssl.key.pem")? {
        let wrong = |error: ErrorStack| unfollowed(&name, error.to_string());
        // Without a passphrase OpenSSL would ask for one on the terminal.
        let password = get("ssl.key.password").unwrap_or_default();
        let key = PKey::private_key_from_pem_passphrase(&bytes, password.as_bytes()).map_err(wrong)?;
        builder.set_private_key(&key).map_err(wrong)?;
    }
    Ok(())
}

impl Tls {
    pub(super) fn connect(&self, socket: TcpStream, host: &str) -> io::Result<SslStream<TcpStream>> {
        let mut configuration = self.connector.configure()?;
        configuration.set_verify_hostname(self.named);
        configuration.connect(host, socket).map_err(|error| match error {
            HandshakeError::SetupFailure(error) => error.into(),
            HandshakeError::WouldBlock(_) => {
                io::Error::new(io::ErrorKind::TimedOut, "no answer to the TLS handshake in time")
            }
            HandshakeError::Failure(stream) => {
                let why = stream.ssl().verify_result();
                let why = if why == openssl::x509::X509VerifyResult::OK {
                    stream.error().to_string()
                } else {
                    why.error_string().to_owned()
                };
                io::Error::other(format!("TLS: {why}"))
            }
        })
    }
}
