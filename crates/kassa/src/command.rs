//! One file per command.

pub mod check;
pub mod config;
pub mod dead_letters;
pub mod demo;
pub mod doctor;
pub mod figures;
pub mod job;
pub mod migrate;
pub mod pace;
pub mod post;
pub mod produce;
pub mod prove;
pub mod rebuild;
pub mod repair;
pub mod replay;
pub mod run;
pub mod simulate;
pub mod sql;
pub mod top;
