use super::*;
use ovsdb::json::parse;

fn value(string: &str, bare: &str, json: &str) -> Cell {
    let json = parse(format!("[{json}]")).unwrap().as_array().unwrap()[0].clone();
    Cell::Value { string: string.to_string(), bare: bare.to_string(), json }
}

fn sample() -> Table {
    let mut t = Table::new(["name", "ports", "other_config", "fail_mode"]);
    t.row([
        value("br0", "br0", "\"br0\""),
        value(
            "[84432765-8ea9-4ac8-b774-8958ca01c347]",
            "84432765-8ea9-4ac8-b774-8958ca01c347",
            r#"["uuid","84432765-8ea9-4ac8-b774-8958ca01c347"]"#,
        ),
        value(
            r#"{a=b, c="x, \"y\"<&>"}"#,
            r#"a=b c=x, "y"<&>"#,
            r#"["map",[["a","b"],["c","x, \"y\"<&>"]]]"#,
        ),
        value("secure", "secure", "\"secure\""),
    ]);
    t.row([
        value("br1", "br1", "\"br1\""),
        value("[]", "", r#"["set",[]]"#),
        value("{}", "", r#"["map",[]]"#),
        value("[]", "", r#"["set",[]]"#),
    ]);
    t
}

fn print(t: &Table, change: impl Fn(&mut Style)) -> String {
    let mut style = Style::TABLE;
    change(&mut style);
    t.print(&style, &mut true)
}

#[test]
fn columns() {
    assert_eq!(
        print(&sample(), |_| {}),
        r#"name ports                                  other_config           fail_mode
---- -------------------------------------- ---------------------- ---------
br0  [84432765-8ea9-4ac8-b774-8958ca01c347] {a=b, c="x, \"y\"<&>"} secure
br1  []                                     {}                     []
"#
    );
    assert_eq!(
        print(&sample(), |s| {
            s.data = Data::Bare;
            s.max_column_width = 10;
        }),
        "name ports      other_config fail_mode\n\
         ---- ---------- ------------ ---------\n\
         br0  84432765-8 a=b c=x, \"y\" secure\n\
         br1\n"
    );
    assert_eq!(
        print(&sample(), |s| {
            s.headings = false;
            s.data = Data::Bare;
        }),
        "br0 84432765-8ea9-4ac8-b774-8958ca01c347 a=b c=x, \"y\"<&> secure\nbr1\n"
    );
    let mut middle = Table::new(["a", "b", "c"]);
    middle.row([Cell::from("x"), Cell::from(""), Cell::from("y")]);
    middle.row([Cell::from("x"), Cell::from("bbb"), Cell::from("y")]);
    assert_eq!(print(&middle, |s| s.headings = false), "x     y\nx bbb y\n");
}

#[test]
fn lists() {
    assert_eq!(
        print(&sample(), |s| s.format = Format::List),
        r#"name                : br0
ports               : [84432765-8ea9-4ac8-b774-8958ca01c347]
other_config        : {a=b, c="x, \"y\"<&>"}
fail_mode           : secure

name                : br1
ports               : []
other_config        : {}
fail_mode           : []
"#
    );
    assert_eq!(
        print(&sample(), |s| {
            s.option(&Given { id: "table:bare", value: None, short: false }).unwrap();
        }),
        "br0\n84432765-8ea9-4ac8-b774-8958ca01c347\na=b c=x, \"y\"<&>\nsecure\n\nbr1\n\n\n\n"
    );
}

#[test]
fn csv() {
    assert_eq!(
        print(&sample(), |s| s.format = Format::Csv),
        r#"name,ports,other_config,fail_mode
br0,[84432765-8ea9-4ac8-b774-8958ca01c347],"{a=b, c=""x, \""y\""<&>""}",secure
br1,[],{},[]
"#
    );
}

#[test]
fn json() {
    let t = sample().caption("Bridge table").at(1_795_220_259_706);
    assert_eq!(
        print(&t, |s| s.format = Format::Json),
        concat!(
            r#"{"caption":"Bridge table","data":[["br0",["uuid","84432765-8ea9-4ac8-b774-8958ca01c347"],"#,
            r#"["map",[["a","b"],["c","x, \"y\"<&>"]]],"secure"],["br1",["set",[]],["map",[]],["set",[]]]],"#,
            r#""headings":["name","ports","other_config","fail_mode"]}"#,
            "\n"
        )
    );
    let stamped = print(&t, |s| {
        s.format = Format::Json;
        s.timestamp = true;
    });
    assert!(stamped.ends_with("\"time\":\"2026-11-21 00:17:39.706\"}\n"), "{stamped}");
    let mut one = Table::new(["name"]);
    one.row([Cell::from("br0")]);
    assert_eq!(
        print(&one.caption("Bridge table"), |s| {
            s.format = Format::Json;
            s.pretty = true;
        }),
        "{\n  \"caption\": \"Bridge table\",\n  \"data\": [\n    [\n      \"br0\"]],\n  \"headings\": [\n    \"name\"]}\n"
    );
}

#[test]
fn html() {
    let text = print(&sample().caption("Bridge table"), |s| s.format = Format::Html);
    assert!(text.starts_with(
        "<table border=1>\n    <caption>Bridge table</caption>\n  <tr>\n    <th>name</th>\n    <th>ports</th>\n"
    ));
    assert!(text.contains(
        "    <td>[<a href=\"#84432765-8ea9-4ac8-b774-8958ca01c347\">84432765</a>]</td>\n    \
         <td>{a=b, c=&quot;x, \\&quot;y\\&quot;&lt;&amp;&gt;&quot;}</td>\n"
    ));
}

#[test]
fn several_tables_are_set_apart() {
    let (mut first, mut style) = (true, Style::TABLE);
    let mut t = Table::new(["name"]);
    t.row([Cell::from("br0")]);
    assert_eq!(t.print(&style, &mut first), "name\n----\nbr0\n");
    assert_eq!(t.print(&style, &mut first), "\nname\n----\nbr0\n");
    style.timestamp = true;
    let stamped = t.clone().at(0).caption("C").print(&style, &mut first);
    assert_eq!(stamped, "\n1970-01-01 00:00:00.000\nC\nname\n----\nbr0\n");
    style.format = Format::Html;
    assert!(t.print(&style, &mut first).starts_with("<table"));
    let mut bad = Style::TABLE;
    let e = bad.option(&Given { id: "table:format", value: Some("xx".into()), short: true }).unwrap_err();
    assert_eq!(e.message(), "unknown output format \"xx\"");
}
