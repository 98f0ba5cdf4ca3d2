//! Bounded fuzzing of JSON-RPC.

use reactor::jsonrpc::Message;
use std::time::Duration;
use testkit::fuzz::Fuzz;

#[test]
fn messages() {
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/corpus");
    let words: &[&[u8]] =
        &[b"{\"", b"\":", b"[", b"]}", b"null", b"\\u", b"\\ud800", b"1e999", b"-", b"\"id\":", b"\xff"];
    Fuzz { corpus, words, longest: 4096, time: Duration::from_secs(5) }.run(|bytes| {
        let Ok(value) = ovsdb::json::parse(bytes) else { return };
        // What was understood can be written, and is the same from then on (reals are written with 15 digits, so the
        // first time may round, to an integer even, which the second time is written as one).
        let again = |text: &str| ovsdb::json::parse(text).unwrap_or_else(|e| panic!("{text}: {e}"));
        let text = again(&value.to_string()).to_string();
        let value = again(&text);
        assert_eq!(value.to_string(), text);
        let Ok(message) = Message::from_json(value) else { return };
        let text = message.to_text();
        let again = ovsdb::json::parse(&text).map(Message::from_json);
        assert_eq!(again, Ok(Ok(message)), "{text}");
    });
}
