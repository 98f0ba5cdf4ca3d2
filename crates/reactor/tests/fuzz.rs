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
        // first time may round).
        let text = value.to_string();
        let value = match ovsdb::json::parse(&text) {
            Ok(again) => again,
            Err(e) => panic!("{text}: {e}"),
        };
        assert_eq!(value.to_string(), text);
        let Ok(message) = Message::from_json(value) else { return };
        let text = message.to_text();
        let again = ovsdb::json::parse(&text).map(Message::from_json);
        assert_eq!(again, Ok(Ok(message)), "{text}");
    });
}
