//! From a text or a table to a described provider: what it is `like` is found and laid under it first.

use std::sync::Arc;

use super::Described;
use super::fault::{DescriptionFault, DescriptionTable, Faults, meant};
use super::node::Table;
use super::parse;
use super::parse_values::KnownSecrets;
use crate::domain::job::ProviderName;

/// Where descriptions are found by their names.
pub trait KnownDescriptions {
    /// The table of a description, if there is one of this name. Its own `like` is still in it.
    fn table(&self, name: &str) -> Option<Table>;
    /// Every name.
    fn names(&self) -> Vec<String>;
}

/// A chain of `like` longer than this is a circle.
const LONGEST: usize = 16;

/// The places in each description of a chain of `like` begin that much further on than those of the one before.
const STRIDE: usize = usize::MAX / (LONGEST + 2);

/// Reads a description that is a whole file. Errors of its syntax are reported like any other.
pub fn from_text(
    name: ProviderName,
    text: &str,
    known: &dyn KnownDescriptions,
    secrets: KnownSecrets<'_>,
) -> Result<Described, Vec<DescriptionFault>> {
    let (table, errors) = toml::de::DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        let fault = |error: &toml::de::Error| DescriptionFault {
            span: error.span(),
            of: None,
            message: error.message().to_owned(),
            help: "this is no TOML from here on".to_owned(),
        };
        return Err(errors.iter().map(fault).collect());
    }
    from_table(name, &Table::of(table.get_ref()), known, secrets)
}

/// Reads a description that is a table of a larger text.
pub fn from_table(
    name: ProviderName,
    table: &Table,
    known: &dyn KnownDescriptions,
    secrets: KnownSecrets<'_>,
) -> Result<Described, Vec<DescriptionFault>> {
    let mut faults = Faults::default();
    let mut chain = vec![name.as_str().to_owned()];
    let whole = whole(table.clone(), &mut chain, known, &mut faults);
    let read = match whole.filter(|_| faults.0.is_empty()) {
        Some(whole) => parse::parse(name, &whole, secrets),
        None => Err(faults.0),
    };
    read.map(|description| Described(Arc::new(description)))
        .map_err(|faults| faults.into_iter().map(|fault| placed(fault, &chain)).collect())
}

/// The fault with its place in the description of the chain that it is in.
fn placed(fault: DescriptionFault, chain: &[String]) -> DescriptionFault {
    let nth = fault.span.as_ref().map_or(0, |span| span.start / STRIDE);
    let span = fault.span.map(|span| span.start - nth * STRIDE..span.end - nth * STRIDE);
    DescriptionFault { span, of: chain.get(nth).filter(|_| nth > 0).cloned(), ..fault }
}

/// The table with everything that it is `like` under it. `chain` becomes the names of these descriptions.
fn whole(
    mut table: Table,
    chain: &mut Vec<String>,
    known: &dyn KnownDescriptions,
    faults: &mut Faults,
) -> Option<Table> {
    let Some(like) = table.take("like") else { return Some(table) };
    let holder = Table(vec![like]);
    let like = DescriptionTable::new(&holder, "in this description", None).word("like", faults)?.to_owned();
    let span = holder.get("like").and_then(|member| member.node.span.clone());
    if chain.contains(&like) || chain.len() > LONGEST {
        let circle = [chain.as_slice(), &[like]].concat().join("` is like `");
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
    chain.push(like);
    let under = whole(under.further((chain.len() - 1) * STRIDE), chain, known, faults)?;
    Some(under.overlaid(table))
}
