//! Errors that end a program: a line on standard error that begins with the program's name, and an exit status.

use std::fmt;
use std::process::ExitCode;

/// Why a program ends.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fatal {
    message: String,
    status: u8,
}

impl Fatal {
    /// Prints `message` and exits with status 1.
    pub fn new(message: impl Into<String>) -> Fatal {
        Fatal { message: message.into(), status: 1 }
    }

    /// Prints nothing (all has been said) and exits with `status`.
    pub fn silent(status: u8) -> Fatal {
        Fatal { message: String::new(), status }
    }

    /// The same with another exit status.
    pub fn with_status(self, status: u8) -> Fatal {
        Fatal { status, ..self }
    }

    /// The message, without the program's name.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The exit status.
    pub fn status(&self) -> u8 {
        self.status
    }

    /// Prints the message for `program` and gives the exit status.
    pub fn report(&self, program: &str) -> ExitCode {
        if !self.message.is_empty() {
            eprintln!("{program}: {}", self.message);
        }
        ExitCode::from(self.status)
    }
}

impl fmt::Display for Fatal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Fatal {}

impl From<String> for Fatal {
    fn from(s: String) -> Fatal {
        Fatal::new(s)
    }
}

impl From<&str> for Fatal {
    fn from(s: &str) -> Fatal {
        Fatal::new(s)
    }
}

impl From<crate::options::OptionError> for Fatal {
    fn from(e: crate::options::OptionError) -> Fatal {
        Fatal::new(e.to_string())
    }
}

/// Runs a program's body: its errors are printed, and its exit status is returned.
pub fn run(program: &str, body: impl FnOnce() -> Result<ExitCode, Fatal>) -> ExitCode {
    body().unwrap_or_else(|e| e.report(program))
}
