//! The database: JSON, the types, schema and operations of RFC 7047 with the extensions that switches rely on,
//! monitors, the format of the log on disk, and a client's replica. No I/O: bytes and messages in, bytes and
//! messages out; `ovsdb-server` and the tools carry them.

pub mod json;
