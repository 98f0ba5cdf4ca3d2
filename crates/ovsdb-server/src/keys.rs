//! Keys and certificates for TLS, whose file names may be in a database: `--private-key=db:DB,TABLE,COLUMN` means the
//! first string in that column that is not empty, whatever it is at the moment.

use crate::remotes::parts;
use crate::server::Server;
use ovsdb::AtomType;
use reactor::Reactor;
use reactor::tls::Settings;
use std::path::Path;

/// What may be in a database: files and other words.
fn fields(s: &mut Settings) -> [(&mut String, bool); 6] {
    [
        (&mut s.private_key, true),
        (&mut s.certificate, true),
        (&mut s.ca_cert, true),
        (&mut s.protocols, false),
        (&mut s.ciphers, false),
        (&mut s.ciphersuites, false),
    ]
}

/// The settings without what is in databases.
pub fn literal(settings: &Settings) -> Settings {
    let mut settings = settings.clone();
    for (field, _) in fields(&mut settings) {
        if field.starts_with("db:") {
            field.clear();
        }
    }
    settings
}

impl Server {
    /// Takes the settings as they were given; says what is wrong with references to databases.
    pub(crate) fn set_keys(&mut self, r: &mut Reactor, mut settings: Settings) -> Result<(), String> {
        let given = fields(&mut settings).map(|(field, _)| field.clone());
        let wrong: Vec<String> =
            given.iter().filter(|g| g.starts_with("db:")).filter_map(|g| self.check_text(g).err()).collect();
        if !wrong.is_empty() {
            return Err(wrong.join("\n"));
        }
        self.keys = Some(settings).filter(|s| literal(s) != *s);
        self.configure_keys(r);
        Ok(())
    }

    /// Whether a database says which keys there are.
    pub(crate) fn keys_depend_on(&self, db: &str) -> bool {
        let Some(mut keys) = self.keys.clone() else { return false };
        fields(&mut keys).iter().any(|(field, _)| parts(field).is_some_and(|p| p.0 == db))
    }

    /// Reads the keys that databases name. What is named no more, or cannot be read, stays in use.
    pub(crate) fn configure_keys(&mut self, r: &mut Reactor) {
        let Some(mut settings) = self.keys.clone() else { return };
        let mut old = r.tls_settings().clone();
        for ((field, is_file), (old, _)) in fields(&mut settings).into_iter().zip(fields(&mut old)) {
            if field.starts_with("db:") {
                let found = self.text_in(field).filter(|t| !is_file || t == "none" || Path::new(t).exists());
                *field = found.unwrap_or_else(|| old.clone());
            }
        }
        r.configure_tls(&settings);
    }

    fn check_text(&self, reference: &str) -> Result<(), String> {
        self.check_remote(reference)?;
        let Some((db, table, column)) = parts(reference) else { return Ok(()) };
        let schema = self.dbs[db].db.schema();
        let kind = schema.table(table).and_then(|t| {
            let t = &schema.tables[t];
            Some(&t.columns[t.column(column)?].kind)
        });
        match kind {
            Some(kind) if kind.key.kind == AtomType::String && kind.value.is_none() => Ok(()),
            _ => Err(format!(
                "\"{reference}\": table \"{table}\" column \"{column}\" is not string or set of strings"
            )),
        }
    }

    fn text_in(&self, reference: &str) -> Option<String> {
        let (db, table, column) = parts(reference)?;
        let db = &self.dbs.get(db)?.db;
        let table = db.schema().table(table)?;
        let column = db.schema().tables[table].column(column)?;
        let texts = db.table(table).rows().flat_map(|row| row[column].keys());
        texts.filter_map(|atom| atom.as_str()).find(|t| !t.is_empty()).map(str::to_owned)
    }
}
