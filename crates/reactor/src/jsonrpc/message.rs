//! The messages of JSON-RPC 1.0.

use ovsdb::json::{self, Object, Value};
use std::fmt::Write;

/// A message.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// Asks for a reply.
    Request {
        /// Pairs it with its reply.
        id: Value,
        /// What to do.
        method: String,
        /// With what.
        params: Vec<Value>,
    },
    /// Asks for nothing.
    Notification {
        /// What happened.
        method: String,
        /// To what.
        params: Vec<Value>,
    },
    /// Answers a request that succeeded.
    Reply {
        /// The request's.
        id: Value,
        /// Never null.
        result: Value,
    },
    /// Answers a request that failed.
    Error {
        /// The request's.
        id: Value,
        /// Never null.
        error: Value,
    },
}

impl Message {
    /// A request whose id is a number.
    pub fn request(id: i64, method: &str, params: Vec<Value>) -> Message {
        Message::Request { id: Value::Integer(id), method: method.to_string(), params }
    }

    /// A notification.
    pub fn notification(method: &str, params: Vec<Value>) -> Message {
        Message::Notification { method: method.to_string(), params }
    }

    /// The probe, which a live peer answers.
    pub fn probe() -> Message {
        Message::Request { id: Value::string("echo"), method: "echo".to_string(), params: Vec::new() }
    }

    /// What kind it is, in words.
    pub fn kind(&self) -> &'static str {
        match self {
            Message::Request { .. } => "request",
            Message::Notification { .. } => "notification",
            Message::Reply { .. } => "reply",
            Message::Error { .. } => "error",
        }
    }

    /// Reads a message; or what is wrong with it.
    pub fn from_json(value: Value) -> Result<Message, String> {
        let Value::Object(object) = value else { return Err("message is not a JSON object".to_string()) };
        let [mut id, mut method, mut params, mut result, mut error] = [const { None }; 5];
        let mut extra = None;
        for (key, value) in Object::into_members(object) {
            match &*key {
                "id" => id = Some(value),
                "method" => method = Some(value),
                "params" => params = Some(value),
                "result" => result = Some(value),
                "error" => error = Some(value),
                _ => extra = extra.or(Some(key)),
            }
        }
        let method = match method {
            None => None,
            Some(Value::String(s)) => Some(s),
            Some(_) => return Err("method is not a JSON string".to_string()),
        };
        if let Some(extra) = extra {
            return Err(format!("message has unexpected member \"{extra}\""));
        }
        let some = |v: Option<Value>| v.filter(|v| *v != Value::Null);
        let (id, result, error) = (some(id), some(result), some(error));
        let params = match some(params) {
            None => None,
            Some(Value::Array(a)) => Some(a),
            Some(_) => return Err("\"params\" must be JSON array".to_string()),
        };
        Self::assemble(id, method, params, result, error)
    }

    fn assemble(
        id: Option<Value>,
        method: Option<String>,
        params: Option<Vec<Value>>,
        result: Option<Value>,
        error: Option<Value>,
    ) -> Result<Message, String> {
        let kind = match (&result, &error, &id) {
            (Some(_), _, _) => "reply",
            (None, Some(_), _) => "error",
            (None, None, Some(_)) => "request",
            (None, None, None) => "notification",
        };
        let asks = matches!(kind, "request" | "notification");
        for (name, present, wanted) in [
            ("method", method.is_some(), asks),
            ("params", params.is_some(), asks),
            ("result", result.is_some(), kind == "reply"),
            ("error", error.is_some(), kind == "error"),
            ("id", id.is_some(), kind != "notification"),
        ] {
            if present != wanted {
                return Err(format!("{kind} must {}have \"{name}\"", if wanted { "" } else { "not " }));
            }
        }
        Ok(match (id, method, params, result, error) {
            (Some(id), Some(method), Some(params), _, _) => Message::Request { id, method, params },
            (None, Some(method), Some(params), _, _) => Message::Notification { method, params },
            (Some(id), _, _, Some(result), _) => Message::Reply { id, result },
            (Some(id), _, _, _, Some(error)) => Message::Error { id, error },
            _ => return Err("message is neither request, notification nor reply".to_string()),
        })
    }

    /// Appends the text on the wire.
    pub fn write(&self, out: &mut String) {
        match self {
            Message::Request { id, method, params } => {
                out.push_str("{\"id\":");
                id.write(out);
                write_call(out, method, params);
            }
            Message::Notification { method, params } => {
                out.push_str("{\"id\":null");
                write_call(out, method, params);
            }
            Message::Reply { id, result } => {
                out.push_str("{\"id\":");
                id.write(out);
                out.push_str(",\"result\":");
                result.write(out);
                out.push_str(",\"error\":null}");
            }
            Message::Error { id, error } => {
                out.push_str("{\"id\":");
                id.write(out);
                out.push_str(",\"error\":");
                error.write(out);
                out.push('}');
            }
        }
    }

    /// The text on the wire.
    pub fn to_text(&self) -> String {
        let mut s = String::new();
        self.write(&mut s);
        s
    }

    /// What debug records say of it, after "send request" and the like.
    pub(crate) fn describe(&self) -> String {
        let mut s = String::new();
        let mut member = |name: &str, value: &Value| {
            // Writing to a String cannot fail.
            let _ = write!(s, ", {name}={value}");
        };
        match self {
            Message::Request { id, method, params } => {
                member("method", &Value::string(method.as_str()));
                member("params", &Value::Array(params.clone()));
                member("id", id);
            }
            Message::Notification { method, params } => {
                member("method", &Value::string(method.as_str()));
                member("params", &Value::Array(params.clone()));
            }
            Message::Reply { id, result } => {
                member("result", result);
                member("id", id);
            }
            Message::Error { id, error } => {
                member("error", error);
                member("id", id);
            }
        }
        s
    }
}

fn write_call(out: &mut String, method: &str, params: &[Value]) {
    out.push_str(",\"method\":");
    json::write_string(out, method);
    out.push_str(",\"params\":[");
    for (i, p) in params.iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        p.write(out);
    }
    out.push_str("]}");
}
