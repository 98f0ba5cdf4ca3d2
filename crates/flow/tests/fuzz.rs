//! Bounded fuzzing: packets from the wire, flows from the command line.

use flow::Metadata;
use flow::text::{MatchParser, NoPorts, Style, match_text};
use std::time::Duration;
use testkit::fuzz::Fuzz;

const TIME: Duration = Duration::from_secs(5);

#[test]
fn packets() {
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/corpus/packets");
    let words: &[&[u8]] =
        &[&[0x81, 0, 0, 5], &[0x88, 0xa8], &[0x88, 0x47], &[0x86, 0xdd], &[8, 0, 0x45], &[0xff; 4]];
    Fuzz { corpus, words, longest: 2048, time: TIME }.run(|frame| {
        let (key, offsets) = flow::extract_key(frame, &Metadata::received(1));
        // Every layer lies inside the frame, in order.
        let mut at = 0;
        for offset in [offsets.l2_5, offsets.l3, offsets.l4, offsets.payload] {
            if let Some(o) = flow::Offsets::get(offset) {
                assert!(o >= at && o <= frame.len(), "{offsets:?}");
                at = o;
            }
        }
        assert!(usize::from(offsets.l2_pad) <= frame.len());
        // Extraction is a function: the same again from the key's own metadata.
        assert_eq!(flow::extract_key(frame, &Metadata::received(1)), (key, offsets));
    });
}

#[test]
fn matches_from_text() {
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/corpus/flows");
    let words: &[&[u8]] =
        &[b"=", b"/", b",", b"0x", b"-1", b"+trk", b"ff:ff", b"::", b"tun_metadata63=", b"reg15=", b"*"];
    Fuzz { corpus, words, longest: 400, time: TIME }.run(|bytes| {
        let text = String::from_utf8_lossy(bytes);
        let Ok(m) = MatchParser::new(&NoPorts).parse(&text) else { return };
        // Whatever was understood can be printed.
        let said = match_text(&m, None, Style::default());
        // And is the same when it is read again.
        if let Ok(again) = MatchParser::new(&NoPorts).parse(&said) {
            assert_eq!(match_text(&again, None, Style::default()), said);
        }
    });
}
