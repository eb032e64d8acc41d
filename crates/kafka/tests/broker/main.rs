//! Tests against a real broker and a real schema registry, which the tests start.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod group;
mod outage;
mod positions;
mod raw;
mod reader;
mod records;
mod registry;
mod security;
mod speed;
mod support;
mod transactions;
