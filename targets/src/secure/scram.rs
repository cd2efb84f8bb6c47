//! SCRAM (RFC 5802, RFC 7677) from the client's side: the password never travels, and the broker proves that it knows
//! it too.

use openssl::base64::{decode_block, encode_block};
use openssl::hash::{MessageDigest, hash};
use openssl::memcmp;
use openssl::pkcs5::pbkdf2_hmac;
use openssl::pkey::PKey;
use openssl::sign::Signer;

/// Kafka's own lower limit; a broker that asks for less is none to be trusted.
const ROUNDS_MIN: usize = 4096;
/// What would keep us busy for minutes.
const ROUNDS_MAX: usize = 10_000_000;

/// One login.
pub(super) struct Scram {
    digest: MessageDigest,
    password: String,
    nonce: String,
    /// `n=user,r=nonce`.
    first: String,
}

/// What is sent last, and what the broker must answer then.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Last {
    pub(super) message: String,
    signature: Vec<u8>,
}

impl Scram {
    pub(super) fn new(digest: MessageDigest, user: &str, password: &str, nonce: &str) -> Self {
        let user = user.replace('=', "=3D").replace(',', "=2C");
        let first = format!("n={user},r={nonce}");
        Self { digest, password: password.to_owned(), nonce: nonce.to_owned(), first }
    }

    /// What is sent first.
    pub(super) fn first(&self) -> String {
        format!("n,,{}", self.first)
    }

    /// Answers the broker's `r=nonce,s=salt,i=rounds`.
    pub(super) fn last(&self, challenge: &str) -> Result<Last, String> {
        let part = |name: char| {
            let mut parts = challenge.split(',');
            parts.find_map(|part| part.strip_prefix(name)?.strip_prefix('='))
        };
        let (Some(nonce), Some(salt), Some(rounds)) = (part('r'), part('s'), part('i')) else {
            return Err(format!("the broker's challenge is not SCRAM's: `{challenge}`"));
        };
        if !nonce.starts_with(&self.nonce) || nonce == self.nonce {
            return Err("the broker's nonce does not begin with ours".to_owned());
        }
        let rounds: usize = rounds.parse().unwrap_or(0);
        if !(ROUNDS_MIN..=ROUNDS_MAX).contains(&rounds) {
            return Err(format!("the broker asks for {rounds} rounds of SCRAM"));
        }
        self.prove(challenge, nonce, salt, rounds).map_err(|error| error.to_string())
    }

    fn prove(
        &self,
        challenge: &str,
        nonce: &str,
        salt: &str,
        rounds: usize,
    ) -> Result<Last, openssl::error::ErrorStack> {
        let salt = decode_block(salt)?;
        let mut salted = vec![0; self.digest.size()];
        pbkdf2_hmac(self.password.as_bytes(), &salt, rounds, self.digest, &mut salted)?;
        // `biws` is Base64 for `n,,`: no channel is bound.
        let without_proof = format!("c=biws,r={nonce}");
        let both = format!("{},{challenge},{without_proof}", self.first);
        let client = self.mac(&salted, b"Client Key")?;
        let stored = hash(self.digest, &client)?;
        let signature = self.mac(&stored, both.as_bytes())?;
        let proof: Vec<u8> = client.iter().zip(&signature).map(|(one, other)| one ^ other).collect();
        let server = self.mac(&salted, b"Server Key")?;
        let message = format!("{without_proof},p={}", encode_block(&proof));
        Ok(Last { message, signature: self.mac(&server, both.as_bytes())? })
    }

    fn mac(&self, key: &[u8], text: &[u8]) -> Result<Vec<u8>, openssl::error::ErrorStack> {
        Signer::new(self.digest, &*PKey::hmac(key)?)?.sign_oneshot_to_vec(text)
    }
}

impl Last {
    /// Whether the broker's `v=signature` proves that it knows the password.
    pub(super) fn is_proof(&self, answer: &str) -> bool {
        let shown = answer.strip_prefix("v=").and_then(|shown| decode_block(shown.split(',').next()?).ok());
        shown.is_some_and(|shown| shown.len() == self.signature.len() && memcmp::eq(&shown, &self.signature))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 7677.
    #[test]
    fn the_standards_own_example_comes_out() {
        let scram = Scram::new(MessageDigest::sha256(), "user", "pencil", "rOprNGfwEbeRWgbNEkqO");
        assert_eq!(scram.first(), "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        let nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
        let challenge = format!("r={nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096");
        let last = scram.last(&challenge).unwrap();
        assert_eq!(last.message, format!("c=biws,r={nonce},p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="));
        assert!(last.is_proof("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="));
        assert!(!last.is_proof("v=7rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=") && !last.is_proof("e=no"));
    }

    #[test]
    fn challenges_that_are_none_are_refused() {
        let scram = Scram::new(MessageDigest::sha512(), "a,b=c", "x", "ours");
        assert_eq!(scram.first(), "n,,n=a=2Cb=3Dc,r=ours");
        for challenge in ["", "r=theirs,s=AAAA,i=4096", "r=ours,s=AAAA,i=4096", "r=ours1,s=AAAA,i=1", "e=no"]
        {
            assert!(scram.last(challenge).is_err(), "{challenge}");
        }
    }
}
