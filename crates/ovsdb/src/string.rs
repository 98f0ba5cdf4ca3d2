//! The strings in a database. Most are short and there are millions of them, so those are held in place; only
//! longer ones are elsewhere, and shared.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

/// So many bytes are held in place: what leaves an atom as large as a UUID makes it.
const INLINE: usize = 22;

/// An immutable string that is cheap to copy.
#[derive(Clone)]
pub struct Text(Repr);

#[derive(Clone)]
enum Repr {
    Inline(u8, [u8; INLINE]),
    Shared(Arc<str>),
}

impl Text {
    /// The string.
    pub fn as_str(&self) -> &str {
        match &self.0 {
            // It was copied from a string.
            Repr::Inline(n, bytes) => std::str::from_utf8(&bytes[..usize::from(*n)]).unwrap_or(""),
            Repr::Shared(s) => s,
        }
    }

    fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Repr::Inline(n, bytes) => &bytes[..usize::from(*n)],
            Repr::Shared(s) => s.as_bytes(),
        }
    }

    fn inline(s: &str) -> Option<Text> {
        let mut bytes = [0; INLINE];
        bytes.get_mut(..s.len())?.copy_from_slice(s.as_bytes());
        Some(Text(Repr::Inline(s.len() as u8, bytes)))
    }
}

impl From<&str> for Text {
    fn from(s: &str) -> Text {
        Text::inline(s).unwrap_or_else(|| Text(Repr::Shared(Arc::from(s))))
    }
}
impl From<String> for Text {
    fn from(s: String) -> Text {
        Text::from(&*s)
    }
}
impl From<Arc<str>> for Text {
    fn from(s: Arc<str>) -> Text {
        Text::inline(&s).unwrap_or(Text(Repr::Shared(s)))
    }
}
impl From<Text> for Arc<str> {
    fn from(s: Text) -> Arc<str> {
        match s.0 {
            Repr::Shared(s) => s,
            Repr::Inline(..) => Arc::from(s.as_str()),
        }
    }
}

impl Deref for Text {
    type Target = str;
    fn deref(&self) -> &str {
        self.as_str()
    }
}
impl AsRef<str> for Text {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}
impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}
impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}
impl PartialEq for Text {
    fn eq(&self, other: &Text) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}
impl Eq for Text {}
impl PartialOrd for Text {
    fn partial_cmp(&self, other: &Text) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Text {
    fn cmp(&self, other: &Text) -> Ordering {
        // The order of UTF-8 is that of its bytes.
        self.as_bytes().cmp(other.as_bytes())
    }
}
impl Hash for Text {
    fn hash<H: Hasher>(&self, h: &mut H) {
        self.as_str().hash(h);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Atom, Datum};

    #[test]
    fn short_and_long() {
        assert_eq!((size_of::<Text>(), size_of::<Atom>(), size_of::<Datum>()), (24, 24, 24));
        let all: Vec<String> = (0..40).map(|n| "é".repeat(n / 2) + &"x".repeat(n % 3)).collect();
        for a in &all {
            let t = Text::from(&**a);
            assert_eq!(t.as_str(), a);
            assert_eq!(Text::from(Arc::<str>::from(t.clone())), t);
            for b in &all {
                assert_eq!(t.cmp(&Text::from(b.clone())), a.cmp(b), "{a} {b}");
            }
        }
    }
}
