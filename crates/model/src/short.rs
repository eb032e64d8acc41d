//! Compares short texts, such as most ids and names: this costs less than calling the C library.

/// Whether both are equal. Up to 16 bytes are compared as two words that may overlap.
#[inline]
pub fn same(one: &[u8], other: &[u8]) -> bool {
    if one.len() != other.len() {
        return false;
    }
    match one.len() {
        8..=16 => one.first_chunk::<8>() == other.first_chunk::<8>() && one.last_chunk::<8>() == other.last_chunk::<8>(),
        4..=7 => one.first_chunk::<4>() == other.first_chunk::<4>() && one.last_chunk::<4>() == other.last_chunk::<4>(),
        0..=3 => word(one) == word(other),
        _ => one == other,
    }
}

/// Fewer than eight bytes as a word, different for all texts of one length. It consists of their bytes and blanks.
#[inline]
pub fn word(text: &[u8]) -> u64 {
    if let (Some(head), Some(tail)) = (text.first_chunk::<4>(), text.last_chunk::<4>()) {
        return u64::from(u32::from_le_bytes(*head)) | (u64::from(u32::from_le_bytes(*tail)) << 32);
    }
    let (first, middle, last) = match text {
        [] => (b' ', b' ', b' '),
        [first, .., last] => (*first, text[text.len() / 2], *last),
        [only] => (*only, b' ', b' '),
    };
    u64::from_le_bytes([first, middle, last, b' ', b' ', b' ', b' ', b' '])
}

#[cfg(test)]
mod tests {
    use super::{same, word};

    #[test]
    fn texts_of_every_length_differ_by_any_byte() {
        for length in 0..40 {
            let text: Vec<u8> = (b'a'..).take(length).collect();
            assert!(same(&text, &text.clone()), "{length}");
            assert!(!same(&text, &[text.as_slice(), b"x"].concat()), "{length}");
            for at in 0..length {
                let mut other = text.clone();
                other[at] = b'!';
                assert!(!same(&text, &other), "{length}, {at}");
                assert!(length >= 8 || word(&text) != word(&other), "{length}, {at}");
            }
        }
    }
}
