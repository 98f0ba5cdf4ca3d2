//! Tables as text: aligned columns, lists, CSV, JSON, HTML.
//!
//! A cell may be shown in three ways (`--data`): as a string in the syntax of the database tools, bare, or as JSON.

use crate::fatal::Fatal;
use crate::localtime::Zone;
use crate::options::{Given, Opt};
use crate::timefmt::format_time;
use ovsdb::json::Value;

/// The options.
pub const OPTIONS: &[Opt] = &[
    Opt::value("format").short('f').id("table:format"),
    Opt::value("data").short('d').id("table:data"),
    Opt::flag("no-headings").id("table:no-headings"),
    Opt::flag("pretty").id("table:pretty"),
    Opt::flag("bare").id("table:bare"),
    Opt::value("max-column-width").id("table:max-column-width"),
];

/// `--timestamp`, for programs that have it.
pub const TIMESTAMP: Opt = Opt::flag("timestamp").id("table:timestamp");

/// The part of `--help` on these options.
pub const HELP: &str = "\
Output formatting options:
  -f, --format=FORMAT         set output formatting to FORMAT
                              (\"table\", \"html\", \"csv\", or \"json\")
  -d, --data=FORMAT           set table cell output formatting to
                              FORMAT (\"string\", \"bare\", or \"json\")
  --no-headings               omit table heading row
  --pretty                    pretty-print JSON in output
  --bare                      equivalent to \"--format=list --data=bare --no-headings\"
";

/// How a table is laid out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// Aligned columns.
    Table,
    /// One `heading : value` a line.
    List,
    /// An HTML table.
    Html,
    /// Comma-separated values (RFC 4180).
    Csv,
    /// One JSON object.
    Json,
}

/// How a cell is shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Data {
    /// As the database tools take it.
    String,
    /// Without quotes, brackets and braces.
    Bare,
    /// As JSON.
    Json,
}

/// What the options asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Style {
    /// The layout.
    pub format: Format,
    /// The cells; `None`: strings, bare where there is one.
    pub data: Data,
    /// Whether to print headings.
    pub headings: bool,
    /// Whether to print JSON over several lines.
    pub pretty: bool,
    /// The widest column; 0 for no limit.
    pub max_column_width: usize,
    /// Whether to print the time before each table.
    pub timestamp: bool,
}

impl Style {
    /// The style of `ovsdb-client`: aligned columns.
    pub const TABLE: Style = Style {
        format: Format::Table,
        data: Data::String,
        headings: true,
        pretty: false,
        max_column_width: 0,
        timestamp: false,
    };
    /// The style of `ovs-vsctl`: lists.
    pub const LIST: Style = Style { format: Format::List, ..Style::TABLE };

    /// Takes an option if it is one of ours: `Ok(false)` if not.
    pub fn option(&mut self, given: &Given) -> Result<bool, Fatal> {
        match given.id {
            "table:format" => {
                self.format = match given.value() {
                    "table" => Format::Table,
                    "list" => Format::List,
                    "html" => Format::Html,
                    "csv" => Format::Csv,
                    "json" => Format::Json,
                    other => return Err(Fatal::new(format!("unknown output format \"{other}\""))),
                }
            }
            "table:data" => {
                self.data = match given.value() {
                    "string" => Data::String,
                    "bare" => Data::Bare,
                    "json" => Data::Json,
                    other => return Err(Fatal::new(format!("unknown data format \"{other}\""))),
                }
            }
            "table:no-headings" => self.headings = false,
            "table:pretty" => self.pretty = true,
            "table:bare" => {
                (self.format, self.data, self.headings) = (Format::List, Data::Bare, false);
            }
            // What is no number, and what is negative, is no limit.
            "table:max-column-width" => self.max_column_width = given.value().parse().unwrap_or(0),
            "table:timestamp" => self.timestamp = true,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// A cell.
#[derive(Clone, PartialEq, Debug)]
pub enum Cell {
    /// Nothing: no text, and `null` in JSON.
    Nothing,
    /// Text that is the same in every form (as JSON, a string).
    Text(String),
    /// A JSON value: shown as JSON in every form.
    Json(Value),
    /// A value of the database in its three forms.
    Value {
        /// `--data=string`
        string: String,
        /// `--data=bare`
        bare: String,
        /// `--data=json`
        json: Value,
    },
}

impl Cell {
    fn text(&self, style: &Style) -> String {
        let as_json = |v: &Value| if style.pretty { v.to_pretty() } else { v.to_string() };
        match (self, style.data) {
            (Cell::Nothing, _) => String::new(),
            (Cell::Text(s), _) => s.clone(),
            (Cell::Json(v), _) => as_json(v),
            (Cell::Value { string, .. }, Data::String) => string.clone(),
            (Cell::Value { bare, .. }, Data::Bare) => bare.clone(),
            (Cell::Value { json, .. }, Data::Json) => as_json(json),
        }
    }

    fn json(&self) -> Value {
        match self {
            Cell::Nothing => Value::Null,
            Cell::Text(s) => Value::string(s.as_str()),
            Cell::Json(v) | Cell::Value { json: v, .. } => v.clone(),
        }
    }
}

impl From<&str> for Cell {
    fn from(s: &str) -> Cell {
        Cell::Text(s.to_string())
    }
}

impl From<String> for Cell {
    fn from(s: String) -> Cell {
        Cell::Text(s)
    }
}

/// A table.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Table {
    caption: Option<String>,
    headings: Vec<String>,
    rows: Vec<Vec<Cell>>,
    /// Milliseconds since the epoch, to be printed with it.
    time: Option<i64>,
}

impl Table {
    /// A table with these columns.
    pub fn new<S: Into<String>>(headings: impl IntoIterator<Item = S>) -> Table {
        Table { headings: headings.into_iter().map(Into::into).collect(), ..Table::default() }
    }

    /// With a caption.
    pub fn caption(mut self, caption: impl Into<String>) -> Table {
        self.caption = Some(caption.into());
        self
    }

    /// With the time (milliseconds since the epoch), for styles that print it.
    pub fn at(mut self, wall_millis: i64) -> Table {
        self.time = Some(wall_millis);
        self
    }

    /// Adds a row; missing cells are empty.
    pub fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        let mut cells: Vec<Cell> = cells.into_iter().collect();
        cells.resize(self.headings.len(), Cell::Nothing);
        self.rows.push(cells);
    }

    /// The rows.
    pub fn rows(&self) -> &[Vec<Cell>] {
        &self.rows
    }

    /// Orders the rows by a key.
    pub fn sort_by_key<K: Ord>(&mut self, key: impl FnMut(&Vec<Cell>) -> K) {
        self.rows.sort_by_key(key);
    }

    /// The table as text. `first`: no table was printed before it (others are set off by an empty line, where the
    /// format needs it); it becomes false.
    pub fn print(&self, style: &Style, first: &mut bool) -> String {
        let mut out = String::new();
        let apart = matches!(style.format, Format::Table | Format::List | Format::Csv);
        if apart && !std::mem::replace(first, false) {
            out.push('\n');
        }
        match style.format {
            Format::Json => return self.json(style),
            Format::Html => {
                self.time_line(style, &mut out);
                self.html(style, &mut out);
            }
            Format::Table => {
                self.lines_before(style, &mut out);
                self.columns(style, &mut out);
            }
            Format::List => {
                self.lines_before(style, &mut out);
                self.list(style, &mut out);
            }
            Format::Csv => {
                self.lines_before(style, &mut out);
                self.csv(style, &mut out);
            }
        }
        out
    }

    fn time(&self, style: &Style) -> Option<String> {
        let time = self.time.filter(|_| style.timestamp)?;
        Some(format_time("%Y-%m-%d %H:%M:%S.###", time, &Zone::utc()))
    }

    fn time_line(&self, style: &Style, out: &mut String) {
        if let Some(t) = self.time(style) {
            out.push_str(&t);
            out.push('\n');
        }
    }

    fn lines_before(&self, style: &Style, out: &mut String) {
        self.time_line(style, out);
        if let Some(c) = &self.caption {
            out.push_str(c);
            out.push('\n');
        }
    }

    fn columns(&self, style: &Style, out: &mut String) {
        let rows: Vec<Vec<String>> =
            self.rows.iter().map(|r| r.iter().map(|c| c.text(style)).collect()).collect();
        let widths: Vec<usize> = (0..self.headings.len())
            .map(|i| {
                let heading = if style.headings { self.headings[i].len() } else { 0 };
                let widest = rows.iter().map(|r| r[i].len()).max().unwrap_or(0);
                let limit = match style.max_column_width {
                    0 => usize::MAX,
                    w => w,
                };
                heading.max(widest.min(limit))
            })
            .collect();
        let line = |cells: &[&str], out: &mut String| {
            let mut padding = 0;
            for (i, (cell, &width)) in cells.iter().zip(&widths).enumerate() {
                let cell = prefix(cell, width);
                if !cell.is_empty() {
                    out.extend(std::iter::repeat_n(' ', padding + usize::from(i > 0)));
                    padding = 0;
                } else {
                    padding += usize::from(i > 0);
                }
                out.push_str(cell);
                padding += width - cell.len();
            }
            out.push('\n');
        };
        if style.headings {
            line(&self.headings.iter().map(String::as_str).collect::<Vec<_>>(), out);
            let rules: Vec<String> = widths.iter().map(|&w| "-".repeat(w)).collect();
            line(&rules.iter().map(String::as_str).collect::<Vec<_>>(), out);
        }
        for r in &rows {
            line(&r.iter().map(String::as_str).collect::<Vec<_>>(), out);
        }
    }

    fn list(&self, style: &Style, out: &mut String) {
        for (i, row) in self.rows.iter().enumerate() {
            if i > 0 {
                out.push('\n');
            }
            for (heading, cell) in self.headings.iter().zip(row) {
                if style.headings {
                    out.push_str(&format!("{heading:<20}: "));
                }
                out.push_str(&cell.text(style));
                out.push('\n');
            }
        }
    }

    fn csv(&self, style: &Style, out: &mut String) {
        let mut line = |cells: Vec<String>| {
            out.push_str(&cells.iter().map(|c| csv_field(c)).collect::<Vec<_>>().join(","));
            out.push('\n');
        };
        if style.headings {
            line(self.headings.clone());
        }
        for row in &self.rows {
            line(row.iter().map(|c| c.text(style)).collect());
        }
    }

    fn html(&self, style: &Style, out: &mut String) {
        out.push_str("<table border=1>\n");
        if let Some(c) = &self.caption {
            out.push_str(&format!("    <caption>{}</caption>\n", html_text(c, false)));
        }
        let mut line = |tag: &str, cells: Vec<String>| {
            out.push_str("  <tr>\n");
            for c in cells {
                out.push_str(&format!("    <{tag}>{c}</{tag}>\n"));
            }
            out.push_str("  </tr>\n");
        };
        if style.headings {
            line("th", self.headings.iter().map(|h| html_text(h, false)).collect());
        }
        for row in &self.rows {
            line(
                "td",
                self.headings.iter().zip(row).map(|(h, c)| html_text(&c.text(style), h == "_uuid")).collect(),
            );
        }
        out.push_str("</table>\n");
    }

    fn json(&self, style: &Style) -> String {
        let mut members = Vec::new();
        if let Some(c) = &self.caption {
            members.push(("caption", Value::string(c.as_str())));
        }
        if let Some(t) = self.time(style) {
            members.push(("time", Value::string(t)));
        }
        let rows = self.rows.iter().map(|r| Value::Array(r.iter().map(Cell::json).collect()));
        members.push(("data", Value::Array(rows.collect())));
        let headings = self.headings.iter().map(|h| Value::string(h.as_str()));
        members.push(("headings", Value::Array(headings.collect())));
        let v = Value::object(members);
        let mut s = if style.pretty { v.to_pretty() } else { v.to_string() };
        s.push('\n');
        s
    }
}

/// The longest beginning of `s` of at most `n` bytes.
fn prefix(s: &str, n: usize) -> &str {
    let mut end = s.len().min(n);
    while !s.is_char_boundary(end) {
        end -= 1;
    }
    &s[..end]
}

fn csv_field(s: &str) -> String {
    if s.contains(['"', ',', '\n', '\r']) { format!("\"{}\"", s.replace('"', "\"\"")) } else { s.to_string() }
}

/// Escapes text for HTML, with row identifiers turned into links, or (`names`) into what links lead to.
fn html_text(s: &str, names: bool) -> String {
    let mut out = String::new();
    let mut i = 0;
    while i < s.len() {
        if let Some(uuid) = s.get(i..i + 36).filter(|u| is_uuid(u)) {
            let link = if names { "name=\"" } else { "href=\"#" };
            out.push_str(&format!("<a {link}{uuid}\">{}</a>", &uuid[..8]));
            i += 36;
            continue;
        }
        // `i` stands at a character's beginning: it moves by whole ones.
        let Some(c) = s[i..].chars().next() else { break };
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c => out.push(c),
        }
        i += c.len_utf8();
    }
    out
}

fn is_uuid(s: &str) -> bool {
    s.len() == 36
        && s.bytes().enumerate().all(|(i, b)| match i {
            8 | 13 | 18 | 23 => b == b'-',
            _ => b.is_ascii_hexdigit(),
        })
}

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;
