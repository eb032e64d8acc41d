//! Writes a produce request that no client library would write, byte by byte.

use std::io::{Read, Write};
use std::net::TcpStream;

use kassa_model::time::{Clock, SystemClock};

use crate::support::broker;

fn varint(bytes: &mut Vec<u8>, value: i64) {
    let mut left = ((value << 1) ^ (value >> 63)).cast_unsigned();
    while left >= 0x80 {
        bytes.push((left & 0x7f) as u8 | 0x80);
        left >>= 7;
    }
    bytes.push(left as u8);
}

fn counted(bytes: &mut Vec<u8>, text: &[u8]) {
    varint(bytes, text.len() as i64);
    bytes.extend_from_slice(text);
}

/// CRC-32C, bit by bit.
fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { (crc >> 1) ^ 0x82f6_3b78 } else { crc >> 1 })
    })
}

/// A batch of one record.
fn batch(value: &[u8], headers: &[(&[u8], &[u8])]) -> Vec<u8> {
    let mut record = vec![0, 0, 0];
    varint(&mut record, -1);
    counted(&mut record, value);
    varint(&mut record, headers.len() as i64);
    for (name, value) in headers {
        counted(&mut record, name);
        counted(&mut record, value);
    }
    // A record with a time in 1970 would expire immediately.
    let now = (SystemClock.now() / 1000).to_be_bytes();
    let mut checked = Vec::new();
    checked.extend_from_slice(&0_i16.to_be_bytes());
    checked.extend_from_slice(&0_i32.to_be_bytes());
    checked.extend_from_slice(&[now, now, (-1_i64).to_be_bytes()].concat());
    checked.extend_from_slice(&(-1_i16).to_be_bytes());
    checked.extend_from_slice(&[(-1_i32).to_be_bytes(), 1_i32.to_be_bytes()].concat());
    counted(&mut checked, &record);
    let mut batch = 0_i64.to_be_bytes().to_vec();
    batch.extend_from_slice(&(checked.len() as i32 + 9).to_be_bytes());
    batch.extend_from_slice(&(-1_i32).to_be_bytes());
    batch.push(2);
    batch.extend_from_slice(&crc(&checked).to_be_bytes());
    batch.extend_from_slice(&checked);
    batch
}

/// Produces to partition 0; the broker has the record when this returns.
pub(crate) fn produce(topic: &str, value: &[u8], headers: &[(&[u8], &[u8])]) {
    let batch = batch(value, headers);
    let mut request = Vec::new();
    request.extend_from_slice(&[0_i16, 3, 0, 1, -1, -1, -1].map(i16::to_be_bytes).concat());
    request.extend_from_slice(&[10_000_i32, 1].map(i32::to_be_bytes).concat());
    request.extend_from_slice(&(topic.len() as i16).to_be_bytes());
    request.extend_from_slice(topic.as_bytes());
    request.extend_from_slice(&[1_i32, 0, batch.len() as i32].map(i32::to_be_bytes).concat());
    request.extend_from_slice(&batch);
    let mut stream = TcpStream::connect(broker().plaintext()).unwrap();
    stream.write_all(&(request.len() as i32).to_be_bytes()).unwrap();
    stream.write_all(&request).unwrap();
    let mut length = [0; 4];
    stream.read_exact(&mut length).unwrap();
    let mut answer = vec![0; u32::from_be_bytes(length) as usize];
    stream.read_exact(&mut answer).unwrap();
    let at = 4 + 4 + 2 + topic.len() + 4 + 4;
    assert_eq!(answer[at..at + 2], [0, 0], "the broker accepted it: {answer:?}");
}
