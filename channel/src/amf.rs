//! Looks over AMF0 before rml_rtmp parses it: rml's parser recurses without limit and its sessions take the number of
//! arguments for granted.

use crate::limits::AMF_DEPTH_MAX;

const NUMBER: u8 = 0;
const BOOLEAN: u8 = 1;
const STRING: u8 = 2;
const OBJECT: u8 = 3;
const NULL: u8 = 5;
const UNDEFINED: u8 = 6;
const ECMA_ARRAY: u8 = 8;
const OBJECT_END: u8 = 9;
const STRICT_ARRAY: u8 = 10;

/// What a top-level value is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Value {
    Number,
    String(String),
    Other,
}

/// Why a message is not AMF0 that we accept.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum AmfError {
    #[error("an AMF0 value ends early")]
    Short,
    #[error("AMF0 type {0} is not accepted")]
    Type(u8),
    #[error("AMF0 values are nested deeper than {AMF_DEPTH_MAX}")]
    Depth,
    #[error("an AMF0 string is not UTF-8")]
    Utf8,
}

/// The top-level values of a message, each checked to its end.
pub(crate) fn values(message: &[u8]) -> Result<Vec<Value>, AmfError> {
    let mut reader = Reader { rest: message };
    let mut values = Vec::new();
    while !reader.rest.is_empty() {
        values.push(reader.value(0)?);
    }
    Ok(values)
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl Reader<'_> {
    fn value(&mut self, depth: usize) -> Result<Value, AmfError> {
        if depth > AMF_DEPTH_MAX {
            return Err(AmfError::Depth);
        }
        match self.take(1)?[0] {
            NUMBER => {
                self.take(8)?;
                return Ok(Value::Number);
            }
            BOOLEAN => {
                self.take(1)?;
            }
            STRING => return Ok(Value::String(self.string()?)),
            OBJECT => self.properties(depth)?,
            NULL | UNDEFINED => {}
            ECMA_ARRAY => {
                self.take(4)?;
                self.properties(depth)?;
            }
            STRICT_ARRAY => {
                let count = self.take(4)?;
                for _ in 0..u32::from_be_bytes([count[0], count[1], count[2], count[3]]) {
                    self.value(depth + 1)?;
                }
            }
            other => return Err(AmfError::Type(other)),
        }
        Ok(Value::Other)
    }

    fn properties(&mut self, depth: usize) -> Result<(), AmfError> {
        loop {
            if self.string()?.is_empty() {
                return match self.take(1)?[0] {
                    OBJECT_END => Ok(()),
                    other => Err(AmfError::Type(other)),
                };
            }
            self.value(depth + 1)?;
        }
    }

    fn string(&mut self) -> Result<String, AmfError> {
        let length = self.take(2)?;
        let length = usize::from(u16::from_be_bytes([length[0], length[1]]));
        std::str::from_utf8(self.take(length)?)
            .map(str::to_owned)
            .map_err(|_| AmfError::Utf8)
    }

    fn take(&mut self, bytes: usize) -> Result<&[u8], AmfError> {
        let (taken, rest) = self.rest.split_at_checked(bytes).ok_or(AmfError::Short)?;
        self.rest = rest;
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn command_is_a_name_a_number_and_an_object() {
        let mut message = vec![STRING, 0, 7];
        message.extend(b"connect");
        message.extend([NUMBER, 0, 0, 0, 0, 0, 0, 0, 0]);
        message.extend([
            OBJECT, 0, 3, b'a', b'p', b'p', STRING, 0, 1, b'x', 0, 0, OBJECT_END,
        ]);
        let expected = [Value::String("connect".into()), Value::Number, Value::Other];
        assert_eq!(values(&message).unwrap(), expected);
        for length in 1..message.len() {
            let truncated = values(&message[..length]);
            assert!(
                truncated.is_err() || truncated.unwrap().len() < 3,
                "{length} bytes"
            );
        }
    }

    #[test]
    fn endless_nesting_is_refused() {
        let nested: Vec<u8> = [OBJECT, 0, 1, b'a'].repeat(10_000);
        assert_eq!(values(&nested), Err(AmfError::Depth));
        let arrays: Vec<u8> = [STRICT_ARRAY, 0xFF, 0xFF, 0xFF, 0xFF].repeat(10_000);
        assert_eq!(values(&arrays), Err(AmfError::Depth));
    }

    #[test]
    fn endless_array_ends_with_its_message() {
        assert_eq!(
            values(&[STRICT_ARRAY, 0xFF, 0xFF, 0xFF, 0xFF, NULL]),
            Err(AmfError::Short)
        );
    }
}
