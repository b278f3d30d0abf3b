//! JSON as tables.

use serde_json::{Map, Value};

/// A list of objects as a table; an object as a table of its counters, one for each of its parts.
pub(crate) fn table(value: &Value) -> String {
    match value {
        Value::Array(rows) => {
            let names = names(rows);
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            columns(&names, cells(rows, &names))
        }
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
            other => table(other),
        };
    }
    text
}

/// The same with commas; of an object, its plain members.
pub(crate) fn csv(value: &Value) -> String {
    match value {
        Value::Array(rows) => {
            let names = names(rows);
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            lines(&names, cells(rows, &names))
        }
        Value::Object(parts) => {
            let rows = parts
                .iter()
                .map(|(name, value)| vec![name.clone(), cell(value)]);
            lines(&["what", "value"], rows)
        }
        other => format!("{}\n", cell(other)),
    }
}

fn names(rows: &[Value]) -> Vec<String> {
    let first = rows.first().and_then(Value::as_object);
    first.map_or_else(Vec::new, |first| first.keys().cloned().collect())
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
    if names.is_empty() {
        return "none\n".to_owned();
    }
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

/// A table with commas; a cell with a comma or a quote is quoted (RFC 4180).
pub(crate) fn lines(names: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let quoted = |cell: &str| {
        if cell.contains([',', '"', '\n']) {
            format!("\"{}\"", cell.replace('"', "\"\""))
        } else {
            cell.to_owned()
        }
    };
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let cells: Vec<String> = cells.map(quoted).collect();
        format!("{}\n", cells.join(","))
    };
    let mut text = line(&mut names.iter().copied());
    for row in rows {
        text += &line(&mut row.iter().map(String::as_str));
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
    fn cells_with_commas_are_quoted() {
        let value = json!([{"a": "x,y", "b": "\"z\""}]);
        assert_eq!(csv(&value), "a,b\n\"x,y\",\"\"\"z\"\"\"\n");
    }

    #[test]
    fn what_is_empty_is_said() {
        assert_eq!(table(&json!([])), "none\n");
    }
}
