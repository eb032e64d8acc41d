//! Scenarios over the whole program, as a user runs it: one binary, a module a scenario.

mod crash;
mod harness;
mod online_retail;
mod structure;
mod tutorial;
