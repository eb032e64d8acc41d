//! The bytes of a segment: one header, then one frame per record. All numbers are little endian.
//!
//! ```text
//! header  magic "kassalog" · version u32 · first offset i64 · first offset of the previous segment i64 (-1: none)
//!         · created at i64 (µs UTC) · crc32 u32 over all of these
//! frame   body length u32 · crc32 u32 over the body · body
//! body    record's number in the segment u32 · ingested at i64 (µs UTC) · key length u32 (2^32-1: no key) · key · value
//! ```
//!
//! A frame's CRC starts from the header's CRC. So a frame of another segment, or a record whose
//! bytes imitate a frame, is not accepted as a frame.

const MAGIC: &[u8; 8] = b"kassalog";
/// The newest version, and the only one so far. The header keeps its size and checksum in all later
/// versions, so that a program can distinguish a newer segment from a damaged one.
pub(super) const VERSION: u32 = 1;
pub(super) const HEADER_BYTES: usize = 40;

const PREFIX_BYTES: usize = 8;
const BODY_BYTES_MIN: usize = 16;
/// The bytes of a frame in addition to key and value.
pub(super) const FRAME_BYTES_MIN: usize = PREFIX_BYTES + BODY_BYTES_MIN;
/// The largest sum of key and value: kassa never writes a longer one.
pub(super) const RECORD_BYTES_MAX: usize = 64 << 20;
const NO_KEY: u32 = u32::MAX;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) first: i64,
    pub(super) previous: Option<i64>,
    pub(super) created_at: i64,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum HeaderFault {
    NotOurs,
    Version(u32),
}

impl Header {
    pub(super) fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..8].copy_from_slice(MAGIC);
        bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
        bytes[12..20].copy_from_slice(&self.first.to_le_bytes());
        bytes[20..28].copy_from_slice(&self.previous.unwrap_or(-1).to_le_bytes());
        bytes[28..36].copy_from_slice(&self.created_at.to_le_bytes());
        let crc = crc32fast::hash(&bytes[..36]);
        bytes[36..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// The header and its CRC, from which the frames' CRCs start.
    pub(super) fn parse(bytes: &[u8; HEADER_BYTES]) -> Result<(Self, u32), HeaderFault> {
        let crc = u32_at(bytes, 36);
        if &bytes[..8] != MAGIC || crc != crc32fast::hash(&bytes[..36]) {
            return Err(HeaderFault::NotOurs);
        }
        match u32_at(bytes, 8) {
            VERSION => {}
            other => return Err(HeaderFault::Version(other)),
        }
        let previous = Some(i64_at(bytes, 20)).filter(|previous| *previous >= 0);
        Ok((Self { first: i64_at(bytes, 12), previous, created_at: i64_at(bytes, 28) }, crc))
    }
}

/// One record in a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Frame<'a> {
    pub(super) ingested_at: i64,
    pub(super) key: Option<&'a [u8]>,
    pub(super) value: &'a [u8],
}

impl Frame<'_> {
    /// The number of bytes in the segment.
    pub(super) fn len(&self) -> usize {
        FRAME_BYTES_MIN + self.key.map_or(0, <[u8]>::len) + self.value.len()
    }

    pub(super) fn encode(&self, seed: u32, index: u32, out: &mut Vec<u8>) {
        let body_bytes = self.len() - PREFIX_BYTES;
        out.reserve(self.len());
        out.extend_from_slice(&length(body_bytes).to_le_bytes());
        let start = out.len();
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&index.to_le_bytes());
        out.extend_from_slice(&self.ingested_at.to_le_bytes());
        out.extend_from_slice(&self.key.map_or(NO_KEY, |key| length(key.len())).to_le_bytes());
        out.extend_from_slice(self.key.unwrap_or_default());
        out.extend_from_slice(self.value);
        let crc = crc_of(seed, &out[start + 4..]);
        out[start..start + 4].copy_from_slice(&crc.to_le_bytes());
    }
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Parsed<'a> {
    Frame(Frame<'a>),
    /// The bytes end before the end of the frame.
    Short,
    Bad(&'static str),
}

/// The size of the frame at the start of `bytes`, as far as known; at least a prefix. `None`:
/// invalid length.
pub(super) fn bytes_needed(bytes: &[u8]) -> Option<usize> {
    let Some((prefix, _)) = bytes.split_at_checked(PREFIX_BYTES) else { return Some(PREFIX_BYTES) };
    let body = usize::try_from(u32_at(prefix, 0)).ok()?;
    (BODY_BYTES_MIN..=BODY_BYTES_MIN + RECORD_BYTES_MAX).contains(&body).then_some(PREFIX_BYTES + body)
}

/// Parses the frame at the start of `bytes`, which must have this number.
pub(super) fn parse(bytes: &[u8], seed: u32, index: u32) -> Parsed<'_> {
    let Some(needed) = bytes_needed(bytes) else { return Parsed::Bad("the length is invalid") };
    let Some(frame) = bytes.get(..needed).filter(|_| needed > PREFIX_BYTES) else { return Parsed::Short };
    let body = &frame[PREFIX_BYTES..];
    if u32_at(frame, 4) != crc_of(seed, body) {
        return Parsed::Bad("the checksum does not match");
    }
    if u32_at(body, 0) != index {
        return Parsed::Bad("another record's frame is here");
    }
    let rest = &body[BODY_BYTES_MIN..];
    let (key, value) = match u32_at(body, 12) {
        NO_KEY => (None, rest),
        bytes => match usize::try_from(bytes).ok().and_then(|bytes| rest.split_at_checked(bytes)) {
            Some((key, value)) => (Some(key), value),
            None => return Parsed::Bad("the key is longer than the record"),
        },
    };
    Parsed::Frame(Frame { ingested_at: i64_at(body, 4), key, value })
}

/// The number of the frame at the start of `bytes`, unchecked.
pub(super) fn claimed_index(bytes: &[u8]) -> Option<u32> {
    bytes.get(PREFIX_BYTES..PREFIX_BYTES + 4).map(|bytes| u32_at(bytes, 0))
}

fn crc_of(seed: u32, body: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new_with_initial(seed);
    hasher.update(body);
    hasher.finalize()
}

/// Lengths are checked against [`RECORD_BYTES_MAX`] before a record is accepted.
fn length(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(NO_KEY - 1)
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes[at..].first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

fn i64_at(bytes: &[u8], at: usize) -> i64 {
    bytes[at..].first_chunk().map_or(0, |bytes| i64::from_le_bytes(*bytes))
}
