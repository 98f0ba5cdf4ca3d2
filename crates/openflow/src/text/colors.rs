//! Colours of terminal output: which escape goes before what, settable by the environment.

/// Escapes; empty ones leave the text as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Colors {
    /// `actions=`
    pub actions: String,
    /// `drop`
    pub drop: String,
    /// `learn(`
    pub learn: String,
    /// Names of parameters.
    pub param: String,
    /// Words before parentheses, and these.
    pub paren: String,
    /// Special words.
    pub special: String,
    /// Words by themselves.
    pub value: String,
    /// Ends a colour.
    pub end: String,
}

/// No colours.
pub static NONE: Colors = Colors {
    actions: String::new(),
    drop: String::new(),
    learn: String::new(),
    param: String::new(),
    paren: String::new(),
    special: String::new(),
    value: String::new(),
    end: String::new(),
};

impl Colors {
    /// The default colours, changed as `setting` says (the value of `OVS_COLORS`: `ac=01;31:dr=34:...`).
    pub fn on(setting: Option<&str>) -> Colors {
        let sgr = |s: &str| format!("\x1b[{s}m\x1b[K");
        let mut c = Colors {
            actions: sgr("1;31"),
            drop: sgr("34"),
            learn: sgr("31"),
            param: sgr("36"),
            paren: sgr("35"),
            special: sgr("33"),
            value: sgr("32"),
            end: "\x1b[m\x1b[K".to_string(),
        };
        for part in setting.unwrap_or("").split(':') {
            let Some((key, value)) = part.split_once('=') else { continue };
            let slot = match key {
                "ac" => &mut c.actions,
                "dr" => &mut c.drop,
                "le" => &mut c.learn,
                "pm" => &mut c.param,
                "pr" => &mut c.paren,
                "sp" => &mut c.special,
                "vl" => &mut c.value,
                _ => continue,
            };
            if value.bytes().all(|b| b.is_ascii_digit() || b == b';') {
                *slot = if value.is_empty() { String::new() } else { sgr(value) };
            }
        }
        c
    }
}
