//! `show`: an outline of the database, following references downward.

use super::model::Model;
use ovsdb::text::datum_to_string;
use ovsdb::{Atom, Datum, Uuid};

/// How a table appears.
pub struct ShowTable {
    /// Its name.
    pub table: &'static str,
    /// The column that names its rows; the root has none and shows its UUID.
    pub name: Option<&'static str>,
    /// What to show of a row, in order; a reference to a table that appears becomes a nested outline.
    pub columns: &'static [&'static str],
    /// Columns that are maps to rows of other tables, shown as `KEY=NAME`: (column, what names those rows).
    pub names: &'static [(&'static str, &'static str)],
}

/// The outline. The first table is the root.
pub fn outline(m: &Model, tables: &[ShowTable]) -> String {
    let mut out = String::new();
    if let Some(root) = tables.first()
        && let Some(t) = m.schema().table(root.table)
    {
        for (row, _) in m.each(t) {
            show_row(m, tables, root, row, 0, &mut out);
        }
    }
    out
}

fn show_row(m: &Model, tables: &[ShowTable], show: &ShowTable, row: Uuid, level: usize, out: &mut String) {
    let Some(t) = m.schema().table(show.table) else { return };
    let schema = m.table(t);
    out.push_str(&"    ".repeat(level));
    match show.name.and_then(|n| schema.column(n)) {
        Some(c) => {
            let name = datum_to_string(m.value(t, row, c), &schema.columns[c].kind);
            out.push_str(&format!("{} {name}\n", schema.name));
        }
        None => out.push_str(&format!("{row}\n")),
    }
    // A reference cycle cannot nest deeper than there are tables.
    if level > tables.len() {
        return;
    }
    for column in show.columns {
        let Some(c) = schema.column(column) else { continue };
        let (value, kind) = (m.value(t, row, c), &schema.columns[c].kind);
        if let Some((_, name)) = show.names.iter().find(|n| n.0 == *column) {
            show_names(m, value, kind, name, level, column, out);
            continue;
        }
        let referenced = kind.key.reference().map(|(t, _)| &*m.schema().tables[t].name);
        if let Some(nested) = referenced.and_then(|r| tables.iter().find(|s| s.table == r)) {
            let rows: Vec<Uuid> = value.keys().filter_map(Atom::as_uuid).collect();
            let nested_table = m.schema().table(nested.table);
            for r in rows.into_iter().filter(|r| nested_table.is_some_and(|t| m.row(t, *r).is_some())) {
                show_row(m, tables, nested, r, level + 1, out);
            }
        } else if *value != kind.default_datum() && *value != Datum::Empty {
            out.push_str(&"    ".repeat(level + 1));
            out.push_str(&format!("{column}: {}\n", datum_to_string(value, kind)));
        }
    }
}

/// A map to rows of another table, by their names.
fn show_names(
    m: &Model,
    value: &Datum,
    kind: &ovsdb::ColumnType,
    name: &str,
    level: usize,
    column: &str,
    out: &mut String,
) {
    out.push_str(&format!("{}{column}:\n", "    ".repeat(level + 1)));
    let Some((t, _)) = kind.value.as_ref().and_then(|v| v.reference()) else { return };
    let Some(c) = m.table(t).column(name) else { return };
    for (key, row) in value.pairs() {
        let Some(row) = row.as_uuid().filter(|r| m.row(t, *r).is_some()) else { continue };
        let text = datum_to_string(m.value(t, row, c), &m.table(t).columns[c].kind);
        let key = ovsdb::text::atom_to_string(key);
        out.push_str(&format!("{}{key}={text}\n", "    ".repeat(level + 2)));
    }
}
