//! JSON-RPC 1.0 messages, as values.

use crate::json::{Object, Value};

/// A message.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// Asks for a reply.
    Request {
        /// What to do.
        method: String,
        /// With what: an array.
        params: Value,
        /// Marks the reply.
        id: Value,
    },
    /// Does not.
    Notification {
        /// What happened.
        method: String,
        /// With what: an array.
        params: Value,
    },
    /// Answers a request.
    Reply {
        /// The answer.
        result: Value,
        /// The request's.
        id: Value,
    },
    /// Refuses a request.
    Error {
        /// Why.
        error: Value,
        /// The request's.
        id: Value,
    },
}

impl Message {
    /// A request.
    pub fn request(method: &str, params: Vec<Value>, id: impl Into<Value>) -> Message {
        Message::Request { method: method.into(), params: Value::Array(params), id: id.into() }
    }

    /// A notification.
    pub fn notification(method: &str, params: Vec<Value>) -> Message {
        Message::Notification { method: method.into(), params: Value::Array(params) }
    }

    /// The message's kind, as logs have it.
    pub fn kind(&self) -> &'static str {
        match self {
            Message::Request { .. } => "request",
            Message::Notification { .. } => "notification",
            Message::Reply { .. } => "reply",
            Message::Error { .. } => "error",
        }
    }

    /// Reads a message; says what is wrong with it otherwise.
    pub fn from_json(json: Value) -> Result<Message, String> {
        let Value::Object(mut o) = json else { return Err("message is not a JSON object".into()) };
        let method = match o.remove("method") {
            None => None,
            Some(Value::String(s)) => Some(s),
            Some(_) => return Err("method is not a JSON string".into()),
        };
        let params = o.remove("params");
        let result = o.remove("result");
        let error = o.remove("error").filter(|e| *e != Value::Null);
        let id = o.remove("id");
        let no_id = id.as_ref().is_none_or(|i| *i == Value::Null);
        if let Some(extra) = o.keys().next() {
            return Err(format!("message has unexpected member \"{extra}\""));
        }
        // What a message is follows from what it has; what it must and must not have then follows from that.
        let has_result = result.as_ref().is_some_and(|r| *r != Value::Null);
        let kind = if has_result {
            "reply"
        } else if error.is_some() {
            "error"
        } else if no_id {
            "notification"
        } else if method.is_none() && params.is_none() && result.is_some() {
            "reply"
        } else {
            "request"
        };
        let calls = kind == "request" || kind == "notification";
        let check = |present: bool, wanted: bool, name: &str| match (present, wanted) {
            (true, false) => Err(format!("{kind} must not have \"{name}\"")),
            (false, true) => Err(format!("{kind} must have \"{name}\"")),
            _ => Ok(()),
        };
        check(method.is_some(), calls, "method")?;
        check(params.is_some(), calls, "params")?;
        check(has_result || (kind == "reply" && result.is_some()), kind == "reply", "result")?;
        check(error.is_some(), kind == "error", "error")?;
        check(!no_id, kind != "notification", "id")?;
        let (method, id) = (method.unwrap_or_default(), id.unwrap_or_default());
        let params = params.unwrap_or_default();
        if calls && params.as_array().is_none() {
            return Err("\"params\" must be JSON array".into());
        }
        Ok(match kind {
            "request" => Message::Request { method, params, id },
            "notification" => Message::Notification { method, params },
            "error" => Message::Error { error: error.unwrap_or_default(), id },
            _ => Message::Reply { result: result.unwrap_or_default(), id },
        })
    }

    /// The message's JSON.
    pub fn into_json(self) -> Value {
        let mut o = Object::new();
        match self {
            Message::Request { method, params, id } => {
                o.insert("id", id);
                o.insert("method", method);
                o.insert("params", params);
            }
            Message::Notification { method, params } => {
                o.insert("id", Value::Null);
                o.insert("method", method);
                o.insert("params", params);
            }
            Message::Reply { result, id } => {
                o.insert("error", Value::Null);
                o.insert("id", id);
                o.insert("result", result);
            }
            Message::Error { error, id } => {
                o.insert("error", error);
                o.insert("id", id);
            }
        }
        Value::Object(o)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways() {
        for text in [
            r#"{"id":1,"method":"echo","params":[]}"#,
            r#"{"id":null,"method":"update","params":[1,{}]}"#,
            r#"{"error":null,"id":1,"result":[1]}"#,
            r#"{"error":"unknown method","id":0}"#,
        ] {
            let m = Message::from_json(crate::json::parse(text).expect("json")).expect(text);
            assert_eq!(m.into_json().to_string(), text);
        }
    }

    /// What the reference's server logs about these.
    #[test]
    fn bad_messages() {
        for (text, want) in [
            (r#"[]"#, "message is not a JSON object"),
            (r#"{"id":1}"#, "request must have \"method\""),
            (r#"{"id":1,"method":"echo"}"#, "request must have \"params\""),
            (r#"{"id":1,"method":1,"params":[]}"#, "method is not a JSON string"),
        ] {
            assert_eq!(
                Message::from_json(crate::json::parse(text).expect("json")),
                Err(want.into()),
                "{text}"
            );
        }
    }
}
