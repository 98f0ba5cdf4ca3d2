//! Role-based access control (ovsdb-server(7), section 4.1.3).
//!
//! Where a schema has a table `RBAC_Role`, whoever comes with a role may change only what the role's permissions
//! say: rows that bear the client's name in one of the columns listed, and of them the columns listed.

use super::Transaction;
use crate::atom::Atom;
use crate::datum::Datum;
use crate::error::Error;
use crate::row::Row;
use crate::schema::TableSchema;

/// Who asks, in which role.
#[derive(Clone, Debug, PartialEq)]
pub struct Access {
    /// The client's name, from its certificate.
    pub client: Option<String>,
    /// The role.
    pub role: String,
}

/// What is to be done.
#[derive(Clone, Copy)]
pub(super) enum Deed<'a> {
    Insert,
    Update(&'a [usize]),
    Mutate(&'a [usize]),
    Delete,
}

impl Transaction<'_, '_> {
    /// Refuses what the client may not do to a row.
    pub(super) fn permit(&self, table: usize, row: &Row, deed: Deed<'_>) -> Result<(), Error> {
        let Some(access) = self.context.access else { return Ok(()) };
        let Some(roles) = self.db.schema().table("RBAC_Role") else { return Ok(()) };
        if self.permission(roles, access, table).is_some_and(|p| self.allows(&p, access, table, row, deed)) {
            return Ok(());
        }
        let what = match deed {
            Deed::Insert => "row insertion into",
            Deed::Update(_) => "modification of",
            Deed::Mutate(_) => "mutate operation on",
            Deed::Delete => "row deletion from",
        };
        Err(Error::new(
            "permission error",
            format!(
                "RBAC rules for client \"{}\" role \"{}\" prohibit {what} table \"{}\".",
                access.client.as_deref().unwrap_or("(null)"),
                access.role,
                self.schema(table).name
            ),
        ))
    }

    /// The row with a role's permissions on a table, and its table.
    fn permission(&self, roles: usize, access: &Access, table: usize) -> Option<(usize, Row)> {
        let ts = self.schema(roles);
        let (name, permissions) = (ts.column("name")?, ts.column("permissions")?);
        let role = self.db.table(roles).rows().find(|r| r[name].as_str() == Some(&access.role))?;
        let target = ts.columns[permissions].kind.value.as_ref()?.reference()?.0;
        let key = Atom::from(&*self.schema(table).name);
        let uuid = role[permissions].get(&key)?.as_uuid()?;
        Some((target, self.db.table(target).get(uuid)?.clone()))
    }

    fn allows(&self, p: &(usize, Row), access: &Access, table: usize, row: &Row, deed: Deed<'_>) -> bool {
        let (permissions, rules) = (self.schema(p.0), &p.1);
        let rule = |name: &str| permissions.column(name).map(|c| &rules[c]);
        let schema = self.schema(table);
        let Some(client) = access.client.as_deref() else { return false };
        let authorized = rule("authorization")
            .is_some_and(|d| d.keys().filter_map(Atom::as_str).any(|a| bears(schema, row, a, client)));
        let covers = |columns: &[usize]| {
            let listed = rule("update");
            columns.iter().all(|&c| {
                let name = &*schema.columns[c].name;
                listed.is_some_and(|d| d.keys().any(|a| a.as_str() == Some(name)))
            })
        };
        authorized
            && match deed {
                Deed::Insert | Deed::Delete => {
                    rule("insert_delete").and_then(Datum::as_bool).unwrap_or(false)
                }
                Deed::Update(columns) | Deed::Mutate(columns) => covers(columns),
            }
    }
}

/// Whether a row has a client's name in `COLUMN` or `COLUMN:KEY`. Nothing stands for every row.
fn bears(schema: &TableSchema, row: &Row, place: &str, client: &str) -> bool {
    if place.is_empty() {
        return true;
    }
    let (column, key) = place.split_once(':').map_or((place, None), |(c, k)| (c, Some(k)));
    let Some(c) = schema.column(column) else { return false };
    match key {
        None => schema.columns[c].kind.is_scalar() && row[c].as_str() == Some(client),
        Some(key) => row[c].get(&Atom::from(key)).and_then(Atom::as_str) == Some(client),
    }
}
