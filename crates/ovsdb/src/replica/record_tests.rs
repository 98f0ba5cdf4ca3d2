use super::*;
use crate::datum::Datum;
use crate::json;
use std::collections::{BTreeMap, BTreeSet};

crate::records! {
    /// Some columns of `typ`.
    struct Typ in "typ" {
        i: i64,
        r: f64,
        b: bool,
        s: String,
        bopt: Option<bool>,
        iset: BTreeSet<i64>,
        sset: Vec<String>,
        mis: BTreeMap<i64, String>,
        u: Uuid,
        nosuch: Option<i64>,
    }

    /// A column of another type than the schema says.
    struct Wrong in "typ" {
        i: String,
    }

    /// A table that is not there.
    struct Missing in "missing" {
        i: i64,
    }

    /// One number.
    struct Lim in "lim" {
        x: i64,
    }
}

const SCHEMA: &str = include_str!("../../testdata/t.ovsschema");

fn replica() -> Replica {
    let mut interest = Interest::Tables(BTreeMap::new());
    Typ::add_to(&mut interest);
    Lim::add_to(&mut interest);
    let mut r = Replica::new(Config { database: "t".into(), interest, lock: None }, [1; 32]);
    r.connected_with(Arc::new(Schema::parse(SCHEMA).expect("schema")));
    r
}

fn reply(r: &mut Replica, id: i64, text: &str) {
    let text = json::parse(text).expect("json");
    assert!(r.on_reply(&Value::Integer(id), Ok(text)));
}

#[test]
fn the_schema_is_checked() {
    let schema = Schema::parse(SCHEMA).expect("schema");
    assert_eq!(Typ::check(&schema), Ok(()));
    let wrong = Wrong::check(&schema).expect_err("i is an integer").to_string();
    assert!(wrong.contains("typ.i has type integer"), "{wrong}");
    assert!(Missing::check(&schema).is_err());
}

#[test]
fn records_are_read_and_changes_told() {
    let mut r = replica();
    let q = r.poll_send().expect("monitor");
    assert_eq!(q.method, "monitor_cond_since");
    let columns = q.params[2].get("lim").expect("lim").to_string();
    assert_eq!(columns, r#"[{"columns":["x"]}]"#);
    let rows = r#"[false,"00000000-0000-0000-0000-000000000001",{"lim":{"00000000-0000-0000-0000-00000000000a":
        {"initial":{"x":5}}},"typ":{"00000000-0000-0000-0000-00000000000b":{"initial":{"i":3,"s":"text","r":1.5,
        "b":true,"bopt":["set",[]],"iset":["set",[3,1]],"sset":"one","mis":["map",[[2,"two"],[1,"one"]]]}}}}]"#;
    reply(&mut r, q.id, rows);
    let typ: Vec<Typ> = r.records().collect();
    let [t] = typ.as_slice() else { panic!("{typ:?}") };
    assert_eq!((t.i, t.r, t.b, t.s.as_str(), t.bopt), (3, 1.5, true, "text", None));
    assert_eq!(t.iset, BTreeSet::from([1, 3]));
    assert_eq!(t.sset, ["one"]);
    assert_eq!(t.mis, BTreeMap::from([(1, "one".to_string()), (2, "two".to_string())]));
    assert_eq!(t.nosuch, None);
    assert_eq!(r.record::<Typ>(t.uuid()).as_ref(), Some(t));

    let schema = r.schema().expect("schema").clone();
    let changes = r.take_changes();
    let told: Vec<Change<Lim>> = changes_of(&schema, &changes);
    let row = "00000000-0000-0000-0000-00000000000a".parse().expect("uuid");
    assert_eq!(told, [Change::Inserted(Lim { uuid: row, x: 5 })]);
    let update = json::parse(
        r#"["monid","00000000-0000-0000-0000-000000000002",
        {"lim":{"00000000-0000-0000-0000-00000000000a":{"modify":{"x":6}}}}]"#,
    );
    assert!(r.on_notification("update3", update.expect("json").as_array().expect("array")));
    let changes = r.take_changes();
    let told: Vec<Change<Lim>> = changes_of(&schema, &changes);
    let (old, new) = (Lim { uuid: row, x: 5 }, Lim { uuid: row, x: 6 });
    assert_eq!(told, [Change::Modified { old, new }]);
    assert!(changes_of::<Typ>(&schema, &changes).is_empty());
}

#[test]
fn records_are_written() {
    let mut r = replica();
    let q = r.poll_send().expect("monitor");
    reply(&mut r, q.id, r#"[false,"00000000-0000-0000-0000-000000000001",{}]"#);
    let mut txn = r.begin();
    let t = Typ { i: 7, s: "x".into(), mis: BTreeMap::from([(1, "one".into())]), ..Typ::default() };
    let db = r.db().expect("contents");
    let row = t.insert(&mut txn, db).expect("the table is there");
    let table = db.schema().table("typ").expect("typ");
    let column = db.schema().tables[table].column("i").expect("i");
    assert_eq!(txn.row(db, table, row).expect("row")[column], Datum::one(7));
    r.commit(txn);
    let sent = r.poll_send().expect("transaction");
    let text = Value::Array(sent.params).to_string();
    assert!(text.contains(r#""row":{"i":7,"mis":["map",[[1,"one"]]],"s":"x"}"#), "{text}");
}

#[test]
fn conditions_are_sent_and_changed() {
    let mut r = replica();
    r.poll_send();
    let clauses = |x: i64| {
        let clause = vec!["x".into(), "==".into(), Value::Integer(x)];
        Some(Value::Array(vec![Value::Array(clause)]))
    };
    // Said before there is a connection, a condition is part of the request.
    r.set_condition("lim", clauses(1));
    let schema = r.schema().expect("schema").clone();
    r.connected_with(schema);
    let q = r.poll_send().expect("monitor");
    let lim = q.params[2].get("lim").expect("lim").to_string();
    assert_eq!(lim, r#"[{"columns":["x"],"where":[["x","==",1]]}]"#);
    reply(&mut r, q.id, r#"[false,"00000000-0000-0000-0000-000000000001",{}]"#);
    // The same again is nothing new.
    r.set_condition("lim", clauses(1));
    assert_eq!(r.poll_send(), None);
    r.set_condition("lim", clauses(2));
    let q = r.poll_send().expect("change");
    assert_eq!(q.method, "monitor_cond_change");
    let text = Value::Array(q.params.clone()).to_string();
    assert_eq!(text, r#"["monid","monid",{"lim":[{"where":[["x","==",2]]}]}]"#);
    reply(&mut r, q.id, "{}");
    r.set_condition("lim", None);
    let q = r.poll_send().expect("change");
    assert_eq!(q.params[2].to_string(), r#"{"lim":[{"where":[true]}]}"#);
    assert!(r.on_reply(&Value::Integer(q.id), Err("no such monitor".into())));
    assert_eq!(r.error(), Some("no such monitor"));
    // What was kept was under another condition: everything is fetched again.
    let schema = r.schema().expect("schema").clone();
    r.connected_with(schema);
    let q = r.poll_send().expect("monitor");
    assert_eq!(q.params[3].as_str(), Some("00000000-0000-0000-0000-000000000000"));
}
