//! From a text or a table to a described provider: what it is `like` is found and laid under it first.

use std::sync::Arc;

use super::Described;
use super::fault::{Fault, Faults, Fields, meant};
use super::node::Table;
use super::parse;
use super::reader::Around;
use crate::domain::job::ProviderName;

/// Where descriptions are found by their names.
pub trait Known {
    /// The table of a description, if there is one of this name. Its own `like` still stands in it.
    fn table(&self, name: &str) -> Option<Table>;
    /// Every name.
    fn names(&self) -> Vec<String>;
}

/// A chain of `like` longer than this is a circle.
const LONGEST: usize = 16;

/// Reads a description that stands in a text of its own. Errors of its syntax are told like any other.
pub fn from_text(
    name: ProviderName,
    text: &str,
    known: &dyn Known,
    around: Around<'_>,
) -> Result<Described, Vec<Fault>> {
    let (table, errors) = toml::de::DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        let fault = |error: &toml::de::Error| Fault {
            span: error.span(),
            message: error.message().to_owned(),
            help: "this is no TOML from here on".to_owned(),
        };
        return Err(errors.iter().map(fault).collect());
    }
    from_table(name, &Table::of(table.get_ref()), known, around)
}

/// Reads a description that is a table of a larger text.
pub fn from_table(
    name: ProviderName,
    table: &Table,
    known: &dyn Known,
    around: Around<'_>,
) -> Result<Described, Vec<Fault>> {
    let mut faults = Faults::default();
    let whole = whole(table.clone(), vec![name.as_str().to_owned()], known, &mut faults);
    let Some(whole) = whole.filter(|_| faults.0.is_empty()) else { return Err(faults.0) };
    parse::parse(name, &whole, around).map(|description| Described(Arc::new(description)))
}

/// The table with everything that it is `like` under it.
fn whole(mut table: Table, mut above: Vec<String>, known: &dyn Known, faults: &mut Faults) -> Option<Table> {
    let Some(like) = table.take("like") else { return Some(table) };
    let holder = Table(vec![like]);
    let like = Fields::new(&holder, "in this description", None).word("like", faults)?.to_owned();
    let span = holder.get("like").and_then(|member| member.node.span.clone());
    if above.contains(&like) || above.len() > LONGEST {
        above.push(like);
        let circle = above.join("` is like `");
        faults.add(span, format!("`{circle}`: a circle"), "let one of them stand by itself");
        return None;
    }
    let Some(under) = known.table(&like) else {
        let names = known.names();
        let help = match meant(&like, names.iter().map(String::as_str)) {
            Some(meant) => format!("did you mean \"{meant}\"?"),
            None => "`jobdeck providers` lists those that there are".to_owned(),
        };
        faults.add(span, format!("there is no provider \"{like}\" to be like"), help);
        return None;
    };
    above.push(like);
    let under = whole(under.elsewhere(), above, known, faults)?;
    Some(under.overlaid(table))
}
