//! What all programs share (options, directories, logging, daemons, tables, fatal errors), and then one folder per
//! program that talks to a daemon.

pub mod appctl;
pub mod connect;
pub mod ctl;
pub mod daemon;
pub mod dirs;
pub mod dpctl;
pub mod fatal;
pub mod localtime;
pub mod manual;
pub mod ofctl;
pub mod options;
pub mod ovsdb_client;
pub mod ovsdb_tool;
pub mod table;
pub mod tape;
pub mod testcontroller;
pub mod timefmt;
pub mod timeout;
pub mod tls;
pub mod version;
pub mod vlog;
pub mod vsctl;
pub mod vtepctl;
