//! The arrows of a process, read from the diagram the book prints: one source for text and picture.

/// One arrow between two different states.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Arrow {
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) events: Vec<String>,
}

/// Every `from --> to: event, event` of a Mermaid state diagram; the arrows from and to `[*]` have no events.
pub(crate) fn of(mermaid: &str) -> Vec<Arrow> {
    let arrow = |line: &str| {
        let (from, rest) = line.trim().split_once(" --> ")?;
        let (to, events) = rest.split_once(": ")?;
        let events = events.split(", ").map(str::to_owned).collect();
        Some(Arrow { from: from.to_owned(), to: to.to_owned(), events })
    };
    mermaid.lines().filter_map(arrow).collect()
}
