//! Reads Avro's primitives from the rest of a frame, without allocating and never beyond its end.
//!
//! Texts are short and many: checking the UTF-8 of each one would cost more than all other work on it. So where a text begins,
//! all bytes up to the first invalid one are checked at once, and the texts inside are slices of that.

use kassa_model::Reason;

use super::fault::Fault;

#[derive(Debug)]
pub(super) struct Cursor<'a> {
    rest: &'a [u8],
    /// A part of the frame that is valid UTF-8, and the length of the rest of the frame where it begins.
    valid: &'a str,
    valid_left: usize,
}

/// A frame ended before its datum did.
#[cold]
fn truncated(wanted: usize, left: usize) -> Fault {
    Fault::new(Reason::NotAvro, format!("truncated: {wanted} bytes wanted, {left} left"))
}

#[cold]
fn too_long(length: i64, left: usize) -> Fault {
    Fault::new(Reason::NotAvro, format!("a length of {length}, where {left} bytes are left"))
}

impl<'a> Cursor<'a> {
    pub(super) fn new(rest: &'a [u8]) -> Self {
        Self { rest, valid: "", valid_left: rest.len() }
    }

    pub(super) fn left(&self) -> usize {
        self.rest.len()
    }

    #[inline]
    pub(super) fn take(&mut self, bytes: usize) -> Result<&'a [u8], Fault> {
        match self.rest.split_at_checked(bytes) {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(taken)
            }
            None => Err(truncated(bytes, self.rest.len())),
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let Some((taken, rest)) = self.rest.split_first_chunk::<N>() else { return Err(truncated(N, self.rest.len())) };
        self.rest = rest;
        Ok(*taken)
    }

    pub(super) fn boolean(&mut self) -> Result<bool, Fault> {
        match self.array::<1>()? {
            [0] => Ok(false),
            [1] => Ok(true),
            [other] => Err(Fault::new(Reason::NotAvro, format!("a boolean is 0 or 1, not {other}"))),
        }
    }

    pub(super) fn float(&mut self) -> Result<f32, Fault> {
        self.array().map(f32::from_le_bytes)
    }

    pub(super) fn double(&mut self) -> Result<f64, Fault> {
        self.array().map(f64::from_le_bytes)
    }

    /// A zigzag varint.
    #[inline(always)]
    pub(super) fn long(&mut self) -> Result<i64, Fault> {
        let bits = match self.rest {
            [first, rest @ ..] if *first < 0x80 => {
                self.rest = rest;
                u64::from(*first)
            }
            _ => self.varint()?,
        };
        Ok((bits >> 1).cast_signed() ^ -(bits & 1).cast_signed())
    }

    fn varint(&mut self) -> Result<u64, Fault> {
        let mut bits = 0_u64;
        for (at, byte) in self.rest.iter().enumerate() {
            let part = u64::from(byte & 0x7F);
            // Only one bit of the tenth byte is significant.
            if at == 10 || (at == 9 && part > 1) {
                return Err(Fault::new(Reason::NotAvro, "a number of more than 64 bits"));
            }
            bits |= part << (7 * at);
            if *byte < 0x80 {
                self.rest = &self.rest[at + 1..];
                return Ok(bits);
            }
        }
        Err(truncated(self.rest.len() + 1, self.rest.len()))
    }

    pub(super) fn int(&mut self) -> Result<i32, Fault> {
        let long = self.long()?;
        i32::try_from(long).map_err(|_| Fault::new(Reason::NotAvro, format!("{long} is more than an int holds")))
    }

    /// The index of a union's branch or an enum's symbol.
    #[inline]
    pub(super) fn index(&mut self, what: &str, count: usize) -> Result<usize, Fault> {
        let index = self.long()?;
        usize::try_from(index)
            .ok()
            .filter(|index| *index < count)
            .ok_or_else(|| Fault::new(Reason::NotAvro, format!("{what} {index}, where the schema has {count}")))
    }

    #[inline]
    pub(super) fn bytes(&mut self) -> Result<&'a [u8], Fault> {
        let length = self.length()?;
        self.take(length)
    }

    #[inline(always)]
    pub(super) fn text(&mut self) -> Result<&'a str, Fault> {
        let length = self.length()?;
        let start = self.valid_left - self.rest.len();
        let text = match self.valid.get(start..start + length) {
            Some(text) => text,
            None => self.checked(length)?,
        };
        self.rest = &self.rest[length..];
        Ok(text)
    }

    /// The next text, which is not inside the part that has been checked.
    fn checked(&mut self, length: usize) -> Result<&'a str, Fault> {
        let rest = self.rest;
        let valid = match simdutf8::compat::from_utf8(rest) {
            Ok(valid) => valid,
            Err(error) => std::str::from_utf8(&rest[..error.valid_up_to()]).unwrap_or_default(),
        };
        (self.valid, self.valid_left) = (valid, rest.len());
        valid.get(..length).ok_or_else(|| not_utf8(&rest[..length]))
    }

    /// A length that the rest of the frame can hold.
    #[inline(always)]
    fn length(&mut self) -> Result<usize, Fault> {
        let length = self.long()?;
        match usize::try_from(length) {
            Ok(length) if length <= self.rest.len() => Ok(length),
            _ => Err(too_long(length, self.rest.len())),
        }
    }

    /// The number of items in the next block of an array or map, and its size in bytes if the block states it.
    pub(super) fn block(&mut self) -> Result<(u64, Option<usize>), Fault> {
        let count = self.long()?;
        if count >= 0 {
            return Ok((count.unsigned_abs(), None));
        }
        let size = self.long()?;
        match usize::try_from(size) {
            Ok(size) if size <= self.rest.len() => Ok((count.unsigned_abs(), Some(size))),
            _ => Err(Fault::new(Reason::NotAvro, format!("a block of {size} bytes, where {} are left", self.rest.len()))),
        }
    }
}

#[cold]
pub(super) fn not_utf8(bytes: &[u8]) -> Fault {
    let at = std::str::from_utf8(bytes).err().map_or(0, |error| error.valid_up_to());
    Fault::new(Reason::NotUtf8, format!("not UTF-8 at byte {at} of the text"))
}
