//! JSON as tables with commas (RFC 4180), with lines that end as they do here: no cell holds a list or an object.

use serde_json::{Map, Value};

/// The line of names above figures.
const FIGURES: [&str; 3] = ["name", "of", "value"];

/// A list of objects as a line each, with what `names` says of them; an object as a line for each of its
/// figures.
pub(crate) fn csv(value: &Value, names: &[&str]) -> String {
    match value {
        Value::Array(rows) => {
            let cells = rows
                .iter()
                .map(|row| names.iter().map(|name| cell(&row[name])).collect());
            lines(names, cells)
        }
        Value::Object(parts) => {
            let mut rows = Vec::new();
            figures("", "", parts, &mut rows);
            lines(&FIGURES, rows.into_iter())
        }
        other => format!("{}\n", quoted(&cell(other))),
    }
}

/// What an object says, by dotted names. Of its lists each element is told apart by what it says in words,
/// in `of`: an address and its pool, the name of a virtual server.
fn figures(path: &str, of: &str, parts: &Map<String, Value>, rows: &mut Vec<Vec<String>>) {
    for (name, value) in parts {
        let name = if path.is_empty() {
            name.clone()
        } else {
            format!("{path}.{name}")
        };
        match value {
            Value::Object(parts) => figures(&name, of, parts, rows),
            Value::Array(elements) => {
                for element in elements {
                    listed(&name, element, rows);
                }
            }
            plain => rows.push(vec![name, of.to_owned(), cell(plain)]),
        }
    }
}

fn listed(name: &str, element: &Value, rows: &mut Vec<Vec<String>>) {
    match element {
        // A pair of a name and a count.
        Value::Array(pair) => {
            if let [of, count] = pair.as_slice() {
                rows.push(vec![name.to_owned(), cell(of), cell(count)]);
            }
        }
        Value::Object(parts) => {
            let words = parts.values().filter_map(Value::as_str);
            let of = words.collect::<Vec<_>>().join(" ");
            let parts = parts.clone().into_iter();
            let others = parts.filter(|(_, value)| !value.is_string()).collect();
            figures(name, &of, &others, rows);
        }
        plain => rows.push(vec![name.to_owned(), String::new(), cell(plain)]),
    }
}

/// What is not known is left empty.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A line of names, and the others; a cell that needs it is quoted.
pub(crate) fn lines(names: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
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

fn quoted(cell: &str) -> String {
    if cell.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn cells_that_need_it_are_quoted() {
        let value = json!([{"a": "x,y", "b": "\"z\"", "c": "one\r\ntwo", "d": null, "e": "plain"}]);
        assert_eq!(
            csv(&value, &["a", "b", "c", "d", "e"]),
            "a,b,c,d,e\n\"x,y\",\"\"\"z\"\"\",\"one\r\ntwo\",,plain\n"
        );
    }

    #[test]
    fn an_empty_list_has_its_names() {
        assert_eq!(csv(&json!([]), &["address", "host"]), "address,host\n");
    }

    /// Whatever the object: three cells a line, and no brackets in any of them.
    #[test]
    fn every_figure_has_a_line_of_its_own() {
        let stats = json!({
            "egress": "ns/name",
            "virtual_servers": [["egress-ipv4-nat46", 7], ["egress-ipv4", 2]],
            "drops": {"not-inside": 3},
            "addresses": [
                {"address": "192.0.2.1", "pool": "pods", "sessions": 4, "high_water": 9},
                {"address": "192.0.2.1", "pool": "own", "sessions": 0, "high_water": 1},
            ],
            "store": {"state": "up", "lost": 1, "why": "", "server": null},
        });
        let wanted = "name,of,value\n\
            addresses.high_water,192.0.2.1 pods,9\n\
            addresses.sessions,192.0.2.1 pods,4\n\
            addresses.high_water,192.0.2.1 own,1\n\
            addresses.sessions,192.0.2.1 own,0\n\
            drops.not-inside,,3\n\
            egress,,ns/name\n\
            store.lost,,1\n\
            store.server,,\n\
            store.state,,up\n\
            store.why,,\n\
            virtual_servers,egress-ipv4-nat46,7\n\
            virtual_servers,egress-ipv4,2\n";
        assert_eq!(csv(&stats, &[]), wanted);
    }
}
