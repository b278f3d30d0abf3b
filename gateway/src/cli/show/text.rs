//! JSON as tables.

use serde_json::{Map, Value};

/// A list of objects as a table of what `names` says of them, or of all; an object as a table of its
/// counters, one for each of its parts.
pub(crate) fn table(value: &Value, names: &[&str]) -> String {
    match value {
        Value::Array(rows) if rows.is_empty() => "none\n".to_owned(),
        Value::Array(rows) if names.is_empty() => {
            let names: Vec<&str> = all(rows).collect();
            columns(&names, cells(rows, &names))
        }
        Value::Array(rows) => columns(names, cells(rows, names)),
        Value::Object(parts) => object(parts),
        other => format!("{}\n", cell(other)),
    }
}

fn object(parts: &Map<String, Value>) -> String {
    let (lists, plain): (Vec<_>, Vec<_>) = parts
        .iter()
        .partition(|(_, value)| value.is_object() || value.is_array());
    let mut text = String::new();
    if !plain.is_empty() {
        let rows = plain
            .into_iter()
            .map(|(name, value)| vec![name.clone(), cell(value)]);
        text += &columns(&["what", "value"], rows);
    }
    for (name, value) in lists {
        if !text.is_empty() {
            text.push('\n');
        }
        text += &format!("{name}\n");
        text += &match value {
            // Pairs of a name and a count, in an order of their own.
            Value::Array(pairs) if pairs.first().is_some_and(Value::is_array) => {
                let rows = pairs
                    .iter()
                    .map(|pair| vec![cell(&pair[0]), cell(&pair[1])]);
                columns(&["name", "count"], rows)
            }
            Value::Object(counts) if counts.is_empty() => "none\n".to_owned(),
            other => table(other, &[]),
        };
    }
    text
}

fn all(rows: &[Value]) -> impl Iterator<Item = &str> {
    let first = rows.first().and_then(Value::as_object);
    first
        .into_iter()
        .flat_map(|first| first.keys().map(String::as_str))
}

fn cells<'a>(rows: &'a [Value], names: &'a [&str]) -> impl Iterator<Item = Vec<String>> + use<'a> {
    rows.iter()
        .map(move |row| names.iter().map(|name| cell(&row[name])).collect())
}

fn cell(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A table as the original prints it: dashes under the names, numbers to the right.
pub(crate) fn columns(names: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let rows: Vec<Vec<String>> = rows.collect();
    let widths: Vec<usize> = names
        .iter()
        .enumerate()
        .map(|(column, name)| {
            let cells = rows.iter().filter_map(|row| row.get(column));
            cells.map(String::len).max().unwrap_or(0).max(name.len())
        })
        .collect();
    let line = |cells: &mut dyn Iterator<Item = &str>, numbers: bool| {
        let mut text = String::new();
        for (cell, width) in cells.zip(&widths) {
            if !text.is_empty() {
                text.push(' ');
            }
            text += &if numbers && cell.parse::<u64>().is_ok() {
                format!("{cell:>width$}")
            } else {
                format!("{cell:<width$}")
            };
        }
        format!("{}\n", text.trim_end())
    };
    let dashes: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
    let mut text = line(&mut names.iter().copied(), false);
    text += &line(&mut dashes.iter().map(String::as_str), false);
    for row in &rows {
        text += &line(&mut row.iter().map(String::as_str), true);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn numbers_stand_to_the_right_and_names_are_underlined() {
        let rows = [("egress-ipv4-nat46", "2"), ("egress-ipv4", "10")];
        let rows = rows.map(|(name, count)| vec![name.to_owned(), count.to_owned()]);
        let text = columns(&["name", "clientside.tot_conns"], rows.into_iter());
        let expected = "name              clientside.tot_conns\n\
                        ----------------- --------------------\n\
                        egress-ipv4-nat46                    2\n\
                        egress-ipv4                         10\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn what_is_empty_is_said() {
        assert_eq!(table(&json!([]), &["address"]), "none\n");
    }
}
