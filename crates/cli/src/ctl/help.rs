//! The part of `--help` that is the same for all programs of this kind.

use super::columns::{RowName, RowNames};

/// The commands that work on any table.
const COMMANDS: &str = "
Database commands:
  list TBL [REC]              list RECord (or all records) in TBL
  find TBL CONDITION...       list records satisfying CONDITION in TBL
  get TBL REC COL[:KEY]       print values of COLumns in RECord in TBL
  set TBL REC COL[:KEY]=VALUE set COLumn values in RECord in TBL
  add TBL REC COL [KEY=]VALUE add (KEY=)VALUE to COLumn in RECord in TBL
  remove TBL REC COL [KEY=]VALUE  remove (KEY=)VALUE from COLumn
  clear TBL REC COL           clear values from COLumn in RECord in TBL
  create TBL COL[:KEY]=VALUE  create and initialize new record
  destroy TBL REC             delete RECord from TBL
  wait-until TBL REC [COL[:KEY]=VALUE]  wait until condition is true
Potentially unsafe database commands require --force option.
Database commands may reference a row in each table in the following ways:
";

/// The database commands, and how the rows of each table may be named.
pub fn database(names: &[RowNames]) -> String {
    let mut out = COMMANDS.to_owned();
    for n in names {
        out.push_str(&format!("  {}:\n    by UUID\n", n.table));
        for way in n.ways {
            out.push_str(&match way {
                RowName::Singleton => "    as \".\"\n".to_owned(),
                RowName::Column(column) => format!("    by \"{column}\"\n"),
                RowName::Via(other, via) => format!("    via \"{via}\" of {other} with matching \"name\"\n"),
            });
        }
    }
    out
}
