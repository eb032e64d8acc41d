//! `kassa prove`: recounts everything from its own contents.
