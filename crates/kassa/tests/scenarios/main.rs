//! Scenarios over the whole program, as a user runs it: one binary, a module a scenario.

mod bad_input;
mod cli_reference;
mod crash;
mod demo;
mod harness;
mod one_number;
mod online_retail;
mod others_read;
mod structure;
mod tutorial;
