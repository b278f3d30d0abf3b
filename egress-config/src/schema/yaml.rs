//! JSON values as YAML in block style.

use serde_json::Value;

/// One document that YAML 1.1 and 1.2 readers read as `value`.
#[must_use]
pub fn yaml(value: &Value) -> String {
    let mut text = String::new();
    match value {
        Value::Object(map) if !map.is_empty() => block(&mut text, value, 0),
        Value::Array(list) if !list.is_empty() => block(&mut text, value, 0),
        Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Array(_)
        | Value::Object(_) => {
            text.push_str(&flow(value));
            text.push('\n');
        }
    }
    text
}

/// The lines of a collection; the first one is written where the text ends.
fn block(text: &mut String, value: &Value, indent: usize) {
    let mut first = true;
    let mut line = |text: &mut String| {
        if !first || text.is_empty() || text.ends_with('\n') {
            text.push_str(&" ".repeat(indent));
        }
        first = false;
    };
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                line(text);
                text.push_str(&scalar(key));
                text.push(':');
                entry(text, value, indent);
            }
        }
        Value::Array(list) => {
            for value in list {
                line(text);
                text.push('-');
                item(text, value, indent + 2);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            text.push_str(&flow(value));
        }
    }
}

/// What follows a key: a collection on the next lines, lists no deeper than their key.
fn entry(text: &mut String, value: &Value, indent: usize) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            text.push('\n');
            block(text, value, indent + 2);
        }
        Value::Array(list) if !list.is_empty() => {
            text.push('\n');
            block(text, value, indent);
        }
        Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Array(_)
        | Value::Object(_) => {
            text.push(' ');
            text.push_str(&flow(value));
            text.push('\n');
        }
    }
}

/// What follows a dash: a collection starts on the same line.
fn item(text: &mut String, value: &Value, indent: usize) {
    text.push(' ');
    match value {
        Value::Object(map) if !map.is_empty() => block(text, value, indent),
        Value::Array(list) if !list.is_empty() => block(text, value, indent),
        Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Array(_)
        | Value::Object(_) => {
            text.push_str(&flow(value));
            text.push('\n');
        }
    }
}

fn flow(value: &Value) -> String {
    match value {
        Value::String(text) => scalar(text),
        Value::Array(_) => "[]".to_owned(),
        Value::Object(_) => "{}".to_owned(),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

/// Plain where no reader could take it for anything but this text, else in JSON's quotes, which
/// YAML has too.
fn scalar(text: &str) -> String {
    let starts = text.chars().next().is_some_and(|c| c.is_ascii_alphabetic());
    let safe = text
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || " ./_-(),".contains(c));
    let word = matches!(
        text.to_ascii_lowercase().as_str(),
        "true" | "false" | "null" | "yes" | "no" | "on" | "off" | "y" | "n"
    );
    if starts && safe && !word && !text.ends_with(' ') && !text.contains(" -") {
        text.to_owned()
    } else {
        Value::from(text).to_string()
    }
}
