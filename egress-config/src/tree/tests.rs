use super::{Content, Document, Tree, build, split};

fn one(text: &str) -> Result<Tree<'_>, (u32, String)> {
    let document = Document {
        text,
        start: 0,
        first_line: 1,
    };
    build(&document, 0).map_err(|fault| (fault.place.line, fault.message))
}

fn texts(text: &str) -> Vec<(&str, u32)> {
    split(text)
        .into_iter()
        .map(|document| (document.text, document.first_line))
        .collect()
}

#[test]
fn documents_are_cut_at_markers() {
    assert_eq!(texts(""), []);
    assert_eq!(texts("# nothing\n---\n# nothing\n---\n"), []);
    assert_eq!(texts("a: 1\n"), [("a: 1\n", 1)]);
    assert_eq!(
        texts("---\na: 1\n--- \nb: 2\n"),
        [("---\na: 1\n", 1), ("--- \nb: 2\n", 3)]
    );
    assert_eq!(texts("a: 1\n...\nb: 2"), [("a: 1\n", 1), ("b: 2", 3)]);
    assert_eq!(
        texts("a: --- \nb: ----\n----: c\n"),
        [("a: --- \nb: ----\n----: c\n", 1)]
    );
    assert_eq!(
        texts("a: 1\r\n---\r\nb: 2\r\n"),
        [("a: 1\r\n", 1), ("---\r\nb: 2\r\n", 2)]
    );
    assert_eq!(
        texts("a: 1\r---\rb: 2\r"),
        [("a: 1\r", 1), ("---\rb: 2\r", 2)]
    );
    assert_eq!(
        texts("--- {a: 1}\n--- {b: 2}\n"),
        [("--- {a: 1}\n", 1), ("--- {b: 2}\n", 2)]
    );
}

#[test]
fn directives_belong_to_the_document_that_follows() {
    assert_eq!(
        texts("%YAML 1.2\n---\na: 1\n...\n# next\n%YAML 1.2\n---\nb: 2\n"),
        [
            ("%YAML 1.2\n---\na: 1\n", 1),
            ("# next\n%YAML 1.2\n---\nb: 2\n", 5)
        ]
    );
}

#[test]
fn the_byte_order_mark_is_no_content() {
    let documents = split("\u{feff}a: 1\n");
    assert_eq!(
        documents,
        [Document {
            text: "a: 1\n",
            start: 3,
            first_line: 1
        }]
    );
}

#[test]
fn places_count_lines_and_characters() {
    let tree = one("a:\n  ä: [x, \"yy\"]\n").unwrap();
    let outer = tree.get(tree.root, "a").unwrap();
    let inner = tree.get(outer, "ä").unwrap();
    let Content::Sequence(items) = &tree.node(inner).content else {
        panic!("no list")
    };
    let place = tree.node(items[1]).place;
    assert_eq!(
        (place.line, place.column, place.index, place.length),
        (2, 9, 12, 4)
    );
}

#[test]
fn both_of_two_equal_keys_are_kept_and_told_of() {
    let tree = one("a:\n- b: 1\n  c: 2\n  b: 3\n").unwrap();
    assert_eq!(tree.duplicates.len(), 1);
    let duplicate = &tree.duplicates[0];
    assert_eq!(duplicate.path, "a[0].b");
    assert_eq!((duplicate.first.line, duplicate.second.line), (2, 4));
}

#[test]
fn two_equal_keys_among_many_are_found_as_well() {
    let mut text: String = (0..100).map(|key| format!("k{key}: 1\n")).collect();
    text.push_str("k50: 2\n");
    let tree = one(&text).unwrap();
    assert_eq!(tree.duplicates.len(), 1);
    assert_eq!(
        (
            tree.duplicates[0].first.line,
            tree.duplicates[0].second.line
        ),
        (51, 101)
    );
}

#[test]
fn an_alias_is_the_node_that_it_stands_for() {
    let tree = one("a: &x [1, 2]\nb: *x\n").unwrap();
    assert_eq!(tree.get(tree.root, "a"), tree.get(tree.root, "b"));
}

#[test]
fn an_alias_within_its_own_value_is_refused() {
    let (line, message) = one("a: &x\n  b: *x\n").unwrap_err();
    assert_eq!(
        (line, message.as_str()),
        (2, "an alias within the value that it stands for")
    );
}

/// Nine levels of nine aliases each: a billion nodes if written out.
#[test]
fn a_billion_laughs_are_refused() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..10 {
        let aliases = vec![format!("*a{}", level - 1); 9].join(", ");
        text.push_str(&format!("a{level}: &a{level} [{aliases}]\n"));
    }
    let (_, message) = one(&text).unwrap_err();
    assert!(message.contains("values in one document"), "{message}");
}

#[test]
fn deep_nesting_is_refused() {
    assert!(one(&"[".repeat(100_000)).is_err());
    assert!(one(&"{a: ".repeat(100_000)).is_err());
    assert!(one(&"- ".repeat(100_000)).is_err());
    let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    assert!(one(&deep(64)).is_ok());
    let (_, message) = one(&deep(65)).unwrap_err();
    assert_eq!(message, "nested deeper than 64 levels");
}

#[test]
fn keys_that_are_no_texts_are_refused() {
    assert!(one("? [a]\n: b\n").is_err());
    assert!(one("{[a]: b}\n").is_err());
}

#[test]
fn tabs_and_json_are_read() {
    let tree = one("{\n\t\"a\": {\"b\": [1, \"x\\u00e4\", null]}\n}\n").unwrap();
    let list = tree.get(tree.get(tree.root, "a").unwrap(), "b").unwrap();
    let Content::Sequence(items) = &tree.node(list).content else {
        panic!("no list")
    };
    assert_eq!(tree.text(items[1]), Some("xä"));
    assert!(tree.is_null(items[2]));
}
