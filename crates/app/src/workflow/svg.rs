//! The picture of a process: boxes, curved arrows, the events beside them. A double border is rest.

use super::arrows::Arrow;
use super::layout::{self, Curve, LABEL_LINE, Place};
use std::fmt::Write as _;

/// Arrows of one state share a colour, so that they can be followed.
const COLOURS: [&str; 8] = ["#1f5fa8", "#a33b20", "#2c7a3f", "#7a3b8f", "#8a6d00", "#0f7c80", "#a8326e", "#4a4a4a"];

const STYLE: &str = "text{font-family:ui-monospace,Menlo,Consolas,monospace;text-anchor:middle}\
.state{font-size:13px}.event{font-size:10px}.arrow path{fill:none;stroke-width:1.2}.arrow:hover path{stroke-width:3}\
rect{fill:#fff}.box{stroke:#222;stroke-width:1.2}.rest{fill:none;stroke:#222;stroke-width:1}";

pub(crate) fn draw(name: &str, states: &[(&str, bool)], arrows: &[Arrow]) -> String {
    let names: Vec<&str> = states.iter().map(|(name, _)| *name).collect();
    let layout = layout::of(&names, arrows);
    let (width, height, title) = (layout.width, layout.height, escape(name));
    let mut svg = String::new();
    let _ = writeln!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" role=\"img\">"
    );
    let _ = writeln!(
        svg,
        "<title>{title}</title>\n<style>{STYLE}</style>\n<rect width=\"{width}\" height=\"{height}\"/>\n<defs>"
    );
    for (n, colour) in COLOURS.iter().enumerate() {
        let _ = writeln!(
            svg,
            "<marker id=\"head{n}\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" markerUnits=\"userSpaceOnUse\" \
             orient=\"auto\"><path d=\"M0,0 L8,4 L0,8 z\" fill=\"{colour}\"/></marker>"
        );
    }
    svg.push_str("</defs>\n");
    for (arrow, curve) in arrows.iter().zip(&layout.curves) {
        let colour = names.iter().position(|name| *name == arrow.from).unwrap_or(0) % COLOURS.len();
        arrow_of(&mut svg, arrow, curve, colour);
    }
    for ((name, rest), place) in states.iter().zip(&layout.boxes) {
        state_of(&mut svg, name, *rest, *place);
    }
    svg.push_str("</svg>\n");
    svg
}

fn arrow_of(svg: &mut String, arrow: &Arrow, curve: &Curve, colour: usize) {
    let (from, to, events) = (escape(&arrow.from), escape(&arrow.to), escape(&arrow.events.join(", ")));
    let (stroke, label) = (COLOURS[colour], curve.label);
    let _ = writeln!(svg, "<g class=\"arrow\"><title>{from} to {to}: {events}</title>");
    let _ =
        writeln!(svg, "<path d=\"{}\" stroke=\"{stroke}\" marker-end=\"url(#head{colour})\"/>", path(&curve.points));
    let _ = writeln!(svg, "{}", rect(label, "", 0));
    let first = label.y - label.height / 2 + LABEL_LINE;
    for (event, y) in arrow.events.iter().zip((first..).step_by(12)) {
        let _ = writeln!(
            svg,
            "<text class=\"event\" x=\"{}\" y=\"{y}\" fill=\"{stroke}\">{}</text>",
            label.x,
            escape(event)
        );
    }
    svg.push_str("</g>\n");
}

fn state_of(svg: &mut String, name: &str, rest: bool, place: Place) {
    let _ = writeln!(svg, "{}", rect(place, " class=\"box\"", 0));
    if rest {
        let _ = writeln!(svg, "{}", rect(place, " class=\"rest\"", 3));
    }
    let _ = writeln!(svg, "<text class=\"state\" x=\"{}\" y=\"{}\">{}</text>", place.x, place.y + 4, escape(name));
}

fn rect(place: Place, class: &str, inside: i64) -> String {
    let (x, y) = (place.x - place.width / 2 + inside, place.y - place.height / 2 + inside);
    let (width, height) = (place.width - 2 * inside, place.height - 2 * inside);
    format!("<rect{class} x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"6\"/>")
}

/// Through the points, upright at each of them.
fn path(points: &[(i64, i64)]) -> String {
    let mut d = String::new();
    let mut before: Option<(i64, i64)> = None;
    for (x, y) in points {
        match before {
            None => _ = write!(d, "M{x},{y}"),
            Some((from, _)) if from == *x => _ = write!(d, " L{x},{y}"),
            Some((from, top)) => {
                let middle = (top + y) / 2;
                let _ = write!(d, " C{from},{middle} {x},{middle} {x},{y}");
            }
        }
        before = Some((*x, *y));
    }
    d
}

/// As text or attribute of XML.
fn escape(text: &str) -> String {
    let mut safe = String::new();
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&apos;"),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_xml_reads_is_escaped() {
        assert_eq!(escape("a<b>&\"'"), "a&lt;b&gt;&amp;&quot;&apos;");
    }

    #[test]
    fn a_line_is_upright_at_its_points() {
        assert_eq!(path(&[(0, 0), (0, 10), (20, 30)]), "M0,0 L0,10 C0,20 20,20 20,30");
    }
}
