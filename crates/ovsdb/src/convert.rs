//! From one schema to another.

use crate::db::Database;
use crate::error::Error;
use crate::json::Value;
use crate::schema::Schema;
use crate::transaction::{self, Context, Outcome};
use crate::uuid::UuidSource;
use std::sync::Arc;
use std::time::Duration;

/// The contents of a database under another schema, whose constraints all apply; what the new schema lacks is
/// left out.
pub fn convert(old: &Database, schema: Schema, uuids: &mut UuidSource) -> Result<Database, Error> {
    let mut new = Database::new(Arc::new(schema));
    let mut operations = Vec::new();
    for (t, ts) in old.schema().tables.iter().enumerate() {
        let Some(target) = new.schema().table(&ts.name).map(|i| &new.schema().tables[i]) else { continue };
        for row in old.table(t).rows() {
            let kept = ts.own_columns().filter(|(_, c)| target.column(&c.name).is_some()).map(|c| c.0);
            let values = Value::Object(row.to_json(ts, kept));
            operations.push(Value::object([
                ("op", "insert".into()),
                ("table", (*ts.name).into()),
                ("uuid", row.uuid().to_string().into()),
                ("row", values),
            ]));
        }
    }
    let mut context = Context {
        read_only: false,
        may_wait: false,
        elapsed: Duration::ZERO,
        owns_lock: &|_| false,
        access: None,
        uuids,
    };
    match transaction::execute(&new, &operations, &mut context) {
        Outcome::Done(done) if !done.failed => new.apply(&done.changes),
        Outcome::Done(done) => {
            let failed = done.results.iter().find_map(|r| {
                let tag = r.get("error")?.as_str()?.to_owned();
                let text = |name| r.get(name).and_then(Value::as_str).map(str::to_owned);
                Some(Error { tag: tag.into(), details: text("details"), syntax: text("syntax") })
            });
            return Err(failed.unwrap_or_else(|| Error::other("conversion failed")));
        }
        Outcome::Blocked(_) => return Err(Error::other("conversion failed")),
    }
    Ok(new)
}
