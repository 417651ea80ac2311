//! What people read on a terminal: tables, records, and text that cannot play tricks with it.

use comfy_table::{ContentArrangement, Table, presets};
use serde_json::Value;
use std::io::{IsTerminal as _, Write as _};

/// How standard output wants to be written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Style {
    /// A person looks at it: borders. Otherwise plain aligned lines, for `grep` and `awk`.
    pub(crate) terminal: bool,
    pub(crate) colour: bool,
    /// Where known, long cells are wrapped to it.
    pub(crate) width: Option<u16>,
}

/// One column of a table: its head, and where its cell is found in an item (a JSON pointer).
pub(crate) type Column = (&'static str, &'static str);

impl Style {
    /// Plain aligned lines, as a pipe gets them.
    #[cfg(test)]
    pub(crate) const PLAIN: Style = Style { terminal: false, colour: false, width: None };

    pub(crate) fn of_stdout() -> Self {
        let width = std::env::var("COLUMNS").ok().and_then(|text| text.parse().ok());
        Self::of(
            std::io::stdout().is_terminal(),
            std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()),
            width,
        )
    }

    fn of(terminal: bool, no_color: bool, width: Option<u16>) -> Self {
        Self { terminal, colour: terminal && !no_color, width: width.filter(|_| terminal) }
    }

    /// The word in one of the eight colours of every terminal.
    pub(crate) fn paint(self, colour: u8, word: &str) -> String {
        if self.colour { format!("\x1b[{colour}m{word}\x1b[0m") } else { word.to_owned() }
    }
}

/// Writes to standard output. A reader that has gone away (`| head`) is no fault.
pub(crate) fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// A table with its heads; nothing but the heads when there are no rows.
pub(crate) fn table(style: Style, heads: &[&str], rows: &[Vec<String>]) -> String {
    let mut table = Table::new();
    table.load_style(if style.terminal { presets::UTF8_FULL_CONDENSED } else { presets::NOTHING });
    if let Some(width) = style.width {
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    }
    table.set_header(heads.iter().map(|head| (*head).to_owned()));
    table.add_rows(rows.iter().map(|row| row.iter().map(|cell| clean(cell))));
    if style.terminal {
        return format!("{}\n", table.trim_fmt());
    }
    // Without borders the cells still have a margin; one line is one row.
    for column in table.column_iter_mut() {
        column.set_padding((0, 1));
    }
    table.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

/// Items as a table; a column that no item fills is left out.
pub(crate) fn list(style: Style, items: &[Value], columns: &[Column]) -> String {
    let filled = |pointer: &str| items.iter().any(|item| item.pointer(pointer).is_some_and(|value| !value.is_null()));
    let columns: Vec<&Column> = columns.iter().filter(|(_, pointer)| items.is_empty() || filled(pointer)).collect();
    let heads: Vec<&str> = columns.iter().map(|(head, _)| *head).collect();
    let row =
        |item: &Value| columns.iter().map(|(_, pointer)| item.pointer(pointer).map_or(String::new(), cell)).collect();
    let rows: Vec<Vec<String>> = items.iter().map(row).collect();
    table(style, &heads, &rows)
}

/// What a person looks for first.
const FIRST: [&str; 8] = ["id", "business_key", "name", "kind", "state", "outcome", "waits_for", "fail_reason"];

/// One object, a line per field, nested ones as `person.name`. Empty fields and lists of objects are left out: lists are tables.
pub(crate) fn record(value: &Value) -> String {
    let mut fields = Vec::new();
    flatten("", value, &mut fields);
    // Stable: the others keep their order.
    fields.sort_by_key(|(name, _)| FIRST.iter().position(|first| first == name).unwrap_or(FIRST.len()));
    let wide = fields.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    fields.iter().map(|(name, value)| format!("{name:<wide$}  {value}\n")).collect()
}

fn flatten(path: &str, value: &Value, fields: &mut Vec<(String, String)>) {
    match value {
        Value::Null => {}
        Value::Object(map) => {
            for (name, value) in map {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                flatten(&path, value, fields);
            }
        }
        Value::Array(items) if items.is_empty() || items.iter().any(Value::is_object) => {}
        Value::Array(_) | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            fields.push((clean(path), cell(value)))
        }
    }
}

/// A value as one cell.
pub(crate) fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => clean(text),
        Value::Bool(yes) => if *yes { "yes" } else { "no" }.to_owned(),
        Value::Number(number) => number.to_string(),
        Value::Array(items) => items.iter().map(cell).collect::<Vec<_>>().join(", "),
        Value::Object(map) => match (map.get("field"), map.get("message")) {
            // What is wrong with one field.
            (Some(field), Some(message)) => format!("{}: {}", cell(field), cell(message)),
            (None, _) | (_, None) => clean(&value.to_string()),
        },
    }
}

/// A provider's words reach this screen: control characters would let them move the cursor, or hide what was printed.
pub(crate) fn clean(text: &str) -> String {
    let harmless = |c: char| if c.is_control() || is_direction(c) { '\u{fffd}' } else { c };
    text.replace(['\r', '\n', '\t'], " ").chars().map(harmless).collect()
}

/// Marks that turn the writing direction around.
fn is_direction(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_pipe_gets_plain_aligned_lines_and_wide_characters_count_twice() {
        let rows = [vec!["张三".to_owned(), "1.00".to_owned()], vec!["Li".to_owned(), "22.00".to_owned()]];
        assert_eq!(table(Style::PLAIN, &["name", "net"], &rows), "name net\n张三 1.00\nLi   22.00\n");
    }

    #[test]
    fn a_terminal_gets_borders() {
        let text = table(Style { terminal: true, ..Style::PLAIN }, &["a"], &[vec!["b".to_owned()]]);
        assert!(text.contains('│') && text.contains('╞'), "{text}");
    }

    #[test]
    fn only_filled_columns_are_shown() {
        let items = [json!({"id": "1", "outcome": null}), json!({"id": "2"})];
        assert_eq!(list(Style::PLAIN, &items, &[("id", "/id"), ("outcome", "/outcome")]), "id\n1\n2\n");
        assert_eq!(list(Style::PLAIN, &[], &[("id", "/id"), ("outcome", "/outcome")]), "id outcome\n");
    }

    #[test]
    fn a_record_is_a_line_per_field() {
        let value =
            json!({"id": "1", "person": {"name": "张*"}, "remits": [{"id": 2}], "gone": null, "tags": ["a", "b"]});
        assert_eq!(record(&value), "id           1\nperson.name  张*\ntags         a, b\n");
    }

    #[test]
    fn what_a_provider_says_moves_no_cursor() {
        assert_eq!(clean("bad\x1b[2J\nline \u{202e}x"), "bad\u{fffd}[2J line \u{fffd}x");
    }

    #[test]
    fn no_color_is_honoured() {
        assert_eq!(Style::of(true, true, None).paint(31, "fault"), "fault");
        assert_eq!(Style::of(false, false, Some(80)), Style::PLAIN);
        assert_eq!(Style::of(true, false, None).paint(31, "x"), "\x1b[31mx\x1b[0m");
    }
}
