//! `TABLE`, `RECORD` and `COLUMN[:KEY]=VALUE` as they are typed.

use super::model::Model;
use ovsdb::text::{NamedRows, datum_to_string, parse_atom, parse_datum, token, unquote};
use ovsdb::{Atom, ColumnSchema, Datum, Schema, Uuid, UuidSource};
use std::collections::BTreeMap;

/// `@name`s of one invocation.
pub struct Symbols {
    names: BTreeMap<String, Symbol>,
    uuids: UuidSource,
}

/// What is known of one `@name`.
#[derive(Clone, Copy, Debug)]
pub struct Symbol {
    /// The row.
    pub uuid: Uuid,
    /// A command with `--id` has said what it is.
    pub created: bool,
    /// Some value refers to it.
    pub referenced: bool,
}

impl Symbols {
    /// None yet.
    pub fn new(seed: [u8; 32]) -> Symbols {
        Symbols { names: BTreeMap::new(), uuids: UuidSource::new(seed) }
    }

    /// Says that `--id=NAME` on `command` makes (or finds) a row; `uuid` is given for a row that exists.
    pub fn define(&mut self, name: &str, command: &str, uuid: Option<Uuid>) -> Result<Uuid, String> {
        if !name.starts_with('@') {
            return Err(format!("row id \"{name}\" does not begin with \"@\""));
        }
        if let Some(s) = self.names.get_mut(name) {
            if s.created {
                return Err(format!("row id \"{name}\" may only be specified on one --id option"));
            }
            if let Some(uuid) = uuid
                && uuid != s.uuid
            {
                return Err(format!(
                    "row id \"{name}\" specified on \"{command}\" command was used before it was defined"
                ));
            }
            s.created = true;
            return Ok(s.uuid);
        }
        let uuid = uuid.unwrap_or_else(|| self.uuids.next_uuid());
        self.names.insert(name.to_string(), Symbol { uuid, created: true, referenced: false });
        Ok(uuid)
    }

    /// All of them by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Symbol)> {
        self.names.iter().map(|(n, s)| (n.as_str(), s))
    }
}

impl NamedRows for Symbols {
    fn named(&mut self, name: &str) -> Uuid {
        if let Some(s) = self.names.get_mut(name) {
            s.referenced = true;
            return s.uuid;
        }
        let uuid = self.uuids.next_uuid();
        self.names.insert(name.to_string(), Symbol { uuid, created: false, referenced: true });
        uuid
    }
}

/// How a name that was typed fits a name of the schema: letter case and `-` or `_` do not matter.
fn fits(typed: &str, name: &str) -> Option<bool> {
    let plain = |c: char| if c == '-' { '_' } else { c.to_ascii_lowercase() };
    let mut n = name.chars();
    for t in typed.chars() {
        if plain(t) != n.next().map(plain)? {
            return None;
        }
    }
    Some(n.next().is_none())
}

/// The table that `typed` names, perhaps abbreviated.
pub fn find_table(schema: &Schema, typed: &str) -> Result<usize, String> {
    let mut candidates = Vec::new();
    for (t, table) in schema.tables.iter().enumerate() {
        match fits(typed, &table.name) {
            Some(true) => return Ok(t),
            Some(false) => candidates.push(t),
            None => {}
        }
    }
    match candidates.as_slice() {
        [] => Err(format!("unknown table \"{typed}\"")),
        [one] => Ok(*one),
        many => {
            let names: Vec<&str> = many.iter().map(|t| &*schema.tables[*t].name).collect();
            Err(format!("\"{typed}\" matches multiple table names: {}", names.join(", ")))
        }
    }
}

/// The column that `typed` names, perhaps abbreviated. `_uuid` counts where `uuid` says so.
pub fn find_column(schema: &Schema, table: usize, typed: &str, uuid: bool) -> Result<usize, String> {
    let t = &schema.tables[table];
    if uuid && fits(typed, "_uuid") == Some(true) {
        return Ok(ovsdb::schema::UUID_COLUMN);
    }
    let mut candidates = Vec::new();
    for (c, column) in t.own_columns() {
        match fits(typed, &column.name) {
            Some(true) => return Ok(c),
            Some(false) => candidates.push(c),
            None => {}
        }
    }
    match candidates.as_slice() {
        [] => Err(format!("{} does not contain a column whose name matches \"{typed}\"", t.name)),
        [one] => Ok(*one),
        many => {
            let names: Vec<&str> = many.iter().map(|c| &*t.columns[*c].name).collect();
            Err(format!(
                "{} contains more than one column whose name matches \"{typed}\": {}",
                t.name,
                names.join(", ")
            ))
        }
    }
}

/// `COLUMN[:KEY]`, and what follows it.
pub struct Target<'a> {
    /// Column number.
    pub column: usize,
    /// Key, as typed.
    pub key: Option<String>,
    /// The rest of the argument.
    pub rest: &'a str,
}

/// Splits `COLUMN[:KEY]` off an argument.
pub fn target<'a>(schema: &Schema, table: usize, arg: &'a str, uuid: bool) -> Result<Target<'a>, String> {
    let (name, mut rest) = token(arg)?;
    if name.is_empty() {
        return Err(format!("{arg}: missing column name"));
    }
    let column = find_column(schema, table, &unquote(name)?, uuid)?;
    let mut key = None;
    if let Some(after) = rest.strip_prefix(':') {
        let (text, end) = token(after)?;
        key = Some(text.to_string());
        rest = end;
    }
    Ok(Target { column, key, rest })
}

/// Operators of conditions, longest first where one begins another.
const OPERATORS: &[(&str, Operator)] = &[
    ("=", Operator::Eq),
    ("!=", Operator::Ne),
    ("<=", Operator::Le),
    (">=", Operator::Ge),
    ("<", Operator::Lt),
    (">", Operator::Gt),
    ("{=}", Operator::SetEq),
    ("{!=}", Operator::SetNe),
    ("{<=}", Operator::Subset),
    ("{>=}", Operator::Superset),
    ("{<}", Operator::ProperSubset),
    ("{>}", Operator::ProperSuperset),
    ("{in}", Operator::Subset),
    ("{not-in}", Operator::NotIn),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Eq,
    Ne,
    Lt,
    Gt,
    Le,
    Ge,
    SetEq,
    SetNe,
    Subset,
    ProperSubset,
    Superset,
    ProperSuperset,
    NotIn,
}

impl Operator {
    fn is_arithmetic(self) -> bool {
        use Operator::*;
        matches!(self, Eq | Ne | Lt | Gt | Le | Ge)
    }

    fn holds(self, a: &Datum, b: &Datum) -> bool {
        let order = || a.len().cmp(&b.len()).then_with(|| compare(a, b));
        match self {
            Operator::Eq | Operator::SetEq => a == b,
            Operator::Ne | Operator::SetNe => a != b,
            Operator::Lt => order().is_lt(),
            Operator::Gt => order().is_gt(),
            Operator::Le => order().is_le(),
            Operator::Ge => order().is_ge(),
            Operator::Subset => b.includes_all(a),
            Operator::ProperSubset => b.includes_all(a) && a.len() < b.len(),
            Operator::Superset => a.includes_all(b),
            Operator::ProperSuperset => a.includes_all(b) && a.len() > b.len(),
            Operator::NotIn => a.excludes_all(b),
        }
    }
}

fn compare(a: &Datum, b: &Datum) -> std::cmp::Ordering {
    a.keys().cmp(b.keys()).then_with(|| a.values().cmp(b.values()))
}

/// A condition of `find` or `wait-until`.
pub struct Condition {
    column: usize,
    operator: Operator,
    key: Option<Atom>,
    /// What is wrong with it counts only where it is compared: a row without the key asks for no value.
    value: Result<Datum, String>,
}

impl Condition {
    /// Reads `COLUMN[:KEY]OPERATOR VALUE`.
    pub fn parse(schema: &Schema, table: usize, arg: &str, names: &mut Symbols) -> Result<Condition, String> {
        let t = target(schema, table, arg, false)?;
        let found = OPERATORS
            .iter()
            .filter_map(|(text, op)| Some((text.len(), *op, t.rest.strip_prefix(text)?)))
            .max_by_key(|(len, _, _)| *len);
        let Some((_, operator, value)) = found.filter(|(_, _, v)| !v.is_empty()) else {
            return Err(format!(
                "{arg}: argument does not end in {}, or \"{{not-in}}\" followed by a value.",
                ["=", "!=", "<", ">", "<=", ">=", "{=}", "{!=}", "{<}", "{>}", "{<=}", "{>=}", "{in}"]
                    .map(|o| format!("\"{o}\""))
                    .join(", ")
            ));
        };
        let column = &schema.tables[table].columns[t.column];
        let kind = &column.kind;
        let Some(key) = t.key else {
            let mut loose = kind.clone();
            if !operator.is_arithmetic() {
                (loose.min, loose.max) = (0, u32::MAX);
            }
            let value = Ok(parse_datum(value, &loose, Some(names))?);
            return Ok(Condition { column: t.column, operator, key: None, value });
        };
        let Some(value_type) = &kind.value else {
            return Err(format!("cannot specify key to check for non-map column {}", column.name));
        };
        let key = parse_atom(&key, &kind.key, Some(names))?;
        let mut of = ovsdb::ColumnType { key: value_type.clone(), value: None, min: 1, max: 1 };
        if !operator.is_arithmetic() {
            (of.min, of.max) = (0, u32::MAX);
        }
        let value = parse_datum(value, &of, Some(names));
        Ok(Condition { column: t.column, operator, key: Some(key), value })
    }

    /// Whether a row meets it.
    pub fn holds(&self, m: &Model, table: usize, row: Uuid) -> Result<bool, String> {
        let have = m.value(table, row, self.column);
        let have = match &self.key {
            None => have.clone(),
            Some(key) => match have.get(key) {
                Some(v) => Datum::One(v.clone()),
                None if self.operator.is_arithmetic() => return Ok(false),
                None => Datum::EMPTY,
            },
        };
        let value = self.value.as_ref().map_err(String::clone)?;
        Ok(self.operator.holds(&have, value))
    }
}

/// Whether a row meets all of `conditions`.
pub fn all_hold(conditions: &[Condition], m: &Model, table: usize, row: Uuid) -> Result<bool, String> {
    for c in conditions {
        if !c.holds(m, table, row)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Splits `COLUMN[:KEY]=VALUE`.
fn assignment<'a>(schema: &Schema, table: usize, arg: &'a str) -> Result<Target<'a>, String> {
    let mut t = target(schema, table, arg, false)?;
    match t.rest.strip_prefix('=') {
        Some(value) if !value.is_empty() => {
            t.rest = value;
            Ok(t)
        }
        _ => Err(format!("{arg}: argument does not end in \"=\" followed by a value.")),
    }
}

/// Fails for a column that cannot change once its row exists.
pub fn check_mutable(m: &Model, table: usize, column: usize) -> Result<(), String> {
    let c = &m.table(table).columns[column];
    if c.mutable {
        Ok(())
    } else {
        Err(format!("cannot modify read-only column {} in table {}", c.name, m.table(table).name))
    }
}

/// Carries out `COLUMN[:KEY]=VALUE` on a row.
pub fn set_column_in(
    m: &mut Model,
    table: usize,
    row: Uuid,
    arg: &str,
    names: &mut Symbols,
) -> Result<(), String> {
    let schema = m.schema().clone();
    let t = assignment(&schema, table, arg)?;
    let column: &ColumnSchema = &schema.tables[table].columns[t.column];
    let kind = &column.kind;
    let Some(key) = t.key else {
        let value = parse_datum(t.rest, kind, Some(names))?;
        m.write(table, row, t.column, value);
        return Ok(());
    };
    let Some(value_type) = &kind.value else {
        return Err(format!("cannot specify key to set for non-map column {}", column.name));
    };
    let key = parse_atom(&key, &kind.key, Some(names))?;
    let value = parse_atom(t.rest, value_type, Some(names))?;
    let old = m.value(table, row, t.column);
    let pairs = old.pairs().iter().filter(|(k, _)| *k != key).cloned().chain([(key.clone(), value)]);
    let new = Datum::map(pairs);
    m.amend(table, row, t.column, new);
    Ok(())
}

/// [`set_column_in`] by table name, for the arguments of `add-port` and the like.
pub fn set_column(
    m: &mut Model,
    table: &str,
    row: Uuid,
    arg: &str,
    names: &mut Symbols,
) -> Result<(), String> {
    let t = find_table(m.schema(), table)?;
    set_column_in(m, t, row, arg, names)
}

/// The column of an assignment, to be checked before it is carried out.
pub fn assigned_column(m: &Model, table: usize, arg: &str) -> Result<usize, String> {
    Ok(assignment(m.schema(), table, arg)?.column)
}

/// How rows of a table may be named beside by UUID: where a name leads.
pub struct RowNames {
    /// The table.
    pub table: &'static str,
    /// Ways, tried in order.
    pub ways: &'static [RowName],
}

/// One way to name rows.
pub enum RowName {
    /// The table's only row, as `.`.
    Singleton,
    /// By the value of a column.
    Column(&'static str),
    /// By the column `via` of the row of another table whose `name` is given.
    Via(&'static str, &'static str),
}

/// Finds a record by UUID, its abbreviation, or one of the table's names.
pub fn find_record(
    m: &Model,
    names: &'static [RowNames],
    table: usize,
    record: &str,
    must: bool,
) -> Result<Option<Uuid>, String> {
    if let Ok(uuid) = record.parse::<Uuid>()
        && m.row(table, uuid).is_some()
    {
        return Ok(Some(uuid));
    }
    if record == "." {
        // The one row, where there is only one.
        let mut rows = m.each(table);
        if let (Some((uuid, _)), None) = (rows.next(), rows.next()) {
            return Ok(Some(uuid));
        }
    }
    let table_name = &*m.table(table).name;
    for way in names.iter().filter(|n| n.table == table_name).flat_map(|n| n.ways) {
        if let Some(found) = by_name(m, table, way, record)? {
            return Ok(Some(found));
        }
    }
    if record.len() >= 4 && Uuid::partial_match_len(record) == record.len() {
        let mut hits = m.each(table).filter(|(u, _)| u.to_string().starts_with(record));
        if let (Some((uuid, _)), None) = (hits.next(), hits.next()) {
            return Ok(Some(uuid));
        }
    }
    if must { Err(format!("no row \"{record}\" in table {table_name}")) } else { Ok(None) }
}

fn by_name(m: &Model, table: usize, way: &RowName, record: &str) -> Result<Option<Uuid>, String> {
    match way {
        RowName::Singleton => Ok(None),
        RowName::Column(name) => by_column(m, table, name, record),
        RowName::Via(other, via) => {
            let Some(other) = m.schema().table(other) else { return Ok(None) };
            let Some(row) = by_column(m, other, "name", record)? else { return Ok(None) };
            let Some(via) = m.table(other).column(via) else { return Ok(None) };
            let value = m.value(other, row, via);
            let only = if value.len() == 1 { value.keys().next().and_then(Atom::as_uuid) } else { None };
            Ok(only.filter(|u| m.row(table, *u).is_some()))
        }
    }
}

fn by_column(m: &Model, table: usize, name: &str, record: &str) -> Result<Option<Uuid>, String> {
    let Some(column) = m.table(table).column(name) else { return Ok(None) };
    if let Some(mut hits) = m.named(table, column, record) {
        let found = hits.next();
        return match hits.next() {
            Some(_) => Err(format!("multiple rows in {} match \"{record}\"", m.table(table).name)),
            None => Ok(found),
        };
    }
    let kind = &m.table(table).columns[column].kind;
    let Ok(wanted) = parse_atom(&quoted(kind, record), &kind.key, None) else { return Ok(None) };
    let mut hits = m.each(table).filter(|(_, r)| r.value(column).contains(&wanted));
    let found = hits.next().map(|(u, _)| u);
    if hits.next().is_some() {
        return Err(format!("multiple rows in {} match \"{record}\"", m.table(table).name));
    }
    Ok(found)
}

/// A string is looked for as typed, whatever characters it has.
fn quoted(kind: &ovsdb::ColumnType, record: &str) -> String {
    if kind.key.kind == ovsdb::AtomType::String {
        let mut s = String::new();
        ovsdb::json::write_string(&mut s, record);
        s
    } else {
        record.to_string()
    }
}

/// The text of a value for `get`.
pub fn show(value: &Datum, column: &ColumnSchema) -> String {
    datum_to_string(value, &column.kind)
}
