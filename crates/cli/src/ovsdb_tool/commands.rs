//! The commands but `show-log`.

use super::file::{self, DbFile, Loaded, Mode};
use super::{COMMANDS, Context};
use crate::dirs::Dirs;
use crate::fatal::Fatal;
use crate::version::OVS_VERSION;
use ovsdb::json::{self, Value};
use ovsdb::log::{self, FileKind, RecordOptions, Storage};
use ovsdb::transaction::{self, Outcome};
use ovsdb::{Error, Schema, UuidSource};
use std::process::ExitCode;
use std::time::Duration;

type Result = std::result::Result<ExitCode, Fatal>;

fn fatal(e: Error) -> Fatal {
    Fatal::new(e.to_string())
}

fn print(line: impl std::fmt::Display) -> Result {
    println!("{line}");
    Ok(ExitCode::SUCCESS)
}

pub(super) fn help(_: &Context, _: &[String]) -> Result {
    print!("{}", super::help(&Dirs::from_env()));
    Ok(ExitCode::SUCCESS)
}

pub(super) fn list(_: &Context, _: &[String]) -> Result {
    println!("The available commands are:");
    for c in COMMANDS {
        println!("  {:<23} {}", c.name, c.usage);
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn clustered(_: &Context, _: &[String]) -> Result {
    Err(Fatal::new("clustered databases are not supported yet"))
}

/// What an election timer may be, in milliseconds.
const ELECTION_TIMERS: std::ops::RangeInclusive<u64> = 100..=600_000;

pub(super) fn create_cluster(c: &Context, args: &[String]) -> Result {
    if !ELECTION_TIMERS.contains(&c.election_timer) {
        return Err(Fatal::new("ovsdb error: election timer must be between 100 and 600000, in msec."));
    }
    clustered(c, args)
}

pub(super) fn check_cluster(c: &Context, args: &[String]) -> Result {
    for name in args {
        if kind(c, name)? != FileKind::Clustered {
            return Err(Fatal::new(format!("ovsdb error: {name}: cannot identify file type")));
        }
    }
    clustered(c, args)
}

pub(super) fn cluster_to_standalone(c: &Context, args: &[String]) -> Result {
    match kind(c, &args[1])? {
        FileKind::Clustered => clustered(c, args),
        _ => Err(Fatal::new("Database is not clustered db.\n")),
    }
}

pub(super) fn create(c: &Context, args: &[String]) -> Result {
    let schema = file::read_schema(c.schema(args, 1))?;
    let records = log::encode(&schema.to_json().to_string());
    DbFile::create(c.db(args, 0), &records, &c.log).map_err(fatal)?;
    Ok(ExitCode::SUCCESS)
}

/// Reads a whole database; damage is an error.
fn load(c: &Context, name: &str, mode: Mode, uuids: &mut UuidSource) -> std::result::Result<Loaded, Fatal> {
    let loaded = file::load(name, mode, uuids, &c.log).map_err(fatal)?;
    match loaded.damage {
        Some(e) => Err(fatal(e)),
        None => Ok(loaded),
    }
}

/// What goes wrong with the lock of a file that is to be replaced is told without its kind.
fn without_kind(e: Fatal) -> Fatal {
    match e.message().strip_prefix("I/O error: ") {
        Some(rest) if rest.contains("lockfile") => Fatal::new(rest),
        _ => e,
    }
}

pub(super) fn compact(c: &Context, args: &[String]) -> Result {
    let mut uuids = file::uuid_source();
    let comment = format!("compacted by ovsdb-tool {OVS_VERSION}");
    let date = c.clock.wall_millis();
    match args.get(1) {
        None => {
            let loaded = load(c, c.db(args, 0), Mode::ReadWrite, &mut uuids);
            let mut loaded = loaded.map_err(without_kind)?;
            loaded
                .file
                .replace(&log::snapshot(&loaded.db, RecordOptions { date, comment: &comment, diff: false }))
                .map_err(fatal)?;
        }
        Some(to) => {
            let loaded = load(c, c.db(args, 0), Mode::ReadOnly, &mut uuids)?;
            let records = log::snapshot(&loaded.db, RecordOptions { date, comment: &comment, diff: false });
            file::write_over(to, &records, &c.log).map_err(|e| without_kind(fatal(e)))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn convert(c: &Context, args: &[String]) -> Result {
    let mut uuids = file::uuid_source();
    let schema = file::read_schema(c.schema(args, 1))?;
    let comment = format!("converted by ovsdb-tool {OVS_VERSION}");
    let date = c.clock.wall_millis();
    let mode = if args.len() > 2 { Mode::ReadOnly } else { Mode::ReadWrite };
    let mut loaded = load(c, c.db(args, 0), mode, &mut uuids).map_err(without_kind)?;
    let db = ovsdb::convert::convert(&loaded.db, schema, &mut uuids).map_err(fatal)?;
    let records = log::snapshot(&db, RecordOptions { date, comment: &comment, diff: false });
    match args.get(2) {
        None => loaded.file.replace(&records).map_err(fatal)?,
        Some(to) => file::write_over(to, &records, &c.log).map_err(|e| without_kind(fatal(e)))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The schema of a database file.
fn schema_of(c: &Context, name: &str) -> std::result::Result<Schema, Fatal> {
    let mut file = DbFile::open(name, Mode::ReadOnly, &c.log).map_err(fatal)?;
    file.check_standalone().map_err(fatal)?;
    let mut schema = None;
    let stop = || Error::other("read enough");
    let damage = file
        .read(|record| {
            if schema.is_none() {
                schema = Some(Schema::from_json(record));
                return Ok(());
            }
            Err(stop())
        })
        .map_err(fatal)?;
    match (schema, damage) {
        (Some(schema), _) => schema.map_err(fatal),
        (None, Some(e)) => Err(fatal(e)),
        (None, None) => Err(Fatal::new(format!("{name}: no schema"))),
    }
}

pub(super) fn needs_conversion(c: &Context, args: &[String]) -> Result {
    let of_db = schema_of(c, c.db(args, 0))?;
    let wanted = file::read_schema(c.schema(args, 1))?;
    print(if of_db.is_same(&wanted) { "no" } else { "yes" })
}

pub(super) fn db_name(c: &Context, args: &[String]) -> Result {
    print(schema_of(c, c.db(args, 0))?.name)
}

pub(super) fn db_version(c: &Context, args: &[String]) -> Result {
    print(schema_of(c, c.db(args, 0))?.version)
}

pub(super) fn db_cksum(c: &Context, args: &[String]) -> Result {
    print(schema_of(c, c.db(args, 0))?.cksum)
}

pub(super) fn schema_name(c: &Context, args: &[String]) -> Result {
    print(file::read_schema(c.schema(args, 0))?.name)
}

pub(super) fn schema_version(c: &Context, args: &[String]) -> Result {
    print(file::read_schema(c.schema(args, 0))?.version)
}

pub(super) fn schema_cksum(c: &Context, args: &[String]) -> Result {
    print(file::read_schema(c.schema(args, 0))?.cksum)
}

fn kind(c: &Context, name: &str) -> std::result::Result<FileKind, Fatal> {
    let mut file = DbFile::open(name, Mode::ReadOnly, &c.log).map_err(fatal)?;
    match file.kind().map_err(fatal)? {
        FileKind::Unknown => Err(Fatal::new(format!("ovsdb error: {name}: unexpected file format"))),
        kind => Ok(kind),
    }
}

pub(super) fn cluster_id(c: &Context, args: &[String]) -> Result {
    let name = c.db(args, 0);
    match kind(c, name)? {
        FileKind::Clustered => clustered(c, args),
        _ => Err(Fatal::new(format!("{name}: not a clustered database"))),
    }
}

/// Exit status of a test that did not come out.
const NO: u8 = 2;

fn test(holds: bool) -> Result {
    Ok(if holds { ExitCode::SUCCESS } else { ExitCode::from(NO) })
}

pub(super) fn is_clustered(c: &Context, args: &[String]) -> Result {
    test(kind(c, c.db(args, 0))? == FileKind::Clustered)
}

pub(super) fn is_standalone(c: &Context, args: &[String]) -> Result {
    test(kind(c, c.db(args, 0))? == FileKind::Standalone)
}

pub(super) fn compare_versions(_: &Context, args: &[String]) -> Result {
    let version = |s: &str| -> std::result::Result<[u32; 3], Fatal> {
        let parts: Vec<u32> = s.split('.').filter_map(|p| p.parse().ok()).collect();
        parts.try_into().map_err(|_| Fatal::new(format!("{s}: not an OVSDB version number in format x.y.z")))
    };
    let (a, b) = (version(&args[0])?, version(&args[2])?);
    test(match args[1].as_str() {
        "<" => a < b,
        "<=" => a <= b,
        "==" => a == b,
        ">=" => a >= b,
        ">" => a > b,
        "!=" => a != b,
        other => return Err(Fatal::new(format!("{other}: not a relational operator"))),
    })
}

pub(super) fn query(c: &Context, args: &[String]) -> Result {
    run(c, args, Mode::ReadOnly)
}

pub(super) fn transact(c: &Context, args: &[String]) -> Result {
    run(c, args, Mode::ReadWrite)
}

fn run(c: &Context, args: &[String], mode: Mode) -> Result {
    let (name, text) = match args {
        [text] => (c.db.as_str(), text),
        [name, text] => (name.as_str(), text),
        _ => return Ok(ExitCode::FAILURE),
    };
    let request = json::parse(text).map_err(|e| Fatal::new(format!("\"{text}\": {e}")))?;
    let mut uuids = file::uuid_source();
    let mut loaded = load(c, name, mode, &mut uuids)?;
    let operations = match request.as_array() {
        None => return print(Error::syntax(&request, "array expected").to_json()),
        Some([first, rest @ ..]) if first.as_str() == Some(&*loaded.db.schema().name) => rest,
        Some(_) => {
            let e = Error::syntax(&request, "database name expected as first parameter");
            return print(e.to_json());
        }
    };
    let access = c.role.clone().map(|role| transaction::Access { client: None, role });
    let mut context = transaction::Context {
        read_only: false,
        may_wait: false,
        elapsed: Duration::ZERO,
        owns_lock: &|_| false,
        access: access.as_ref(),
        uuids: &mut uuids,
    };
    let Outcome::Done(mut done) = transaction::execute(&loaded.db, operations, &mut context) else {
        return Err(Fatal::new("transaction cannot wait"));
    };
    if mode == Mode::ReadWrite && !done.failed {
        let options = RecordOptions { date: c.clock.wall_millis(), comment: &done.comment, diff: true };
        if let Some(text) = log::record(loaded.db.schema(), &done.changes, options)
            && let Err(e) = loaded.file.append(&log::encode(&text), done.durable)
        {
            done.results.push(e.to_json());
        }
    }
    if mode == Mode::ReadOnly && !done.failed && !done.changes.is_empty() {
        // The changes cannot be written: the file is open for reading.
        let details = format!("{}: cannot truncate to length {}", name, loaded.file.len());
        done.results.push(Value::object([
            ("details", details.into()),
            ("error", "I/O error".into()),
            ("io-error", "Invalid argument".into()),
        ]));
    }
    print(Value::Array(done.results))
}
