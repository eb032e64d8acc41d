//! Scenarios over the whole program, as a user runs it: one binary, a module a scenario.

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
mod one_number;
mod online_retail;
mod others_read;
mod redshift;
mod s3;
mod settings;
mod structure;
mod tamper;
mod tutorial;
mod whole_way;
