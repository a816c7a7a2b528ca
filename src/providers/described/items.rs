//! A job's items: counters of them, or a list.

use super::condition::{Condition, all_hold};
use super::fault::{DescriptionTable, Faults};
use super::model::{ItemList, Items};
use super::parse_values::TemplateContext;
use crate::domain::files::FileResult;
use crate::json::pointer::{FoundValues, Lookup, PointerId};
use crate::json::scan;
use crate::providers::reply::{self, error_text, number};

/// How many items there are, as far as a response says.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ResponseCounts {
    pub total: Option<f64>,
    /// Those that worked.
    pub succeeded: Option<f64>,
    /// Those that failed.
    pub failed: Option<f64>,
}

/// Reads `items`.
pub fn counters(status: &DescriptionTable<'_>, lookup: &mut Lookup, faults: &mut Faults) -> Option<Items> {
    let table = status.table("items", "in items", faults)?;
    table.expect_only(&["total", "succeeded", "failed", "when"], faults);
    let mut at = |key: &str| TemplateContext::pointers(&table, key, lookup, faults);
    let (total, succeeded, failed) = (at("total"), at("succeeded"), at("failed"));
    Some(Items { total, succeeded, failed, when: TemplateContext::conditions(&table, "when", lookup, faults) })
}

/// Reads `item_list`.
pub fn list(status: &DescriptionTable<'_>, lookup: &mut Lookup, faults: &mut Faults) -> Option<ItemList> {
    let table = status.table("item_list", "in item_list", faults)?;
    table.expect_only(&["at", "name", "failed", "reason", "output", "cost"], faults);
    if table.get("at").is_none() {
        faults.add(table.span(), "no `at` in item_list", "write at = \"/results\"");
    }
    let at = TemplateContext::pointer(&table, "at", lookup, faults);
    let mut inner = Lookup::default();
    let failed: Vec<Condition> = TemplateContext::conditions(&table, "failed", &mut inner, faults);
    let reason = TemplateContext::pointers(&table, "reason", &mut inner, faults);
    let mut one = |key: &str| TemplateContext::pointer(&table, key, &mut inner, faults);
    let (name, output, cost) = (one("name"), one("output"), one("cost"));
    Some(ItemList { at: at?, lookup: inner, name, failed, reason, output, cost })
}

impl Items {
    /// What the counters say; None where they do not count.
    pub fn counts(&self, found: &FoundValues<'_>) -> Option<ResponseCounts> {
        if !all_hold(&self.when, found) {
            return None;
        }
        let sum = |ids: &[PointerId]| {
            let values = ids.iter().flat_map(|id| found.values(*id)).filter_map(amount);
            values.fold(None, |sum: Option<f64>, value| Some(sum.unwrap_or(0.0) + value))
        };
        Some(ResponseCounts { total: sum(&self.total), succeeded: sum(&self.succeeded), failed: sum(&self.failed) })
    }

    /// The counters of which a response has none, each by its key.
    pub fn missing(&self, counts: &ResponseCounts) -> Vec<(&'static str, &[PointerId])> {
        let all = [
            ("items.total", &self.total, counts.total),
            ("items.succeeded", &self.succeeded, counts.succeeded),
            ("items.failed", &self.failed, counts.failed),
        ];
        let missing = all.into_iter().filter(|(_, places, count)| !places.is_empty() && count.is_none());
        missing.map(|(key, places, _)| (key, places.as_slice())).collect()
    }
}

impl ResponseCounts {
    /// Of a list of items.
    #[expect(clippy::cast_precision_loss, reason = "no response names so many items")]
    pub fn of(items: &[FileResult]) -> Self {
        let failed = items.iter().filter(|item| item.failed).count();
        let count = |count: usize| Some(count as f64);
        Self { total: count(items.len()), succeeded: count(items.len() - failed), failed: count(failed) }
    }

    /// How many are over.
    pub fn over(&self) -> f64 {
        self.succeeded.unwrap_or(0.0) + self.failed.unwrap_or(0.0)
    }

    /// Percent over, if it can be said.
    pub fn percent(&self) -> Option<f64> {
        let total = match self.total {
            Some(total) => total,
            None => self.over(),
        };
        (total > 0.0 && (self.succeeded.is_some() || self.failed.is_some())).then(|| self.over() / total * 100.0)
    }
}

impl ItemList {
    /// The items of a response, each with its place in it.
    pub fn items(&self, body: &[u8], found: &FoundValues<'_>) -> Vec<FileResult> {
        let mut items = Vec::new();
        for list in found.ranges(self.at) {
            let Some(text) = body.get(list.clone()) else { continue };
            for place in scan::elements(text).unwrap_or_default() {
                let Some(item) = text.get(place.clone()) else { continue };
                items.push(self.item(item, list.start + place.start));
            }
        }
        items
    }

    fn item(&self, text: &[u8], start: usize) -> FileResult {
        let found = self.lookup.find(text).unwrap_or_else(|_| FoundValues::nothing());
        let failed = !self.failed.is_empty() && all_hold(&self.failed, &found);
        let reason = self.reason.iter().find_map(|id| found.values(*id).find_map(error_text));
        let shown = |id: Option<PointerId>| id.and_then(|id| found.standing(id)).and_then(reply::text);
        let result = self.output.and_then(|id| found.ranges(id).first().cloned());
        let keys = result.clone().and_then(|range| scan::fields(text.get(range)?).ok());
        FileResult {
            name: shown(self.name).unwrap_or_default(),
            status: if failed { "failed".to_owned() } else { "succeeded".to_owned() },
            failed,
            error: if failed { reason } else { None },
            keys: keys.and_then(|keys| u32::try_from(keys.len()).ok()),
            size: u64::try_from(text.len()).unwrap_or(u64::MAX),
            cost: shown(self.cost),
            range: start..start + text.len(),
            result: result.map(|range| start + range.start..start + range.end),
            in_review: false,
        }
    }
}

/// A count: a number, or a text that is one.
fn amount(value: &[u8]) -> Option<f64> {
    let found = match scan::string(value) {
        Some(text) => number(text.trim().as_bytes()),
        None => number(value),
    };
    found.filter(|amount| *amount >= 0.0 && amount.is_finite())
}
