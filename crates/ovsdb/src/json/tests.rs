use super::*;

/// Inputs that the reference's parser refuses, with what its client says.
const BAD: &str = include_str!("../../testdata/json-errors.txt");
/// Numbers and strings as the reference's server echoes them.
const ECHO: &[(&str, &str)] = &[
    (
        "[1e-5,1.5,100.0,1e15,1e16,1e17,1e18,1e19,1e22,12345678901234567.5,1.5e18,1.7976931348623157e308]",
        "[1e-05,1.5,100,1000000000000000,10000000000000000,100000000000000000,1000000000000000000,1e+19,1e+22,1.23456789012346e+16,1500000000000000000,1.79769313486232e+308]",
    ),
    (
        "[-9223372036854775808,-9223372036854775809,9223372036854775807,9223372036854775808,0e99,1e-999,100e-2]",
        "[-9223372036854775808,-9.22337203685478e+18,9223372036854775807,9.22337203685478e+18,0,0,1]",
    ),
    (
        "[123456789.123456789,3.0000000000000000000000001,0.30000000000000004,0.1234567890123456789,1234567.875]",
        "[123456789.123457,3,0.3,0.123456789012346,1234567.875]",
    ),
    (
        "[-0.0,-0,1e-400,100.5e1,9007199254740993.0,0.12345678901234567, 2.2250738585072014e-308]",
        "[0,0,0,1005,9007199254740993,0.123456789012346,2.2250738585072e-308]",
    ),
    (
        "[0.00001,0.0001,123456.789e3,12345678901234567890123,3.141592653589793,1e100,1.5e300,0.1e1]",
        "[1e-05,0.0001,123456789,1.23456789012346e+22,3.14159265358979,1e+100,1.5e+300,1]",
    ),
    (
        r#"["\u007f\u2028\ud834\udd1e\u0001\u001f\/\b\f\n\r\t\"\\é<>&"]"#,
        "[\"\u{7f}\u{2028}\u{1d11e}\\u0001\\u001f/\\b\\f\\n\\r\\t\\\"\\\\é<>&\"]",
    ),
    (r#"{"b":[],"a":{},"c":{"x":[1,{}],"":null},"a":2}"#, r#"{"a":2,"b":[],"c":{"":null,"x":[1,{}]}}"#),
];

#[test]
fn errors_as_the_reference() {
    for line in BAD.lines() {
        let (input, message) = line.split_once(" => ").expect("a case");
        let input = input.replace("<NL>", "\n").replace("<TAB>", "\t").replace("<1>", "\u{1}");
        let input =
            input.replace("<DEEP>", &"[".repeat(1001)).replace("<DEL>", "\u{7f}").replace("<SP>", " ");
        assert_eq!(parse(&input), Err(message.to_owned()), "{input:?}");
        // The same, a byte at a time.
        let mut p = Parser::with_trailer();
        for b in input.bytes() {
            p.feed(&[b]);
        }
        assert_eq!(p.finish(), Err(message.to_owned()), "{input:?}");
    }
}

#[test]
fn values_as_the_reference() {
    for (input, output) in ECHO {
        assert_eq!(parse(input).map(|v| v.to_string()).as_deref(), Ok(*output));
        // (The smallest and the largest number, cut to 15 digits, are none any more.)
        if let Ok(again) = parse(output) {
            assert_eq!(again.to_string(), *output);
        } else {
            assert!(output.contains("e-308") || output.contains("e+308"));
        }
    }
}

#[test]
fn pretty() {
    let v = parse(r#"{"a":[1,[]],"b":{"c":{}},"d":[]}"#).expect("json");
    let want = "{\n  \"a\": [\n    1,\n    []],\n  \"b\": {\n    \"c\": {}},\n  \"d\": []}";
    assert_eq!(v.to_pretty(), want);
}

#[test]
fn stream_of_values() {
    let text = b"{\"a\":1}[2] [\"x\\\"]\"]\n{}";
    for chunk in 1..text.len() {
        let (mut got, mut p) = (Vec::new(), Parser::new());
        for piece in text.chunks(chunk) {
            let mut rest = piece;
            while !rest.is_empty() {
                let used = p.feed(rest);
                rest = &rest[used..];
                if p.is_done() {
                    got.push(std::mem::take(&mut p).finish().expect("value").to_string());
                }
            }
        }
        assert_eq!(got, ["{\"a\":1}", "[2]", "[\"x\\\"]\"]", "{}"], "chunk {chunk}");
    }
}

#[test]
fn object_keeps_the_last_of_one_name() {
    let o: Object =
        [("b", Value::Integer(1)), ("a", Value::Null), ("b", Value::Integer(2))].into_iter().collect();
    assert_eq!(Value::Object(o.clone()).to_string(), r#"{"a":null,"b":2}"#);
    let mut o = o;
    assert_eq!(o.insert("aa", 3), None);
    assert_eq!(o.remove("b"), Some(Value::Integer(2)));
    assert_eq!(o.keys().collect::<Vec<_>>(), ["a", "aa"]);
}

/// No input, however damaged, may panic, and what is accepted prints to something that reads back.
#[test]
fn hostile_input() {
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move |n: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed % n as u64) as usize
    };
    let alphabet = b"[]{}:,\"\\u019-+.eEtrufalsn \n\x00\xff\xc3d8";
    let sample = br#"{"id":1,"params":["\u00e9\ud834\udd1e",-1.5e3,true,[null,{"":[]}]]}"#;
    for round in 0..20_000 {
        let mut bytes = if round % 2 == 0 {
            sample.to_vec()
        } else {
            (0..random(40)).map(|_| alphabet[random(alphabet.len())]).collect()
        };
        for _ in 0..random(4) {
            if !bytes.is_empty() {
                let i = random(bytes.len());
                bytes[i] = alphabet[random(alphabet.len())];
            }
        }
        if let Ok(v) = parse(&bytes) {
            assert_eq!(parse(v.to_string()).as_ref(), Ok(&v));
            assert_eq!(parse(v.to_pretty()).as_ref(), Ok(&v));
        }
    }
}
