//! A cycle as a picture: a self-contained SVG, operations on a circle, arrows labelled with why.

use std::f64::consts::PI;
use std::fmt::Write as _;

/// One step of a cycle: an operation, and why it comes before the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Arrow {
    /// Short name of the operation.
    pub(crate) name: String,
    /// What it did, shown when pointed at.
    pub(crate) detail: String,
    /// On the arrow to the next operation (from the last to the first).
    pub(crate) why: String,
}

const WIDTH: f64 = 200.0;
const HEIGHT: f64 = 36.0;

/// Draws a cycle.
pub(crate) fn picture(title: &str, arrows: &[Arrow]) -> String {
    let count = arrows.len().max(1) as f64;
    let (across, down) = (150.0 + 34.0 * count, 70.0 + 26.0 * count);
    let (width, height) = (2.0 * across + WIDTH + 60.0, 2.0 * down + HEIGHT + 80.0);
    let place = |index: usize| {
        let angle = 2.0 * PI * index as f64 / count - PI / 2.0;
        (width / 2.0 + across * angle.cos(), height / 2.0 + 15.0 + down * angle.sin())
    };
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" \
         height=\"{height:.0}\" font-family=\"sans-serif\" font-size=\"13\">\n\
         <defs><marker id=\"tip\" viewBox=\"0 0 10 10\" refX=\"10\" refY=\"5\" markerWidth=\"8\" markerHeight=\"8\" \
         orient=\"auto\"><path d=\"M0 0L10 5L0 10z\" fill=\"#b00\"/></marker></defs>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n\
         <text x=\"{:.0}\" y=\"24\" text-anchor=\"middle\" font-weight=\"bold\">{}</text>\n",
        width / 2.0,
        escape(title)
    );
    for (index, arrow) in arrows.iter().enumerate() {
        write_arrow(&mut svg, place(index), place((index + 1) % arrows.len()), &arrow.why);
    }
    for (index, arrow) in arrows.iter().enumerate() {
        let (x, y) = place(index);
        let _ = writeln!(
            svg,
            "<g><title>{}</title><rect x=\"{:.0}\" y=\"{:.0}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" rx=\"6\" \
             fill=\"#eef\" stroke=\"#336\"/><text x=\"{x:.0}\" y=\"{:.0}\" text-anchor=\"middle\">{}</text></g>",
            escape(&arrow.detail),
            x - WIDTH / 2.0,
            y - HEIGHT / 2.0,
            y + 5.0,
            escape(&arrow.name)
        );
    }
    svg.push_str("</svg>\n");
    svg
}

/// A bowed arrow, so that two operations with an arrow each way show both.
fn write_arrow(svg: &mut String, from: (f64, f64), to: (f64, f64), why: &str) {
    let (from, to) = (edge_of_box(from, to), edge_of_box(to, from));
    let (dx, dy) = (to.0 - from.0, to.1 - from.1);
    let length = dx.hypot(dy).max(1.0);
    let bow = (length * 0.25).clamp(18.0, 60.0);
    let (x, y) = ((from.0 + to.0) / 2.0 - dy / length * bow, (from.1 + to.1) / 2.0 + dx / length * bow);
    let _ = writeln!(
        svg,
        "<path d=\"M{:.0} {:.0}Q{x:.0} {y:.0} {:.0} {:.0}\" fill=\"none\" stroke=\"#b00\" marker-end=\"url(#tip)\"/>\
         <text x=\"{x:.0}\" y=\"{y:.0}\" text-anchor=\"middle\" fill=\"#b00\">{}</text>",
        from.0,
        from.1,
        to.0,
        to.1,
        escape(why)
    );
}

/// Where the line from the middle of a box towards a point leaves the box.
fn edge_of_box(middle: (f64, f64), towards: (f64, f64)) -> (f64, f64) {
    let (dx, dy) = (towards.0 - middle.0, towards.1 - middle.1);
    let scale = (WIDTH / 2.0 / dx.abs().max(0.001)).min(HEIGHT / 2.0 / dy.abs().max(0.001)).min(1.0);
    (middle.0 + dx * scale, middle.1 + dy * scale)
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            // Not allowed in XML 1.0, and of no use in a picture.
            c if c.is_control() => escaped.push(' '),
            c => escaped.push(c),
        }
    }
    escaped
}
