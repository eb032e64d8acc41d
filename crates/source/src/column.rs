use arrow_array::BinaryArray;
use arrow_buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};

/// Values within a run of records are addressed with 32 bits.
pub(crate) const RUN_BYTES_MAX: usize = 1 << 30;

/// Values one after another, in Arrow's layout; each value is copied once.
#[derive(Debug)]
pub(crate) struct Column {
    bytes: Vec<u8>,
    ends: Vec<i32>,
}

impl Column {
    pub(crate) fn new() -> Self {
        Self { bytes: Vec::new(), ends: vec![0] }
    }

    pub(crate) fn with_capacity(values: usize, bytes: usize) -> Self {
        let mut ends = Vec::with_capacity(values + 1);
        ends.push(0);
        Self { bytes: Vec::with_capacity(bytes), ends }
    }

    pub(crate) fn push(&mut self, value: &[u8]) {
        self.bytes.extend_from_slice(value);
        self.ends.push(i32::try_from(self.bytes.len()).unwrap_or(i32::MAX));
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.len() - 1
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn finish(self, nulls: Option<NullBuffer>) -> BinaryArray {
        BinaryArray::new(OffsetBuffer::new(ScalarBuffer::from(self.ends)), Buffer::from_vec(self.bytes), nulls)
    }
}
