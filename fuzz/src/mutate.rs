//! Small changes of inputs, many of which parsers get wrong.

/// Longer inputs show nothing that these do not, and take longer.
pub const INPUT_BYTES_MAX: usize = 64 * 1024;

/// Changes of one input.
const CHANGES_MAX: u64 = 6;

/// Numbers at which something ends.
const NUMBERS: [&str; 10] = [
    "0",
    "-1",
    "1",
    "255",
    "65535",
    "65536",
    "2147483648",
    "4294967296",
    "18446744073709551616",
    "1e999",
];

/// Bytes that mean something to a parser of text or of bits.
const BYTES: &[u8] = b"\x00\x01\x7f\x80\xff\r\n \"\\%&/:;=?[]{}";

/// A sequence of random numbers (splitmix64), and what is made of them.
#[derive(Clone, Debug)]
pub struct Mutator(u64);

impl Mutator {
    /// The sequence of a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `end`, which is not 0.
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % end
    }

    /// One of `inputs`, changed.
    pub fn mutate(&mut self, inputs: &[Vec<u8>]) -> Vec<u8> {
        let mut input = inputs[self.index(inputs.len())].clone();
        for _ in 0..=self.below(CHANGES_MAX) {
            self.change(&mut input, inputs);
        }
        input.truncate(INPUT_BYTES_MAX);
        input
    }

    /// Changes `input` once; parts may come from `others`.
    pub fn change(&mut self, input: &mut Vec<u8>, others: &[Vec<u8>]) {
        let at = self.index(input.len() + 1);
        let end = at + self.index((input.len() - at).min(64) + 1);
        let byte = BYTES[self.index(BYTES.len())];
        match self.below(10) {
            0 => input.truncate(at),
            1 => drop(input.drain(at..end)),
            2 => drop(input.splice(at..at, [byte])),
            3 => {
                let repeated = input[at..end].repeat(1 + self.index(8));
                input.splice(at..end, repeated);
            }
            4 => {
                // What follows is another input's.
                let other = &others[self.index(others.len())];
                let from = self.index(other.len() + 1);
                input.splice(at.., other[from..].iter().copied());
            }
            5 => {
                // A number in text becomes another one.
                let digit = |byte: &u8| byte.is_ascii_digit();
                let begin = input[at..].iter().position(digit).map_or(at, |n| at + n);
                let digits = input[begin..].iter().take_while(|byte| digit(byte)).count();
                let number = NUMBERS[self.index(NUMBERS.len())];
                input.splice(begin..begin + digits, number.bytes());
            }
            6 if end > at => input[at..end].fill(byte),
            7 if end > at => input[at] = input[at].wrapping_add(1),
            8 if end > at => input[at] = self.below(256) as u8,
            _ if end > at => input[at] ^= 1 << self.below(8),
            _ => input.push(byte),
        }
    }

    fn index(&mut self, length: usize) -> usize {
        self.below(length as u64) as usize
    }
}
