//! A string that is put, appended to and got. A state is a hash of its text (two polynomials modulo
//! 2^61 - 1), so that appending and comparing cost the same however long it grew.

use history::exchange::operations::{Action, TextId, Texts};

use super::{Object, scramble};

/// The text of a state, hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::linearizability) struct Text {
    length: u64,
    sums: [u64; 2],
}

/// A text and what appending it does to the sums before it.
#[derive(Debug, Clone, Copy)]
struct Piece {
    text: Text,
    factors: [u64; 2],
}

/// One key of a store of strings.
pub(in crate::linearizability) struct Kv {
    pieces: Vec<Piece>,
}

const MODULUS: u64 = (1 << 61) - 1;
const BASES: [u64; 2] = [0x0a5b_1d2c_93e7_f4d1, 0x1377_c0de_58a1_b2e3];
const EMPTY: Text = Text { length: 0, sums: [0; 2] };

fn times(one: u64, other: u64) -> u64 {
    let product = u128::from(one) * u128::from(other);
    let folded = (product as u64 & MODULUS) + (product >> 61) as u64;
    if folded >= MODULUS { folded - MODULUS } else { folded }
}

fn plus(one: u64, other: u64) -> u64 {
    let sum = one + other;
    if sum >= MODULUS { sum - MODULUS } else { sum }
}

fn power(mut base: u64, mut exponent: u64) -> u64 {
    let mut product = 1;
    while exponent > 0 {
        if exponent % 2 == 1 {
            product = times(product, base);
        }
        base = times(base, base);
        exponent /= 2;
    }
    product
}

impl Piece {
    fn new(text: &str) -> Self {
        let mut piece = Self { text: EMPTY, factors: [1; 2] };
        piece.text.length = text.len() as u64;
        for byte in text.bytes() {
            for (lane, base) in BASES.into_iter().enumerate() {
                piece.text.sums[lane] = plus(times(piece.text.sums[lane], base), u64::from(byte) + 1);
            }
        }
        piece.factors = BASES.map(|base| power(base, piece.text.length));
        piece
    }
}

impl Kv {
    /// Every text that occurs, hashed once.
    pub(in crate::linearizability) fn new(values: &Texts) -> Self {
        let pieces = (0..values.len()).map(|value| Piece::new(values.get(value as TextId))).collect();
        Self { pieces }
    }
}

impl Object for Kv {
    type State = Text;

    fn initial(&self) -> Text {
        EMPTY
    }

    fn step(&self, state: &Text, action: Action, _known: bool) -> Option<Text> {
        match action {
            Action::Read(value) => (*state == self.pieces[value as usize].text).then_some(*state),
            Action::Write(value) => Some(self.pieces[value as usize].text),
            Action::Concat(value) => {
                let piece = &self.pieces[value as usize];
                let lane =
                    |lane: usize| plus(times(state.sums[lane], piece.factors[lane]), piece.text.sums[lane]);
                Some(Text { length: state.length + piece.text.length, sums: [lane(0), lane(1)] })
            }
            _ => None,
        }
    }

    fn is_pure(&self, action: Action) -> bool {
        match action {
            Action::Read(_) => true,
            Action::Concat(value) => self.pieces[value as usize].text.length == 0,
            _ => false,
        }
    }

    fn fingerprint(&self, state: &Text) -> u128 {
        scramble(state.sums[0]) ^ scramble(state.sums[1] ^ 1 << 62) ^ scramble(state.length | 1 << 63)
    }
}
