//! Scenarios over the whole program, as a user runs it: one binary, a module a scenario.

mod added_sink;
mod answers;
mod bad_input;
mod cli_reference;
mod crash;
mod demo;
mod derived;
mod errors;
mod harness;
mod maintenance;
mod mapping;
mod memory;
mod one_number;
mod online_retail;
mod others_read;
mod retention;
mod roles;
mod s3;
mod settings;
mod structure;
mod tamper;
mod topics;
mod tutorial;
mod whole_way;
mod workers;
