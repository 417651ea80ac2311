//! `levee workflow …`: the process book as it is compiled in. Needs no server and no configuration.

mod arrows;
mod layout;
mod svg;

use crate::client::Output;
use crate::show::{self, Style};
use anyhow::{Result, bail};
use arrows::Arrow;
use clap::Subcommand;
use serde_json::{Value, json};
use std::process::ExitCode;
use workflows::book::{self, Entry};
use workflows::{Params, calendar};

#[derive(Debug, Subcommand)]
pub(crate) enum Workflow {
    /// Every process with its states.
    List,
    /// One process: states, every event in every state, timings with their bounds.
    Show { name: String },
    /// One process as a Mermaid diagram.
    Draw {
        name: String,
        /// As a picture instead.
        #[arg(long)]
        svg: bool,
    },
}

/// The processes whose timings are `[params]`.
const TIMED: [&str; 3] = ["levy_order", "remit", "sign_up"];

impl Workflow {
    pub(crate) fn run(self, out: &Output) -> Result<ExitCode> {
        let style = Style::of_stdout();
        let text = match &self {
            Workflow::List if out.json => {
                lines(&json!({ "items": book::all().iter().map(described).collect::<Vec<_>>() }))
            }
            Workflow::List => list(style),
            Workflow::Show { name } if out.json => lines(&shown(&find(name)?)),
            Workflow::Show { name } => show(style, &find(name)?),
            Workflow::Draw { name, svg: false } => (find(name)?.mermaid)(),
            Workflow::Draw { name, svg: true } => {
                let entry = find(name)?;
                svg::draw(entry.name, entry.states, &arrows::of(&(entry.mermaid)()))
            }
        };
        show::print(&text);
        Ok(ExitCode::SUCCESS)
    }
}

fn find(name: &str) -> Result<Entry> {
    let Some(entry) = book::find(name) else {
        let known: Vec<&str> = book::all().iter().map(|entry| entry.name).collect();
        bail!("there is no workflow {}; the workflows are {}", show::clean(name), known.join(", "));
    };
    Ok(entry)
}

fn lines(value: &Value) -> String {
    format!("{value:#}\n")
}

fn list(style: Style) -> String {
    let row = |entry: &Entry| {
        let (rest, open): (Vec<_>, Vec<_>) = entry.states.iter().partition(|(_, rest)| *rest);
        let names = |states: Vec<&(&str, bool)>| states.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(" ");
        vec![entry.name.to_owned(), names(open), names(rest)]
    };
    let rows: Vec<_> = book::all().iter().map(row).collect();
    show::table(style, &["workflow", "open states", "at rest"], &rows)
}

fn show(style: Style, entry: &Entry) -> String {
    let rows: Vec<_> = entry
        .states
        .iter()
        .map(|(name, rest)| vec![(*name).to_owned(), if *rest { "rest" } else { "" }.to_owned()])
        .collect();
    let mut text = format!("{}\n\n{}", show::table(style, &["state", ""], &rows), (entry.matrix)());
    if TIMED.contains(&entry.name) {
        let params = Params::book();
        let row = |(name, param): (&String, &workflows::params::Bounded)| {
            vec![name.clone(), param.default.clone(), format!("{} … {}", param.min, param.max), param.about.clone()]
        };
        let params: Vec<_> = params.iter().map(row).collect();
        let channels: Vec<_> =
            calendar::channels().into_iter().map(|(name, channel)| vec![name, channel.about]).collect();
        text.push_str(&format!("\n{}", show::table(style, &["params", "default", "bounds", "about"], &params)));
        text.push_str(&format!("\n{}", show::table(style, &["bank channel", "about"], &channels)));
    }
    text
}

fn described(entry: &Entry) -> Value {
    let states: Vec<_> = entry.states.iter().map(|(name, rest)| json!({ "name": name, "rest": rest })).collect();
    json!({ "name": entry.name, "states": states })
}

fn shown(entry: &Entry) -> Value {
    let mut value = described(entry);
    let arrow = |arrow: Arrow| json!({ "from": arrow.from, "to": arrow.to, "events": arrow.events });
    value["arrows"] = arrows::of(&(entry.mermaid)()).into_iter().map(arrow).collect();
    value["matrix"] = Value::from((entry.matrix)());
    if TIMED.contains(&entry.name) {
        let param = |(name, param): (String, workflows::params::Bounded)| {
            (name, json!({ "default": param.default, "min": param.min, "max": param.max, "about": param.about }))
        };
        value["params"] = Params::book().into_iter().map(param).collect::<serde_json::Map<_, _>>().into();
        let channel = |(name, channel): (String, calendar::Channel)| {
            (
                name,
                json!({ "about": channel.about, "weekends": channel.weekends, "open_hour": channel.open_hour, "close_hour": channel.close_hour, "holidays": channel.holidays }),
            )
        };
        value["bank_channels"] =
            calendar::channels().into_iter().map(channel).collect::<serde_json::Map<_, _>>().into();
    }
    value
}

#[cfg(test)]
mod tests;
