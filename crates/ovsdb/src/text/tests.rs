use super::*;
use crate::types::{Constraint, RefType};

fn set_of(kind: AtomType, min: u32, max: u32) -> ColumnType {
    ColumnType { key: kind.into(), value: None, min, max }
}

fn vlans() -> ColumnType {
    let mut t = set_of(AtomType::Integer, 0, 4096);
    t.key.constraint = Constraint::Integer { min: 0, max: 4095 };
    t
}

fn string_map() -> ColumnType {
    ColumnType { value: Some(AtomType::String.into()), ..set_of(AtomType::String, 0, u32::MAX) }
}

fn check(of: &ColumnType, cases: &[(&str, &str)]) {
    for (input, want) in cases {
        let got = match parse_datum(input, of, None) {
            Ok(d) => datum_to_string(&d, of),
            Err(e) => e,
        };
        assert_eq!(got, *want, "{input:?}");
    }
}

/// Inputs of `ovs-vsctl set` and what the reference (3.5.0) then shows or says.
#[test]
fn sets_of_integers() {
    check(
        &vlans(),
        &[
            ("1-5", "[1, 2, 3, 4, 5]"),
            ("1-3,7,9-10", "[1, 2, 3, 7, 9, 10]"),
            ("[5-1]", "\"5-1\" is not a valid range. Range end cannot be before start."),
            ("1,1", "1,1: set contains duplicate value"),
            ("1-", "\"1-\" is not a valid integer or range"),
            ("1-a", "\"1-a\" is not a valid integer or range"),
            ("1-2-3", "\"1-2-3\" is not a valid integer or range"),
            ("[1,2", "[1,2: missing \"]\" at end of data"),
            ("1,2]", "1,2]: unexpected \"]\" parsing set of up to 4096 integers"),
            ("[1 2]", "[1, 2]"),
            ("1,,2", "1,,2: unexpected \",\" parsing set of up to 4096 integers"),
            ("1 2", "[1, 2]"),
            ("{1,2}", "{1,2}: unexpected \"{\" parsing set of up to 4096 integers"),
            (" 3 , 4 ", "[3, 4]"),
            ("0-5000", "constraint violation: 5000 is not in the valid range 0 to 4095 (inclusive)"),
            (",", ",: unexpected \",\" parsing set of up to 4096 integers"),
            ("1,", "[1]"),
            ("[1]2", "[1]2: trailing garbage after \"]\""),
            ("1[2]", "1[2]: unexpected \"[\" parsing set of up to 4096 integers"),
            ("-5--3", "constraint violation: -5 is not in the valid range 0 to 4095 (inclusive)"),
            ("(1)", "\"(1)\" is not a valid integer or range"),
            ("[1, 2 , 3]", "[1, 2, 3]"),
            ("[]", "[]"),
            (" ", "use \"[]\" to specify the empty set"),
        ],
    );
}

#[test]
fn optional_and_scalar_strings() {
    check(
        &set_of(AtomType::String, 0, 1),
        &[
            ("\"aa", "\"aa: quoted string extends past end of argument"),
            ("\"a\\x\"", "\"a\\x\": bad escape \\x"),
            ("\"a\"b", "\"a\"b: missing quote at end of quoted string"),
            ("a b", "a b: 2 value(s) specified but the maximum number is 1"),
            ("a,b", "a,b: 2 value(s) specified but the maximum number is 1"),
            ("aa:bb", "aa:bb: unexpected \":\" parsing set of up to 1 strings"),
            ("\"\"", "\"\""),
            ("[]", "[]"),
            ("x", "x"),
        ],
    );
    check(
        &ColumnType::scalar(AtomType::String),
        &[
            ("[a]", "a"),
            ("a:b", "a:b: unexpected \":\" parsing string"),
            (" x y ", " x y : 2 value(s) specified but the maximum number is 1"),
            (";", "\";\""),
            ("a\"b c\"d", "\"a\\\"b c\\\"d\""),
            ("\"a\\u00e9\\n\"", "\"aé\\n\""),
            ("\"a\\u00\"", "\"a\\u00\": quoted string ends within \\u escape"),
            ("a\\", "a\\: backslash at end of argument"),
            (" ", "use \"[]\" to specify the empty set"),
        ],
    );
    check(
        &ColumnType::scalar(AtomType::Integer),
        &[
            ("1 2", "1 2: 2 value(s) specified but the maximum number is 1"),
            ("[]", "[]: 0 value(s) specified but the minimum number is 1"),
            ("1-2", "1-2: 2 value(s) specified but the maximum number is 1"),
            ("1]", "1]: unexpected \"]\" parsing integer"),
            ("9223372036854775808", "\"9223372036854775808\" is not a valid integer or range"),
            ("+5", "5"),
            ("0x10", "\"0x10\" is not a valid integer or range"),
            ("1e3", "\"1e3\" is not a valid integer or range"),
        ],
    );
    check(
        &ColumnType::scalar(AtomType::Boolean),
        &[
            ("x", "\"x\" is not a valid boolean (use \"true\" or \"false\")"),
            ("1", "true"),
            ("yes", "true"),
            ("off", "false"),
            ("TRUE", "\"TRUE\" is not a valid boolean (use \"true\" or \"false\")"),
        ],
    );
}

#[test]
fn maps() {
    check(
        &string_map(),
        &[
            ("{a=b,c=d}", "{a=b, c=d}"),
            ("a=b,a=c", "a=b,a=c: map contains duplicate key"),
            ("{a}", "a}: syntax error at \"}\" expecting \"=\""),
            ("{a=}", "An empty string is not valid as input; use \"\" to represent the empty string"),
            ("{=b}", "{=b}: unexpected \"=\" parsing map of (string, string) pairs"),
            ("{a=b", "{a=b: missing \"}\" at end of data"),
            ("[a=b]", "[a=b]: unexpected \"[\" parsing map of (string, string) pairs"),
            ("{}", "{}"),
            ("{a:b}", "a:b}: syntax error at \":\" expecting \"=\""),
            ("{a=b=c}", "{a=b=c}: unexpected \"=\" parsing map of (string, string) pairs"),
            ("{a=b}x", "{a=b}x: trailing garbage after \"}\""),
            ("\"a\" = \"b\"", "{a=b}"),
            ("a", "a: syntax error at \""),
            (" ", "use \"{}\" to specify the empty map"),
        ],
    );
}

#[test]
fn quoting() {
    let quoted = ["9a", "-a", "a/b", "é", "true", "false", "1", "1.5", "a:b", "a@b", "@a", "a#b", "a$", ""];
    for s in quoted {
        assert_eq!(atom_to_string(&s.into()), format!("\"{s}\""));
    }
    let plain = ["abc", "a-b", "a.b", "_x", "yes", "A_1", "abcdefab-1234-1234-1234-1234567890abc"];
    for s in plain {
        assert_eq!(atom_to_string(&s.into()), s);
    }
    let uuid = "abcdefab-1234-1234-1234-1234567890ab";
    assert_eq!(atom_to_string(&uuid.into()), format!("\"{uuid}\""));
    let d = Datum::string_map([("b", "x y"), ("a", "1")]);
    assert_eq!(datum_to_bare(&d, &string_map()), "a=1 b=x y");
    assert_eq!(datum_to_string(&d, &string_map()), "{a=\"1\", b=\"x y\"}");
}

#[test]
fn rows_by_name() {
    struct Names;
    impl NamedRows for Names {
        fn named(&mut self, name: &str) -> Uuid {
            assert_eq!(name, "@x");
            Uuid::from_u128(7)
        }
    }
    let reference = Constraint::Reference { table: "T".into(), index: 0, kind: RefType::Strong };
    let of = ColumnType {
        key: BaseType { kind: AtomType::Uuid, constraint: reference },
        value: None,
        min: 0,
        max: u32::MAX,
    };
    let d = parse_datum("@x", &of, Some(&mut Names)).expect("a row");
    assert_eq!(d.as_uuid(), Some(Uuid::from_u128(7)));
    assert_eq!(parse_datum("x", &of, None), Err("\"x\" is not a valid UUID".into()));
}

#[test]
fn hostile_text_is_refused_without_harm() {
    let types =
        [vlans(), string_map(), ColumnType::scalar(AtomType::Real), set_of(AtomType::Integer, 0, u32::MAX)];
    let alphabet =
        ["1", "-", "a", "\"", "\\", "{", "}", "[", "]", ",", "=", " ", ":", "é", "9223372036854775807"];
    let mut seed = 99u64;
    for _ in 0..20_000 {
        let mut s = String::new();
        for _ in 0..(seed >> 7) % 9 {
            seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1);
            s += alphabet[(seed >> 33) as usize % alphabet.len()];
        }
        seed = seed.wrapping_mul(6364136223846793005).wrapping_add(3);
        for t in &types {
            if let Ok(d) = parse_datum(&s, t, None)
                && t.key.kind != AtomType::Real
            {
                assert_eq!(parse_datum(&datum_to_string(&d, t), t, None), Ok(d));
            }
        }
    }
}
