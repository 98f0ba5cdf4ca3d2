//! What roles may do, as recorded from the reference (client "client", role "ctl").

use super::*;
use crate::json;
use crate::schema::Schema;
use std::sync::Arc;

const SCHEMA: &str = r#"{"name":"rb","tables":{
 "RBAC_Role":{"isRoot":true,"columns":{"name":{"type":"string"},"permissions":{"type":{"key":"string",
   "value":{"type":"uuid","refTable":"RBAC_Permission","refType":"weak"},"min":0,"max":"unlimited"}}}},
 "RBAC_Permission":{"isRoot":true,"columns":{"table":{"type":"string"},
   "authorization":{"type":{"key":"string","min":0,"max":"unlimited"}},
   "insert_delete":{"type":"boolean"},"update":{"type":{"key":"string","min":0,"max":"unlimited"}}}},
 "T":{"isRoot":true,"columns":{"owner":{"type":"string"},"n":{"type":"integer"},"m":{"type":"integer"},
   "ids":{"type":{"key":"string","value":"string","min":0,"max":"unlimited"}}}}}}"#;

fn run(db: &mut Database, access: Option<&Access>, operations: &str) -> Vec<Value> {
    let mut uuids = UuidSource::from_u64(db.table(0).len() as u64 + 1);
    let operations = json::parse(operations).expect("JSON");
    let mut context = Context {
        read_only: false,
        may_wait: false,
        elapsed: Duration::ZERO,
        owns_lock: &|_| false,
        access,
        uuids: &mut uuids,
    };
    match execute(db, operations.as_array().expect("an array"), &mut context) {
        Outcome::Done(done) => {
            db.apply(&done.changes);
            done.results
        }
        Outcome::Blocked(_) => panic!("blocked"),
    }
}

fn database(authorization: &str) -> Database {
    let mut db = Database::new(Arc::new(Schema::parse(SCHEMA).expect("a schema")));
    let setup = format!(
        r#"[{{"op":"insert","table":"RBAC_Permission","uuid-name":"p","row":{{"table":"T","authorization":
          "{authorization}","insert_delete":true,"update":"n"}}}},
        {{"op":"insert","table":"RBAC_Role","row":{{"name":"ctl","permissions":["map",[["T",["named-uuid","p"]]]]}}}},
        {{"op":"insert","table":"T","row":{{"owner":"client","n":1,"ids":["map",[["cn","client"]]]}}}},
        {{"op":"insert","table":"T","row":{{"owner":"other","n":2}}}}]"#
    );
    let results = run(&mut db, None, &setup);
    assert!(results.iter().all(|r| r.get("error").is_none()), "{results:?}");
    db
}

#[test]
fn roles() {
    let access = |client: Option<&str>| Access { client: client.map(str::to_owned), role: "ctl".into() };
    let cases = [
        (r#"{"op":"insert","table":"T","row":{}}"#, Some("row insertion into table \"T\"")),
        (r#"{"op":"insert","table":"T","row":{"owner":"client","ids":["map",[["cn","client"]]]}}"#, None),
        (r#"{"op":"insert","table":"RBAC_Role","row":{}}"#, Some("row insertion into table \"RBAC_Role\"")),
        (r#"{"op":"update","table":"T","where":[["n","==",1]],"row":{"n":1}}"#, None),
        (
            r#"{"op":"update","table":"T","where":[["n","==",1]],"row":{"m":1}}"#,
            Some("modification of table \"T\""),
        ),
        (
            r#"{"op":"update","table":"T","where":[["n","==",2]],"row":{"n":2}}"#,
            Some("modification of table \"T\""),
        ),
        (r#"{"op":"update","table":"T","where":[["n","==",9]],"row":{"m":1}}"#, None),
        (r#"{"op":"mutate","table":"T","where":[["n","==",1]],"mutations":[["n","+=",0]]}"#, None),
        (
            r#"{"op":"mutate","table":"T","where":[],"mutations":[["n","+=",0]]}"#,
            Some("mutate operation on table \"T\""),
        ),
        (r#"{"op":"delete","table":"T","where":[]}"#, Some("row deletion from table \"T\"")),
        (r#"{"op":"delete","table":"T","where":[["n","==",1]]}"#, None),
        (r#"{"op":"select","table":"RBAC_Role","where":[]}"#, None),
    ];
    for authorization in ["owner", "ids:cn"] {
        for (operation, refused) in cases {
            let mut db = database(authorization);
            let results = run(&mut db, Some(&access(Some("client"))), &format!("[{operation}]"));
            let details = results[0].get("details").and_then(Value::as_str);
            let expected =
                refused.map(|w| format!("RBAC rules for client \"client\" role \"ctl\" prohibit {w}."));
            assert_eq!(details, expected.as_deref(), "{operation}");
        }
    }
    // Nobody in particular may do nothing, even where all others may.
    let mut db = database("");
    let operation = r#"[{"op":"delete","table":"T","where":[]}]"#;
    assert_eq!(
        run(&mut db, Some(&access(None)), operation)[0].get("details").and_then(Value::as_str),
        Some("RBAC rules for client \"(null)\" role \"ctl\" prohibit row deletion from table \"T\".")
    );
    assert_eq!(run(&mut db, Some(&access(Some("x"))), operation)[0].get("count"), Some(&Value::Integer(2)));
}
