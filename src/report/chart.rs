//! The pictures of a report as inline SVG: a bar by state, finishes over time, a histogram.

use maud::{Markup, html};

use crate::domain::durations::{BARS, Spread};
use crate::domain::human;
use crate::domain::state::State;

/// The width of a picture.
const WIDTH: f64 = 960.0;

/// The height of a chart.
const HEIGHT: f64 = 80.0;

/// One bar, in parts by state; a state of one job is still seen.
pub fn states(states: &[(State, u32)]) -> Markup {
    let total: u32 = states.iter().map(|(_, count)| count).sum();
    let mut x = 0.0;
    let parts: Vec<(State, u32, f64, f64)> = states
        .iter()
        .map(|(state, count)| {
            let width = (f64::from(*count) / f64::from(total.max(1)) * WIDTH).max(3.0);
            let from = x;
            x += width;
            (*state, *count, from, width)
        })
        .collect();
    let view = format!("0 0 {} 28", x.max(1.0));
    html! {
        svg.bar viewBox=(view) preserveAspectRatio="none" role="img" aria-label="jobs by state" {
            @for (state, count, from, width) in parts {
                rect class=(state.as_str()) x=(format!("{from:.1}")) y="0" width=(format!("{width:.1}")) height="28" {
                    title { (count) " " (state.as_str()) }
                }
            }
        }
    }
}

/// Bars of equal width, the highest as high as the picture.
pub fn bars(counts: &[u32], label: &str) -> Markup {
    let most = counts.iter().copied().max().unwrap_or(0).max(1);
    let width = WIDTH / counts.len().max(1) as f64;
    html! {
        svg.chart viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) preserveAspectRatio="none" role="img" aria-label=(label) {
            @for (at, count) in counts.iter().enumerate() {
                @let height = f64::from(*count) / f64::from(most) * (HEIGHT - 2.0);
                rect x=(format!("{:.1}", at as f64 * width)) y=(format!("{:.1}", HEIGHT - height))
                    width=(format!("{:.1}", (width - 1.0).max(0.5))) height=(format!("{height:.1}")) {
                    title { (count) }
                }
            }
        }
    }
}

/// A histogram with what it spans, or that there is nothing to show.
pub fn histogram(what: &str, spread: Option<&Spread>) -> Markup {
    html! {
        figure {
            figcaption {
                (what)
                @if let Some(Spread { count, median, p90, longest, .. }) = spread {
                    ": median " b { (human::duration(*median)) } ", 90 % within " b { (human::duration(*p90)) }
                    ", longest " b { (human::duration(*longest)) } " (" (human::counted(*count as u64, "job")) ")"
                } @else {
                    ": not known"
                }
            }
            @if let Some(Spread { histogram, longest, .. }) = spread {
                (bars(histogram, what))
                div.axis {
                    span { "0" } span { (human::duration(*longest / 2)) } span { (human::duration(*longest)) }
                }
            }
        }
    }
}

/// A chart has as many bars as a histogram at the least.
pub const SPANS: usize = BARS * 5;
