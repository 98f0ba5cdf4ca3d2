//! `ovsdb-tool`: works on database files without a server.

pub mod file;
