//! Scenarios over the whole program, as a user runs it: one binary, a module a scenario.

mod bad_input;
mod crash;
mod demo;
mod harness;
mod maintenance;
mod online_retail;
mod others_read;
mod structure;
mod tamper;
mod tutorial;
