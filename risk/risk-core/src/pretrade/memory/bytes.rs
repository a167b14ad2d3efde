//! Little-endian numbers and counted texts.

use crate::pretrade::EventError;

/// Appends values.
#[derive(Default)]
pub(super) struct Writer(Vec<u8>);

impl Writer {
    pub(super) fn bytes(self) -> Vec<u8> {
        self.0
    }

    pub(super) fn byte(&mut self, value: u8) {
        self.0.push(value);
    }

    pub(super) fn unsigned(&mut self, value: u64) {
        self.integer(value.into());
    }

    /// Seven bits a byte, the sign last of all bits first.
    pub(super) fn integer(&mut self, value: i128) {
        let mut rest = ((value << 1) ^ (value >> 127)) as u128;
        while rest >= 0x80 {
            self.0.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        self.0.push(rest as u8);
    }

    pub(super) fn optional(&mut self, value: Option<i128>) {
        self.byte(value.is_some().into());
        if let Some(value) = value {
            self.integer(value);
        }
    }

    pub(super) fn text(&mut self, value: &str) {
        self.unsigned(value.len() as u64);
        self.0.extend(value.as_bytes());
    }

    pub(super) fn all<T>(&mut self, values: Vec<T>, mut write: impl FnMut(&mut Self, T)) {
        self.unsigned(values.len() as u64);
        for value in values {
            write(self, value);
        }
    }
}

/// Takes values off, in the same order.
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn byte(&mut self) -> Result<u8, EventError> {
        let (byte, rest) = self.0.split_first().ok_or_else(|| refused("must not end early"))?;
        self.0 = rest;
        Ok(*byte)
    }

    pub(super) fn integer(&mut self) -> Result<i128, EventError> {
        let mut value: u128 = 0;
        for shift in (0..=126).step_by(7) {
            let byte = self.byte()?;
            let bits = u128::from(byte & 0x7f);
            if shift == 126 && byte > 3 {
                break;
            }
            value |= bits << shift;
            if byte < 0x80 {
                return Ok((value >> 1) as i128 ^ -((value & 1) as i128));
            }
        }
        Err(refused("must have numbers of 128 bits"))
    }

    /// An integer of the size that is meant.
    pub(super) fn number<T: TryFrom<i128>>(&mut self) -> Result<T, EventError> {
        T::try_from(self.integer()?).map_err(|_| refused("must have numbers in their range"))
    }

    pub(super) fn unsigned(&mut self) -> Result<u64, EventError> {
        self.number()
    }

    pub(super) fn optional(&mut self) -> Result<Option<i128>, EventError> {
        Ok(if self.byte()? == 0 { None } else { Some(self.integer()?) })
    }

    pub(super) fn text(&mut self) -> Result<&'a str, EventError> {
        let length: usize = self.number()?;
        let (text, rest) = self.0.split_at_checked(length).ok_or_else(|| refused("must not end early"))?;
        self.0 = rest;
        std::str::from_utf8(text).map_err(|_| refused("must have names in UTF-8"))
    }

    /// One of the values of an enum, by its place.
    pub(super) fn one_of<T: Copy>(&mut self, values: &[T]) -> Result<T, EventError> {
        let place = usize::from(self.byte()?);
        values.get(place).copied().ok_or_else(|| refused("must have known values"))
    }

    pub(super) fn all(&mut self, mut read: impl FnMut(&mut Self) -> Result<(), EventError>) -> Result<(), EventError> {
        let count = self.unsigned()?;
        (0..count).try_for_each(|_| read(self))
    }

    pub(super) fn end(self) -> Result<(), EventError> {
        if self.0.is_empty() { Ok(()) } else { Err(refused("must end where it ends")) }
    }
}

fn refused(rule: &'static str) -> EventError {
    EventError::new("memory", "bytes", rule, "others")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(value: i128, number: u64, text in ".{0,20}", optional: Option<i64>) {
            let mut writer = Writer::default();
            writer.integer(value);
            writer.unsigned(number);
            writer.text(&text);
            writer.optional(optional.map(i128::from));
            let bytes = writer.bytes();
            let mut reader = Reader::new(&bytes);
            prop_assert_eq!(reader.integer(), Ok(value));
            prop_assert_eq!(reader.unsigned(), Ok(number));
            prop_assert_eq!(reader.text(), Ok(text.as_str()));
            prop_assert_eq!(reader.optional(), Ok(optional.map(i128::from)));
            prop_assert!(reader.end().is_ok());
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let mut reader = Reader::new(&bytes);
            let _ = reader.integer().and_then(|_| reader.optional()).and_then(|_| reader.text().map(str::len));
        }
    }

    #[test]
    fn the_extremes_of_128_bits_are_read_back() {
        for value in [i128::MIN, -1, 0, 1, i128::MAX] {
            let mut writer = Writer::default();
            writer.integer(value);
            assert_eq!(Reader::new(&writer.bytes()).integer(), Ok(value));
        }
    }
}
