//! The commands on any table: list, find, get, set, add, remove, clear, create, destroy, wait-until, comment.

use super::columns::{
    Condition, all_hold, assigned_column, check_mutable, find_column, find_record, find_table, set_column_in,
    target,
};
use super::command::{Invocation, MANY, Syntax};
use super::{Context, HasContext, Output, Records};
use ovsdb::schema::UUID_COLUMN;
use ovsdb::text::{parse_atom, parse_datum};
use ovsdb::{ColumnType, Datum, Uuid};

type Done = Result<(), String>;

macro_rules! syntax {
    ($name:literal, $min:expr, $max:expr, $arguments:literal, [$($option:literal),*], $writes:expr, $run:ident) => {
        Syntax { name: $name, min: $min, max: $max, arguments: $arguments, options: &[$($option),*], writes: $writes,
                 run: $run::<C> }
    };
}

/// The commands, to be joined with a program's own.
pub const fn commands<C: HasContext>() -> [Syntax<C>; 11] {
    [
        syntax!("comment", 0, MANY, "*ARG", [], false, comment),
        syntax!("get", 2, MANY, "!TABLE !RECORD *COLUMN?:KEY", ["--if-exists", "--id="], false, get),
        syntax!("find", 1, MANY, "!TABLE *COLUMN?:KEY=VALUE", ["--columns="], false, find),
        syntax!("list", 1, MANY, "!TABLE *RECORD", ["--if-exists", "--columns="], false, list),
        syntax!("set", 3, MANY, "!TABLE !RECORD +COLUMN?:KEY=VALUE", ["--if-exists"], true, set),
        syntax!("add", 4, MANY, "!TABLE !RECORD !COLUMN +?KEY=VALUE", ["--if-exists"], true, add),
        syntax!(
            "remove",
            4,
            MANY,
            "!TABLE !RECORD !COLUMN +KEY|VALUE|KEY=VALUE",
            ["--if-exists"],
            true,
            remove
        ),
        syntax!("clear", 3, MANY, "!TABLE !RECORD +COLUMN", ["--if-exists"], true, clear),
        syntax!("create", 2, MANY, "!TABLE +COLUMN?:KEY=VALUE", ["--id="], true, create),
        syntax!("destroy", 1, MANY, "!TABLE *RECORD", ["--if-exists", "--all"], true, destroy),
        syntax!("wait-until", 2, MANY, "!TABLE !RECORD *COLUMN?:KEY=VALUE", [], false, wait_until),
    ]
}

fn comment<C: HasContext>(_: &mut C, _: &Invocation<C>) -> Done {
    Ok(())
}

/// Table and record of a command's first two arguments.
fn record<C: HasContext>(c: &mut Context, call: &Invocation<C>) -> Result<(usize, Option<Uuid>), String> {
    let table = find_table(c.model.schema(), &call.args[0])?;
    let must = !call.has("--if-exists");
    Ok((table, find_record(&c.model, c.record_names, table, &call.args[1], must)?))
}

/// Columns are looked up before the record is, so that their errors come first.
fn check_columns(c: &Context, table: &[String], columns: &[String], uuid: bool) -> Done {
    let table = find_table(c.model.schema(), &table[0])?;
    columns.iter().try_for_each(|a| target(c.model.schema(), table, a, uuid).map(|_| ()))
}

fn get<C: HasContext>(c: &mut C, call: &Invocation<C>) -> Done {
    let c = c.context();
    check_columns(c, &call.args, &call.args[2..], true)?;
    let (table, Some(row)) = record(c, call)? else { return Ok(()) };
    if let Some(name) = call.value("--id") {
        c.symbols.define(name, "get", Some(row))?;
    }
    let schema = c.model.schema().clone();
    let mut lines = Vec::new();
    for arg in &call.args[2..] {
        let t = target(&schema, table, arg, true)?;
        if !t.rest.is_empty() {
            return Err(format!("{arg}: trailing garbage \"{}\" in argument", t.rest));
        }
        let column = &schema.tables[table].columns[t.column];
        let value = c.model.value(table, row, t.column);
        let Some(key) = t.key else {
            lines.push(super::columns::show(value, column));
            continue;
        };
        if !column.kind.is_map() {
            return Err(format!("cannot specify key to get for non-map column {}", column.name));
        }
        let atom = parse_atom(&key, &column.kind.key, Some(&mut c.symbols))?;
        match value.get(&atom) {
            Some(v) => lines.push(ovsdb::text::atom_to_string(v)),
            None if call.has("--if-exists") => lines.push(String::new()),
            None => {
                return Err(format!(
                    "no key \"{key}\" in {} record \"{}\" column {}",
                    schema.tables[table].name, call.args[1], column.name
                ));
            }
        }
    }
    c.lines(lines);
    Ok(())
}

/// Columns that `--columns` names, or all.
fn chosen_columns(c: &Context, table: usize, option: Option<&str>) -> Result<Vec<usize>, String> {
    let schema = c.model.schema();
    let Some(list) = option else {
        let own = schema.tables[table].own_columns().map(|(c, _)| c);
        return Ok(std::iter::once(UUID_COLUMN).chain(own).collect());
    };
    let names: Vec<&str> = list.split([',', ' ']).map(str::trim).filter(|n| !n.is_empty()).collect();
    if names.is_empty() {
        return Err("must specify at least one column name".into());
    }
    names.into_iter().map(|n| find_column(schema, table, n, true)).collect()
}

fn records(c: &Context, table: usize, columns: &[usize], rows: &[Uuid]) -> Output {
    let schema = &c.model.schema().tables[table];
    Output::Table(Records {
        headings: columns.iter().map(|c| schema.columns[*c].name.to_string()).collect(),
        kinds: columns.iter().map(|c| schema.columns[*c].kind.clone()).collect(),
        rows: rows
            .iter()
            .map(|r| columns.iter().map(|col| c.model.value(table, *r, *col).clone()).collect())
            .collect(),
    })
}

fn list<C: HasContext>(c: &mut C, call: &Invocation<C>) -> Done {
    let c = c.context();
    let table = find_table(c.model.schema(), &call.args[0])?;
    let columns = chosen_columns(c, table, call.value("--columns"))?;
    let mut rows = Vec::new();
    if call.args.len() == 1 {
        rows.extend(c.model.each(table).map(|(u, _)| u));
    }
    for name in &call.args[1..] {
        rows.extend(find_record(&c.model, c.record_names, table, name, !call.has("--if-exists"))?);
    }
    c.output = records(c, table, &columns, &rows);
    Ok(())
}

fn find<C: HasContext>(c: &mut C, call: &Invocation<C>) -> Done {
    let c = c.context();
    let table = find_table(c.model.schema(), &call.args[0])?;
    let columns = chosen_columns(c, table, call.value("--columns"))?;
    let schema = c.model.schema().clone();
    check_columns(c, &call.args[..1], &call.args[1..], false)?;
    // Without rows nothing is compared, and so nothing complained about.
    let given = if c.model.each(table).next().is_some() { &call.args[1..] } else { &[] };
    let conditions = given
        .iter()
        .map(|a| Condition::parse(&schema, table, a, &mut c.symbols))
        .collect::<Result<Vec<_>, _>>()?;
    let mut rows = Vec::new();
    for (row, _) in c.model.each(table) {
        if all_hold(&conditions, &c.model, table, row)? {
            rows.push(row);
        }
    }
    c.output = records(c, table, &columns, &rows);
    Ok(())
}

fn set<C: HasContext>(c: &mut C, call: &Invocation<C>) -> Done {
    let c = c.context();
    check_columns(c, &call.args, &call.args[2..], false)?;
    let (table, Some(row)) = record(c, call)? else { return Ok(()) };
    for arg in &call.args[2..] {
        check_mutable(&c.model, table, assigned_column(&c.model, table, arg)?)?;
        set_column_in(&mut c.model, table, row, arg, &mut c.symbols)?;
    }
    Ok(())
}

/// The column of `add`, `remove` and `clear`, with its type relaxed to any number of elements.
fn loose(c: &Context, table: usize, name: &str) -> Result<(usize, ColumnType), String> {
    let column = find_column(c.model.schema(), table, name, false)?;
    check_mutable(&c.model, table, column)?;
    let mut kind = c.model.table(table).columns[column].kind.clone();
    (kind.min, kind.max) = (1, u32::MAX);
    Ok((column, kind))
}

fn add<C: HasContext>(c: &mut C, call: &Invocation<C>) -> Done {
    let c = c.context();
    let table = find_table(c.model.schema(), &call.args[0])?;
    find_column(c.model.schema(), table, &call.args[2], false)?;
    let (table, Some(row)) = record(c, call)? else { return Ok(()) };
    let (column, kind) = loose(c, table, &call.args[2])?;
    for arg in &call.args[3..] {
        let more = parse_datum(arg, &kind, Some(&mut c.symbols))?;
        let max = c.model.table(table).columns[column].kind.max;
        let n = c.model.value(table, row, column).union(&more).len();
        if n > max as usize {
            return Err(count_error(c, "add", n, table, column, "maximum", max));
        }
        c.model.add(table, row, column, &more);
    }
    Ok(())
}

fn count_error(
    c: &Context,
    operation: &str,
    n: usize,
    table: usize,
    column: usize,
    which: &str,
    limit: u32,
) -> String {
    let t = c.model.table(table);
    format!(
        "\"{operation}\" operation would put {n} values in column {} of table {} but the {which} number is {limit}",
        t.columns[column].name, t.name
    )
}

fn remove<C: HasContext>(c: &mut C, call: &Invocation<C>) -> Done {
    let c = c.context();
    let table = find_table(c.model.schema(), &call.args[0])?;
    find_column(c.model.schema(), table, &call.args[2], false)?;
    let (table, Some(row)) = record(c, call)? else { return Ok(()) };
    let (column, kind) = loose(c, table, &call.args[2])?;
    for arg in &call.args[3..] {
        let less = match parse_datum(arg, &kind, Some(&mut c.symbols)) {
            Ok(d) => d,
            // In a map, keys alone will do.
            Err(_) if kind.is_map() => {
                let keys = ColumnType { value: None, ..kind.clone() };
                parse_datum(arg, &keys, Some(&mut c.symbols))?
            }
            Err(e) => return Err(e),
        };
        let min = c.model.table(table).columns[column].kind.min;
        let n = c.model.value(table, row, column).subtract(&less).len();
        if n < min as usize {
            return Err(count_error(c, "remove", n, table, column, "minimum", min));
        }
        c.model.subtract(table, row, column, &less);
    }
    Ok(())
}

fn clear<C: HasContext>(c: &mut C, call: &Invocation<C>) -> Done {
    let c = c.context();
    let table = find_table(c.model.schema(), &call.args[0])?;
    for name in &call.args[2..] {
        find_column(c.model.schema(), table, name, false)?;
    }
    let (table, Some(row)) = record(c, call)? else { return Ok(()) };
    for name in &call.args[2..] {
        let (column, _) = loose(c, table, name)?;
        let t = c.model.table(table);
        if t.columns[column].kind.min > 0 {
            return Err(format!(
                "\"clear\" operation cannot be applied to column {} of table {}, which is not allowed to be empty",
                t.columns[column].name, t.name
            ));
        }
        c.model.write(table, row, column, Datum::EMPTY);
    }
    Ok(())
}

fn create<C: HasContext>(c: &mut C, call: &Invocation<C>) -> Done {
    let c = c.context();
    let table = find_table(c.model.schema(), &call.args[0])?;
    let id = call.value("--id");
    let uuid = match id {
        Some(text) => match text.parse::<Uuid>() {
            Ok(uuid) => Some((uuid, true)),
            Err(()) => Some((c.symbols.define(text, "create", None)?, false)),
        },
        None => {
            if !c.model.table(table).is_root {
                base::warn!(
                    c.log,
                    "db_ctl_base",
                    "applying \"create\" command to table {} without --id option will have no effect",
                    c.model.table(table).name
                );
            }
            None
        }
    };
    let row = match uuid {
        Some((uuid, true)) => c.model.insert_in(table, Some(uuid)),
        Some((uuid, false)) => c.model.insert_named(table, uuid),
        None => c.model.insert_in(table, None),
    };
    for arg in &call.args[1..] {
        set_column_in(&mut c.model, table, row, arg, &mut c.symbols)?;
    }
    c.created = Some((table, row));
    Ok(())
}

fn destroy<C: HasContext>(c: &mut C, call: &Invocation<C>) -> Done {
    let c = c.context();
    let table = find_table(c.model.schema(), &call.args[0])?;
    let all = call.has("--all");
    if all && call.has("--if-exists") {
        return Err("--all and --if-exists should not be specified together".into());
    }
    match (all, call.args.len()) {
        (true, 2..) => return Err("--all and records argument should not be specified together".into()),
        (false, 1) => {
            base::warn!(c.log, "db_ctl_base", "either --all or records argument should be specified");
        }
        (true, _) => {
            let rows: Vec<Uuid> = c.model.each(table).map(|(u, _)| u).collect();
            rows.into_iter().for_each(|r| c.model.delete_in(table, r));
        }
        (false, _) => {
            for name in &call.args[1..] {
                let must = !call.has("--if-exists");
                if let Some(row) = find_record(&c.model, c.record_names, table, name, must)? {
                    c.model.delete_in(table, row);
                }
            }
        }
    }
    Ok(())
}

fn wait_until<C: HasContext>(c: &mut C, call: &Invocation<C>) -> Done {
    let c = c.context();
    let table = find_table(c.model.schema(), &call.args[0])?;
    let schema = c.model.schema().clone();
    check_columns(c, &call.args, &call.args[2..], false)?;
    let Some(row) = find_record(&c.model, c.record_names, table, &call.args[1], false)? else {
        c.wait = true;
        return Ok(());
    };
    let conditions = call.args[2..]
        .iter()
        .map(|a| Condition::parse(&schema, table, a, &mut c.symbols))
        .collect::<Result<Vec<_>, _>>()?;
    c.wait = !all_hold(&conditions, &c.model, table, row)?;
    Ok(())
}
