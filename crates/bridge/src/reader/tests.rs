//! What is read piece by piece is what is read at once.

use super::*;
use crate::config::Map;

#[derive(Clone, Debug)]
enum Value {
    Text(String),
    Number(i64),
    Refs(Vec<RowId>),
}

type Columns = BTreeMap<&'static str, Value>;

/// A database in memory: rows by table.
#[derive(Clone, Debug, Default)]
struct Memory(BTreeMap<&'static str, BTreeMap<RowId, Columns>>);

struct View<'a>(RowId, &'a Columns);

impl Rows for Memory {
    fn table(&self, table: &str) -> Vec<Box<dyn Row + '_>> {
        let rows = self.0.get(table).into_iter().flatten();
        rows.map(|(id, columns)| Box::new(View(*id, columns)) as Box<dyn Row>).collect()
    }
    fn row(&self, table: &str, id: RowId) -> Option<Box<dyn Row + '_>> {
        Some(Box::new(View(id, self.0.get(table)?.get(&id)?)))
    }
}

impl Row for View<'_> {
    fn id(&self) -> RowId {
        self.0
    }
    fn strings(&self, column: &str) -> Vec<String> {
        if let Some(Value::Text(t)) = self.1.get(column) { vec![t.clone()] } else { Vec::new() }
    }
    fn ints(&self, column: &str) -> Vec<i64> {
        if let Some(Value::Number(n)) = self.1.get(column) { vec![*n] } else { Vec::new() }
    }
    fn bool(&self, _: &str) -> Option<bool> {
        None
    }
    fn map(&self, _: &str) -> Map {
        Map::new()
    }
    fn refs(&self, column: &str) -> Vec<RowId> {
        if let Some(Value::Refs(ids)) = self.1.get(column) { ids.clone() } else { Vec::new() }
    }
    fn int_refs(&self, _: &str) -> Vec<(i64, RowId)> {
        Vec::new()
    }
}

impl Memory {
    fn set(&mut self, table: &'static str, id: RowId, column: &'static str, value: Value) {
        self.0.entry(table).or_default().entry(id).or_default().insert(column, value);
    }

    /// A row with a name.
    fn add(&mut self, table: &'static str, id: RowId, name: &str) {
        self.set(table, id, "name", Value::Text(name.into()));
    }
}

const ROOT: RowId = RowId(1);

fn bridge(n: u64) -> RowId {
    RowId(0x100 + u128::from(n))
}

fn port(n: u64) -> RowId {
    RowId(0x1000 + u128::from(n))
}

fn interface(n: u64) -> RowId {
    RowId(0x2000 + u128::from(n))
}

/// A small generator: good enough to mix.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) % n
    }
}

/// One change of the database; the rows that it concerns.
fn change(db: &mut Memory, r: &mut Random) -> Vec<RowId> {
    let (b, p) = (r.below(3), r.below(12));
    match r.below(6) {
        0 => {
            let all = (0..3).filter(|_| r.below(3) > 0).map(bridge).collect();
            db.set("Open_vSwitch", ROOT, "bridges", Value::Refs(all));
            vec![ROOT]
        }
        1 => {
            let some = (0..12).filter(|_| r.below(2) > 0).map(port).collect();
            db.set("Bridge", bridge(b), "ports", Value::Refs(some));
            vec![bridge(b)]
        }
        2 => {
            db.set("Port", port(p), "tag", Value::Number(r.below(4096) as i64));
            vec![port(p)]
        }
        3 => {
            db.set("Interface", interface(p), "type", Value::Text(format!("t{}", r.below(3))));
            vec![interface(p)]
        }
        4 => {
            let of = (0..12).filter(|_| r.below(6) == 0).map(interface).collect();
            db.set("Port", port(p), "interfaces", Value::Refs(of));
            vec![port(p)]
        }
        _ => {
            let id = RowId(0x3000 + u128::from(r.below(3)));
            db.set("Controller", id, "target", Value::Text(format!("tcp:1.2.3.{}", r.below(200))));
            db.set("Bridge", bridge(b), "controller", Value::Refs(vec![id]));
            vec![bridge(b), id]
        }
    }
}

fn database() -> Memory {
    let mut db = Memory::default();
    db.set("Open_vSwitch", ROOT, "next_cfg", Value::Number(1));
    (0..3).for_each(|n| db.add("Bridge", bridge(n), &format!("br{n}")));
    (0..12).for_each(|n| db.add("Port", port(n), &format!("p{n}")));
    (0..12).for_each(|n| db.add("Interface", interface(n), &format!("i{n}")));
    db
}

#[test]
fn piece_by_piece_as_at_once() {
    let mut r = Random(7);
    let (mut db, mut reader) = (database(), Reader::default());
    for round in 0..3000 {
        let changed = (0..=r.below(3)).flat_map(|_| change(&mut db, &mut r)).collect();
        let read = reader.read(&db, &changed);
        assert_eq!(read, Reader::default().read(&db, &BTreeSet::new()), "round {round}");
    }
}

#[test]
fn what_has_not_changed_is_shared() {
    let (mut db, mut reader) = (database(), Reader::default());
    db.set("Open_vSwitch", ROOT, "bridges", Value::Refs(vec![bridge(0), bridge(1)]));
    db.set("Bridge", bridge(0), "ports", Value::Refs(vec![port(0), port(1)]));
    let before = reader.read(&db, &BTreeSet::new()).unwrap();
    db.set("Port", port(1), "tag", Value::Number(9));
    let after = reader.read(&db, &[port(1)].into()).unwrap();
    assert!(Arc::ptr_eq(&before.bridges["br1"], &after.bridges["br1"]));
    let (old, new) = (&before.bridges["br0"].ports, &after.bridges["br0"].ports);
    assert!(Arc::ptr_eq(&old["p0"], &new["p0"]));
    assert_eq!((old["p1"].tag, new["p1"].tag), (None, Some(9)));
}

#[test]
fn numbers_that_ports_had_are_no_wish() {
    let (mut db, mut reader) = (database(), Reader::default());
    db.set("Open_vSwitch", ROOT, "bridges", Value::Refs(vec![bridge(0)]));
    db.set("Bridge", bridge(0), "ports", Value::Refs(vec![port(0)]));
    db.set("Port", port(0), "interfaces", Value::Refs(vec![interface(0)]));
    let before = reader.read(&db, &BTreeSet::new());
    db.set("Interface", interface(0), "ofport", Value::Number(7));
    let after = reader.read(&db, &[interface(0)].into());
    assert_eq!(before, after);
    let number = after.unwrap().bridges["br0"].ports["p0"].interfaces[0].ofport_before;
    assert_eq!(number.0, Some(OfPort(7)));
}
